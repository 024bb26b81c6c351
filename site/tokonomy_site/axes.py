"""What a reader may draw and limit in a class: quantities with the numbers of every row.

The numbers stand in attributes of the table's rows, made from the same figures as its cells, in the
units that these are shown in, without their rounding: scripts sort out rows and place marks by
them, and change none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tokonomy.store.metrics import METRICS, Metric
from tokonomy_site.board import Row
from tokonomy_site.cells import mark
from tokonomy_site.columns import Layout
from tokonomy_site.families import CACHE, DECODING, family
from tokonomy_site.figures import NOTHING, factor, unit_of
from tokonomy_site.snapshot import Run
from tokonomy_site.tables import Limit

BY_ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A quantity that can be drawn.

    Attributes:
        key: Its name after the ``#`` of an address.
        title: Its name.
        own: Its figure.
        relative: The same relative to the reference; ``BY_ROW`` where that is what the row of the
            reference has in the same figure; empty where it is told in no other way.
    """

    key: str
    title: str
    own: str
    relative: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a class's page offers.

    Attributes:
        across: Costs to draw, the first chart's first.
        up: Qualities to draw.
        limits: What can be limited.
        names: Figures whose numbers the rows carry, in this order.
    """

    across: tuple[Axis, ...]
    up: tuple[Axis, ...]
    limits: tuple[Limit, ...]
    names: tuple[str, ...]

    @property
    def figures(self) -> str:
        """Name, words, unit and better direction of each figure, as JSON."""
        return json.dumps(
            [[n, _words(n), unit_of(n), _better(n)] for n in self.names], separators=(",", ":")
        )


_ACROSS = (
    Axis(key="latency", title="Latency", own="latency_p50_ms", relative="latency_ratio"),
    Axis(key="throughput", title="Throughput", own="throughput", relative="throughput_ratio"),
    Axis(key="tokens-s", title="Tokens per second", own="tokens_per_s", relative="speed_up_total"),
    Axis(key="ttft", title="Time to first token", own="ttft_ms", relative="ttft_ratio"),
    Axis(key="tpot", title="Time per output token", own="tpot_ms", relative="tpot_ratio"),
    Axis(key="peak", title="Peak memory", own="peak_memory_bytes", relative=BY_ROW),
    Axis(key="device", title="Device memory", own="device_peak_bytes", relative=BY_ROW),
    Axis(key="held", title="Memory of the cache", own="kv_physical_bytes",
         relative="kv_physical_ratio"),
    Axis(key="joules", title="Joules per sample", own="energy_j", relative="energy_ratio"),
    Axis(key="flops", title="Theoretical FLOPs", own="flops", relative=BY_ROW),
    Axis(key="kept", title="Tokens kept", own="tokens_mean", relative="tokens_kept"),
)  # fmt: skip
_UP = (
    Axis(key="quality", title="Accuracy", own="accuracy"),
    Axis(key="retained", title="Retained accuracy", own="retained"),
    Axis(key="agreement", title="Agreement with the reference", own="agreement"),
    Axis(key="divergence", title="Divergence from the reference", own="kl_nats"),
)
_SPOKEN = {"quality": "Score", "retained": "Retained score"}
_LIMITS = (
    Limit(key="max-latency", title="Latency", figure="latency_p50_ms", unit="ms"),
    Limit(key="max-peak", title="Peak memory", figure="peak_memory_bytes", unit="MiB"),
    Limit(key="max-device", title="Device memory", figure="device_peak_bytes", unit="MiB"),
    Limit(key="max-held", title="Cache held", figure="kv_physical_bytes", unit="MiB"),
    Limit(key="max-joules", title="Energy", figure="energy_j", unit="J/sample"),
    Limit(key="max-kept", title="Tokens kept", figure="tokens_kept", unit="%"),
    Limit(key="max-drop", title="Quality drop", figure="accuracy_drop", unit="points"),
)
#: Quotients that no figure holds: what over what of the same run.
_QUOTIENTS = {"throughput_ratio": ("throughput", "reference_throughput")}
_WORDS = {"throughput_ratio": "Throughput, reference = 1"}


def offer(every: Sequence[Row], kind: Layout) -> Offer:
    """What the rows of a class have: a quantity in which no two of them differ is left out."""

    def there(name: str) -> bool:
        return len({read(row.run, name, kind).value for row in every} - {None}) > 1

    across = [_had(axis, there) for axis in _ACROSS if there(axis.own) or there(axis.relative)]
    up = [axis for axis in _UP if there(axis.own)] if kind.scored else []
    if kind.family in (DECODING, CACHE):
        up = [replace(axis, title=_SPOKEN.get(axis.key, axis.title)) for axis in up]
    limits = [limit for limit in _LIMITS if there(limit.figure)]
    specs = [spec for spec in family(kind.family).specs if spec.front and kind.scored]
    first = family(kind.family).ranked
    across.sort(key=lambda axis: axis.relative != first.cost)
    up.sort(key=lambda axis: axis.own != first.quality)
    wanted = [name for axis in (*across, *up) for name in (axis.own, axis.relative)
              if name not in ("", BY_ROW)]  # fmt: skip
    wanted += [limit.figure for limit in limits]
    wanted += [name for spec in specs for name in (spec.cost, spec.quality)]
    return Offer(
        across=tuple(across), up=tuple(up), limits=tuple(limits), names=tuple(dict.fromkeys(wanted))
    )


def _had(axis: Axis, there: Callable[[str], bool]) -> Axis:
    """The axis without the figure that the class has not."""
    own = axis.own if there(axis.own) else axis.relative
    told = axis.relative == BY_ROW or there(axis.relative)
    return replace(axis, own=own, relative=axis.relative if told else "")


def read(run: Run, name: str, kind: Layout) -> Metric:
    """A figure of a run by its name here; joules of another boundary count as missing."""
    if run.status != "ok":
        return NOTHING
    if name in _QUOTIENTS:
        over, under = _QUOTIENTS[name]
        return _quotient(run.figure(over), run.figure(under))
    if name.startswith("energy") and run.boundary != kind.boundary:
        return NOTHING
    return run.figure(name)


def _quotient(over: Metric, under: Metric) -> Metric:
    if over.value is None or not under.value:
        return NOTHING
    return Metric(name="", value=over.value / under.value)


def numbers(every: Sequence[Row], offered: Offer, kind: Layout) -> dict[str, str]:
    """Numbers of each row that is ok, by its id: ``value,low,high,sign`` of each figure.

    Figures are parted by semicolons; what is missing is empty, and what is empty at the end of a
    figure is left out.
    """
    return {
        row.id: ";".join(
            _number(read(row.run, n, kind), factor(n), unit_of(n), mark(row.run, n))
            for n in offered.names
        )
        for row in every
        if row.run.status == "ok"
    }


def _number(figure: Metric, by: float, unit: str, sign: str) -> str:
    """The value to six figures, ends as far as a chart shows them."""
    if figure.value is None:
        return ""
    form = ".1f" if unit == "%" else ".4g"
    ends = ("" if end is None else f"{by * end:{form}}" for end in (figure.low, figure.high))
    return ",".join((f"{by * figure.value:.6g}", *ends, sign)).rstrip(",")


def _words(name: str) -> str:
    return _WORDS[name] if name in _WORDS else METRICS[name].title


def _better(name: str) -> str:
    """``higher`` or ``lower``."""
    if name == "throughput_ratio":
        return "higher"
    return (METRICS[name].better if name in METRICS else None) or "lower"
