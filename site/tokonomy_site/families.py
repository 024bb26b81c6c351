"""What sets the pages of one family apart: its charts, and what its words turn on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tokonomy_site import words

DECODING, CACHE = "decoding", "kv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One kind of chart.

    Attributes:
        cost: The figure across.
        quality: The figure up.
        title: Its title.
        axis: Words of the axis across.
        up: Words of the axis up.
        note: How to read it.
        relative: Whether 1 across is the reference.
        bounds: Where the quantity across itself ends.
        front: Whether left and up are better, so that there is a front.
        level: Whether the line on which both are equal is drawn.
        ceiling: Where the axis up ends at most; beyond 1 there is room above what is perfect.
    """

    cost: str
    title: str
    axis: str
    note: str
    quality: str = "accuracy"
    up: str = "accuracy, %"
    relative: bool = True
    bounds: tuple[float, float] | None = None
    front: bool = True
    level: bool = False
    ceiling: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A method that others have to beat.

    Attributes:
        id: Its id, one of ``verdict.BASELINES``.
        name: What sentences call it.
        head: Title of its column.
        unit: What stands below.
        filter: Name of the column's filter.
    """

    id: str
    name: str
    head: str
    unit: str
    filter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the pages of a family say in its own terms.

    Attributes:
        specs: Its charts; the first is also that of the first page.
        ranked: The chart whose front the first page names.
        cheapest: How that front is ordered, in a word.
        both: What nothing beats a setting on, there.
        slow: Heading of the settings that are not faster.
        beyond: What is said beside them.
        waning: How what a setting spends is spoken of.
        equal: What is equal where a method is held against a baseline.
        baselines: Methods that need no idea, which others are drawn beside and held against.
    """

    specs: tuple[Spec, ...]
    ranked: Spec
    cheapest: str = "fastest"
    both: str = "time and accuracy"
    slow: str = "Where fewer tokens are not faster"
    beyond: str = words.ELSE
    waning: words.Waning = words.TOKENS
    equal: str = "tokens"
    baselines: tuple[Baseline, ...] = ()


_LEFT = (
    "Left is {less}, up is better; bars are 95 % intervals, the line is the front of what nothing "
    "else beats on both, dashes mark the reference's {what}. A closed ring marks what is on the "
    "front wherever the truth lies in the intervals, an open one what may be; where an interval is "
    "withheld, the truth may lie anywhere. Intervals of costs leave out how sittings differ. "
    "{sign}."
)
_DAGGER = "A dagger marks what is unconverged"
_ROOM = 1.05
_TIME = Spec(
    cost="latency_ratio",
    title="Accuracy and time",
    axis="time per call, reference = 1",
    note=_LEFT.format(less="faster", what="time", sign=_DAGGER),
)
_TOKENS = Spec(
    cost="tokens_kept",
    title="Accuracy and tokens",
    axis="tokens kept, %",
    note="Tokens that the blocks' MLPs worked on, counted by the harness, as a share of the "
    "reference's; line and rings as for time.",
    relative=False,
    bounds=(0.0, 1.02),
)
_ENERGY = Spec(
    cost="energy_ratio",
    title="Accuracy and energy",
    axis="joules per sample, reference = 1",
    note=_LEFT.format(
        less="less energy", what="joules", sign="A double dagger marks what is flagged"
    ),
)
_DRAFTS = Spec(
    cost="acceptance_length",
    quality="speed_up",
    title="Speed-up and acceptance length",
    axis="tokens that a pass after the prompt's gives",
    up="speed-up of a whole call, times",
    note="Up is faster; further right, a pass of the model gives more tokens. On the dashed line "
    "reading a draft would cost no more than reading a token, making drafts nothing, and reading "
    "the prompt no time: what a mark lies below it is their price. Bars are 95 % intervals. "
    f"{_DAGGER}.",
    relative=False,
    front=False,
    level=True,
)
_AGREEMENT = Spec(
    cost="latency_ratio",
    quality="agreement",
    title="Agreement and time",
    axis="time per call, reference = 1",
    up="answers as the reference's, %",
    ceiling=_ROOM,
    note=_LEFT.format(less="faster", what="time", sign=_DAGGER),
)
_MEMORY = Spec(
    cost="kv_physical_ratio",
    title="Score and memory of the cache",
    axis="memory of the cache, % of the reference's",
    up="score, %",
    ceiling=_ROOM,
    note="Memory that the cached keys and values hold on to, counted by the harness; left is less. "
    "What a method only hides from attention saves none, so it stands beside the reference. "
    "Bars are 95 % intervals; the line is the front of what nothing else beats on both, closed "
    "rings are on it throughout the intervals, open ones may be.",
    relative=False,
    bounds=(0.0, 1e9),
)
_SCORE = Spec(
    cost="latency_ratio",
    title="Score and time",
    axis="time per call, reference = 1",
    up="score, %",
    ceiling=_ROOM,
    note=_LEFT.format(less="faster", what="time", sign=_DAGGER),
)

_TOKENWISE = Family(
    specs=(_TIME, _TOKENS, _ENERGY),
    ranked=_TIME,
    baselines=(
        Baseline(
            id="random-drop", name="random drop", head="vs random", unit="drop", filter="random"
        ),
        Baseline(
            id="downsample",
            name="input down-sampling",
            head="vs smaller",
            unit="image",
            filter="downsampling",
        ),
    ),
)
_FAMILIES: Mapping[str, Family] = {
    DECODING: Family(
        specs=(_DRAFTS, _AGREEMENT, _ENERGY),
        ranked=_AGREEMENT,
        both="time and agreement with the plain model's answers",
        slow="Where drafts are not faster",
        beyond=words.ELSE_DRAFTS,
    ),
    CACHE: Family(
        specs=(_MEMORY, _SCORE, _ENERGY),
        ranked=_MEMORY,
        cheapest="smallest cache",
        both="memory of the cache and score",
        slow="Where a smaller cache is not faster",
        beyond=words.ELSE_CACHE,
        waning=words.CACHE,
        equal="cache",
        baselines=(
            Baseline(
                id="random-cache",
                name="random rows",
                head="vs random",
                unit="rows",
                filter="random",
            ),
        ),
    ),
}


def family(name: str) -> Family:
    """A family's own terms; those of token reduction where it has none."""
    return _FAMILIES.get(name, _TOKENWISE)
