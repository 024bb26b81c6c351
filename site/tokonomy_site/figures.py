"""Numbers as a reader wants them: as many digits as the figure bears, a sign that is a minus."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from tokonomy.store.metrics import METRICS, Metric

Form = Callable[[float], str]


NOTHING = Metric(name="", value=None, unit="", reason="not-recorded")


def known(metric: Metric) -> bool:
    """Whether there is a value."""
    return metric.value is not None


def contains(metric: Metric, value: float) -> bool:
    """Whether the interval contains ``value``; False where there is no interval."""
    return metric.low is not None and metric.high is not None and metric.low <= value <= metric.high


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


def minute(utc: str) -> str:
    """A stored UTC time to the minute.

    >>> minute("2026-02-01T12:34:56.000000Z")
    '2026-02-01 12:34'
    """
    return utc[:16].replace("T", " ")


#: Shares are read as per cent; every other figure by its unit.
SHARES = frozenset(
    "accuracy reference_accuracy retained agreement accuracy_easy accuracy_hard accuracy_drop "
    "tokens_kept acceptance_rate kv_logical_ratio kv_physical_ratio energy_bound "
    "energy_residual".split()
)
_BY_UNIT: dict[str, tuple[Form, str]] = {
    "1": (ratio, ""),
    "B": (mebibytes, "MiB"),
    "ms": (significant, "ms"),
    "s": (significant, "s"),
    "samples/s": (significant, "samples/s"),
    "tokens": (significant, "tokens"),
    "tokens/s": (significant, "tokens/s"),
    "passes": (significant, "passes"),
    "FLOP": (lambda value: significant(value / 1e6), "MFLOP"),
    "J": (significant, "J"),
    "W": (significant, "W"),
    "pairs": (significant, "pairs"),
    "": (significant, ""),
}


def form_of(name: str) -> tuple[Form, str]:
    """How a figure is written, and the unit it is then in."""
    if name in SHARES:
        return percent, "%"
    if name == "energy_ratio":  # intervals of a tenth of a percent are usual
        return significant, ""
    if name == "accuracy_drop_p":
        return _plain_probability, ""
    return _BY_UNIT.get(METRICS[name].unit if name in METRICS else "", (significant, ""))


def factor(name: str) -> float:
    """What a stored figure is multiplied by to be in the unit that ``form_of`` names.

    >>> factor("accuracy"), factor("latency_p50_ms")
    (100.0, 1.0)
    """
    return {"%": 100.0, "MiB": 2.0**-20, "MFLOP": 1e-6}.get(form_of(name)[1], 1.0)


def unit_of(name: str) -> str:
    """The unit that a figure is shown in; empty for a ratio."""
    return form_of(name)[1] or (METRICS[name].unit.strip("1") if name in METRICS else "")


def _plain_probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def span(metric: Metric, form: Form) -> str:
    """The interval as text, its ends joined by an en dash, or nothing."""
    if metric.low is None or metric.high is None:
        return ""
    return f"{form(metric.low)}\u2013{form(metric.high)}"


def probability(p: float) -> str:
    """A p-value, with spaces that do not break.

    >>> probability(0.0312).split(), probability(1e-9).split()
    (['p', '=', '0.031'], ['p', '<', '0.001'])
    """
    text = _plain_probability(p)
    return (f"p {text}" if text.startswith("<") else f"p = {text}").replace(" ", "\u00a0")


_WRITTEN = re.compile(r"\u2212?\d[\d,]*(\.\d+)?")


def number(text: str) -> float | None:
    """The number that one of these texts shows; None where it shows a word.

    >>> number("1,234"), number("\u22120.5"), number("OOM")
    (1234.0, -0.5, None)
    """
    if not _WRITTEN.fullmatch(text):
        return None
    return float(text.replace(",", "").replace("\u2212", "-"))
