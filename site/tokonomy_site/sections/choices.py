"""Ways from a comparability class to its neighbours, a line for each thing that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tokonomy_site.groups import Group
from tokonomy_site.snapshot import Snapshot

_TRAINING = {"none": "without training", "trained": "trained", "not known": "not known"}

#: What a class is told by, as a reader chooses it; whatever else differs is in the list of classes.
_ASPECTS: Mapping[str, Callable[[Group, Snapshot], str]] = {
    "Task": lambda group, snapshot: snapshot.task_title(group.task),
    "Model": lambda group, snapshot: snapshot.model_title(group.model),
    "Weights": lambda group, _: "embedded" if group.embedded else "published",
    "Device": lambda group, _: group.device,
    "Precision": lambda group, _: group.precision,
    "Scenario": lambda group, _: group.calls,
    "Mode": lambda group, _: group.mode,
    "Threads": lambda group, _: str(group.threads),
    "Protocol": lambda group, _: str(group.protocol),
    "Methods": lambda group, _: _TRAINING[group.training],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A value to choose, and where that leads; nowhere where it is this page's own."""

    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One thing that sets classes apart."""

    title: str
    ways: tuple[Way, ...]


def aspects(here: Group, peers: Mapping[Group, str], snapshot: Snapshot) -> list[Aspect]:
    """What a reader may change from a class: each value leads to the nearest class that has it.

    Args:
        here: The class of the page.
        peers: Address of every class of its family, the one to show first at the front.
        snapshot: For titles.
    """
    told = {group: _told(group, snapshot) for group in peers}
    found = []
    for at, title in enumerate(_ASPECTS):
        values = dict.fromkeys(told[group][at] for group in peers)
        if len(values) > 1:
            ways = [_way(value, at, here, peers, told) for value in values]
            found.append(Aspect(title=title, ways=tuple(ways)))
    return found


def _told(group: Group, snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(tell(group, snapshot) for tell in _ASPECTS.values())


def _way(
    value: str,
    at: int,
    here: Group,
    peers: Mapping[Group, str],
    told: Mapping[Group, Sequence[str]],
) -> Way:
    mine = told[here]
    if mine[at] == value:
        return Way(title=value, href="")
    having = (group for group in peers if told[group][at] == value)
    nearest = max(having, key=lambda g: sum(a == b for a, b in zip(told[g], mine, strict=True)))
    return Way(title=value, href=peers[nearest])
