"""How a run's answers came about: tokens of each pass, and the cache they were read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tokonomy.store.answers import accepted, first_tokens, histogram, most, whole_prompts
from tokonomy.store.fields import Missing
from tokonomy.store.lengths import Length, by_length, faster_from
from tokonomy.store.observed import ONE_PASS, Decoded, Decoding
from tokonomy.store.record import Record
from tokonomy_site.cells import NONE, explained
from tokonomy_site.figures import count, mebibytes, percent, ratio, significant
from tokonomy_site.scales import Scale, scale
from tokonomy_site.sections.energy import why
from tokonomy_site.tables import Cell, Column, Line, Table
from tokonomy_site.words import plural

WIDTH, HEIGHT = 560, 230
MOST_SAMPLES = 100  # listed one by one
MOST_BARS = 40  # drawn; what gives more tokens is one bar with the last
MOST_PASSES = 60  # of one sample, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How many passes gave so many tokens."""

    path: str
    x: float
    y: float
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A histogram.

    Attributes:
        title: All of it in words, read out in place of the picture.
        y: Axis up.
        bars: From left to right.
    """

    title: str
    y: Scale
    bars: tuple[Bar, ...]
    left: float = 44.0
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a run's page says of its passes.

    Attributes:
        missing: Why there is nothing; empty where there is.
        table: Both arms.
        bars: Tokens of a pass; in words where it is always one, or cannot be told.
        samples: Each sample of the method.
        lengths: Short and long prompts apart; None where all are alike.
        longer: From which length on it is faster.
    """

    missing: str = ""
    table: Table | None = None
    bars: Bars | str = ""
    samples: Table | None = None
    lengths: Table | None = None
    longer: str = ""


def section(record: Record) -> Section | None:
    """Passes and cache of both arms; None of a family whose calls are one pass."""
    found, lengths = whole_prompts(record.decoding), by_length(record)
    if isinstance(found, Missing):
        same = found.reason in (ONE_PASS.reason, "run-failed")
        return None if same else Section(missing=why(found))
    several = () if isinstance(lengths, Missing) or len(lengths) < 2 else lengths
    return Section(
        table=_arms(found),
        bars=bars(found.method),
        samples=_samples(found),
        lengths=_lengths(several) if several else None,
        longer=_longer(several) if several else "",
    )


COLUMNS = (
    Column(name="Arm", words=True),
    Column(name="Answers"),
    Column(name="Tokens", unit="an answer"),
    Column(name="Passes", unit="after the prompt"),
    Column(name="Tokens", unit="a pass"),
    Column(name="Prompt", unit="tokens read"),
    Column(name="Cached", unit="tokens, most"),
    Column(name="Cache", unit="MiB"),
    Column(name="Memory", unit="MiB held"),
)


def _arms(counted: Decoding) -> Table:
    lines = [_arm(name, each) for name, each in
             (("method", counted.method), ("reference", counted.reference))]  # fmt: skip
    return Table(
        caption="Means over the samples counted, at batch 1; of the cache the most before any pass "
        "after the prompt's",
        columns=COLUMNS,
        lines=tuple(lines),
    )


def _arm(name: str, samples: Sequence[Decoded]) -> Line:
    later = [each for each in samples if each.read[1:]]
    calls = sum(len(each.read) - 1 for each in later)
    made = sum(max(0, each.tokens - first_tokens(each)) for each in samples)
    held = [most(each) for each in later]
    texts = (
        name,
        count(len(samples)),
        significant(fmean(each.tokens for each in samples)),
        significant(calls / len(samples)),
        significant(made / calls) if calls else NONE,
        significant(fmean(sum(each.read[:1]) for each in samples)),
        significant(fmean(max(each.cached[1:]) for each in later)) if later else NONE,
        mebibytes(fmean(logical for logical, _ in held)) if held else NONE,
        mebibytes(fmean(physical for _, physical in held)) if held else NONE,
    )
    return Line(cells=tuple(Cell(text=text) for text in texts))


def _lengths(lengths: Sequence[Length]) -> Table:
    columns = (
        Column(name="Prompt", unit="tokens"),
        Column(name="Prompts"),
        Column(name="Method", unit="ms, median"),
        Column(name="Reference", unit="ms, median"),
        Column(name="Ratio", unit="[95 %]"),
        Column(name="Cache", unit="MiB"),
        Column(name="Cached", unit="% of ref."),
    )
    return Table(
        caption="Whole calls and the cache by the length of the prompt",
        columns=columns,
        lines=tuple(map(_length, lengths)),
    )


