"""Numbers as a reader wants them: as many digits as the figure bears, a sign that is a minus."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Form = Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its interval, or the reason why there is none.

    Attributes:
        value: In ``unit``; None where there is none.
        low: Lower end of the 95 % interval, where there is one.
        high: Upper end.
        unit: Unit of all three.
        n: How many observations stand behind it.
        reason: Why there is no value.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: int | None = None
    reason: str | None = None

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def contains(self, value: float) -> bool:
        """Whether the interval contains ``value``; False where there is no interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


NOTHING = Figure(reason="not-recorded")


def _sign(text: str) -> str:
    return text.replace("-", "\u2212")


def percent(value: float) -> str:
    """A share of one, as per cent with one decimal.

    >>> percent(0.8683)
    '86.8'
    """
    return _sign(f"{100 * value:.1f}")


def ratio(value: float) -> str:
    """A ratio with two decimals, or three figures from ten on.

    >>> ratio(0.6234), ratio(12.34)
    ('0.62', '12.3')
    """
    return significant(value) if abs(value) >= 10 else _sign(f"{value:.2f}")


def significant(value: float) -> str:
    """Three significant figures, without an exponent below a million.

    >>> significant(0.01234), significant(1234.5), significant(0.0)
    ('0.0123', '1,234', '0')
    """
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return _sign(f"{value:,.{min(places, 9)}f}")


def mebibytes(value: float) -> str:
    """Bytes as MiB.

    >>> mebibytes(268435456)
    '256'
    """
    return significant(value / 2**20)


def seconds(value: float) -> str:
    """Seconds with the unit that suits.

    >>> seconds(0.0123), seconds(95)
    ('12.3 ms', '95.0 s')
    """
    return f"{significant(1000 * value)} ms" if abs(value) < 1 else f"{significant(value)} s"


def count(value: float) -> str:
    """A whole number with thousands separated.

    >>> count(12345)
    '12,345'
    """
    return f"{value:,.0f}"


FORMS: dict[str, Form] = {
    "share": percent,
    "ratio": ratio,
    "bytes": mebibytes,
    "ms": significant,
    "s": significant,
    "count": significant,
}


def span(figure: Figure, form: Form) -> str:
    """The interval as text, or nothing.

    >>> span(Figure(value=0.5, low=0.4, high=0.6), percent)
    '40.0–60.0'
    """
    if figure.low is None or figure.high is None:
        return ""
    return f"{form(figure.low)}–{form(figure.high)}"


def probability(p: float) -> str:
    """A p-value.

    >>> probability(0.0312), probability(1e-9)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