def _length(each: Length) -> Line:
    ends = dict.fromkeys(map(count, (each.shortest, each.longest)))
    low, high = each.ratio.low, each.ratio.high
    between = "" if low is None or high is None else f"{ratio(low)}\u2013{ratio(high)}"
    share = each.cached / each.beside if each.cached is not None and each.beside else None
    return Line(
        cells=(
            Cell(text="\u2013".join(ends)),
            Cell(text=count(each.prompts)),
            Cell(text=significant(each.method_ms)),
            Cell(text=significant(each.reference_ms)),
            Cell(text=NONE if each.ratio.value is None else ratio(each.ratio.value), sub=between),
            Cell(text=NONE if each.cached is None else mebibytes(each.cached)),
            Cell(text=NONE if share is None else percent(share)),
        )
    )


def _longer(lengths: Sequence[Length]) -> str:
    found, most = faster_from(lengths), count(lengths[-1].longest)
    if isinstance(found, Missing):
        return explained(found.reason)
    return (
        "The 95 % interval of the latency ratio lies below 1 on prompts of "
        f"{count(found)} tokens and more, up to {most}."
    )


def bars(samples: Sequence[Decoded]) -> Bars | str:
    """How many passes gave how many tokens; in words where it is always one, or not known."""
    found = histogram(samples)
    if isinstance(found, Missing):
        return explained(found.reason)
    passes = sum(found.values())
    if set(found) == {1}:
        return f"Each of {plural(passes, 'pass', 'passes')} gave one token."
    shown = _cut(found)
    up = scale([0.0, float(max(shown.values()))], start=HEIGHT - 34, end=32, form=count,
               bounds=(0.0, 1e18))  # fmt: skip
    said = ", ".join(f"{given} in {plural(n, 'pass', 'passes')}" for given, n in shown.items())
    return Bars(
        title=f"Tokens that {plural(passes, 'pass', 'passes')} after the prompt's gave: {said}",
        y=up,
        bars=tuple(_bars(shown, passes, up)),
    )


def _cut(found: Mapping[int, int]) -> dict[int, int]:
    """Every number of tokens from 1 on; those beyond the last bar are in it."""
    shown = dict.fromkeys(range(1, min(max(found), MOST_BARS) + 1), 0)
    for given, many in found.items():
        shown[min(given, MOST_BARS)] += many
    return shown


def _bars(shown: Mapping[int, int], passes: int, up: Scale) -> Iterator[Bar]:
    left, wide = 44.0, (WIDTH - 54) / len(shown)
    for at, (given, many) in enumerate(shown.items()):
        start, top = left + at * wide + 0.1 * wide, up.place(many)
        last = given == MOST_BARS and len(shown) == MOST_BARS
        share = f"{percent(many / passes)}" if wide >= 34 else f"{100 * many / passes:.0f}"
        yield Bar(
            path=f"M{start:.1f} {up.start:g}V{top:g}h{0.8 * wide:.1f}V{up.start:g}Z",
            x=round(start + 0.4 * wide, 1),
            y=round(top - 4, 1),
            name=f"{given}+" if last else str(given),
            text=share if many and wide >= 18 else "",
        )


def _samples(counted: Decoding) -> Table:
    """Each answer of the method, its passes in order."""
    columns = (
        Column(name="Sample"),
        Column(name="Tokens"),
        Column(name="Passes"),
        Column(name="Cache", unit="MiB"),
        Column(name="Memory", unit="MiB held"),
        Column(name="Tokens of each pass after the prompt's", words=True, wide=True),
    )
    kept = counted.method[:MOST_SAMPLES]
    lines = tuple(_sample(index, each) for index, each in enumerate(kept, 1))
    caption = f"The first {len(kept)} of {plural(len(counted.method), 'answer')} of the method"
    return Table(caption=caption, columns=columns, lines=lines)


def _sample(index: int, sample: Decoded) -> Line:
    given = accepted(sample)
    logical, physical = most(sample) if sample.read[1:] else (0, 0)
    listed = " ".join(map(str, (given or ())[:MOST_PASSES]))
    more = " …" if given and len(given) > MOST_PASSES else ""
    texts = (
        str(index),
        str(sample.tokens),
        str(max(0, len(sample.read) - 1)),
        mebibytes(logical) if logical else NONE,
        mebibytes(physical) if physical else NONE,
        "cannot be told" if given is None else f"{listed}{more}" or NONE,
    )
    return Line(cells=tuple(Cell(text=text) for text in texts))
