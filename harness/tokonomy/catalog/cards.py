"""Cards: what a method, a task or a model says about itself.

A card is a literal: it stands in its file as ``CARD = MethodCard(...)`` with nothing but strings,
numbers, tuples, lists and dicts inside, so the catalogue reads it without running the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from tokonomy.errors import BadCard

Kind = Literal["reference", "control", "training-free", "offline-calibrated", "trained"]
Lossless = Literal["exact", "distribution", "lossy"]
Effect = Literal["none", "removed", "masked", "kv-only"]

PLANTED = "planted-"
"""Begins the id of a control and of nothing else, so that a record tells its role by itself."""

_ID = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
T = TypeVar("T", bound=type[Any])
_KINDS: dict[type[Any], dict[str, Any]] = {}


def _kinds(card: type[Any]) -> dict[str, Any]:
    """Type of each field."""
    if card not in _KINDS:
        hints = get_type_hints(card)
        _KINDS[card] = {field.name: hints[field.name] for field in fields(card)}
    return _KINDS[card]


def _check_types(card: Any) -> None:
    """Refuse values of another type than the card's class says, and text that cannot be written."""
    for name, kind in _kinds(type(card)).items():
        value = getattr(card, name)
        if not _fits(value, kind):
            called = f"card {card.id!r}" if hasattr(card, "id") else "a claim"
            raise BadCard(f"{called}: {name} must be {_told(kind)}; got {value!a:.80}")


def _told(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is UnionType:
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        return isinstance(value, tuple | list) and all(_fits(each, inner[0]) for each in value)
    if origin is Mapping:
        named = isinstance(value, dict) and all(isinstance(key, str) for key in value)
        return named and _writable(value)
    if kind is float:
        return type(value) in (int, float) and _writable(value)
    return isinstance(value, kind) and (kind is not str or _writable(value))


def _writable(value: object) -> bool:
    """Whether it is a text, or can be told in JSON, without half characters or infinities."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _check_id(value: object) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadCard(f"a card's id is of a-z and 0-9 with single - or _ between; got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure that a paper or a README states.

    Attributes:
        model: The model it was stated for, as the source names it.
        dataset: The data set and split.
        setting: The method's setting.
        metric: What is stated, e.g. ``"top-1 accuracy"`` or ``"speed-up"``.
        value: The figure, in ``unit``.
        unit: ``"%"``, ``"x"``, ``"GMACs"``, ``"images/s"``.
        reference: The same figure of the unmodified model, where stated.
        hardware: Where it was measured, where stated.
        source: Where it stands.
    """

    model: str
    dataset: str
    setting: str
    metric: str
    value: float
    unit: str
    source: str
    reference: float | None = None
    hardware: str | None = None

    def __post_init__(self) -> None:
        _check_types(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCard:
    """A method's card.

    Attributes:
        id: Kebab-case, never reused.
        title: The name the paper gives it.
        families: The contracts it implements, e.g. ``("vision",)``.
        summary: What it does, in one sentence.
        kind: How much preparation it needs; a control's id begins with ``planted-``.
        lossless: ``exact``, ``distribution`` or ``lossy``.
        alters: What of the model it touches, e.g. ``("tokens after attention",)``.
        effect: What it says happens to tokens; the harness checks it by counting.
        needs: What a model must offer, e.g. ``("cls token", "attention weights")``.
        paper: arXiv id.
        code: Reference implementation, ``owner/repository``.
        code_licence: Licence of that code.
        differences: Each way in which this implementation departs from the reference.
        claims: Figures stated by the source.
        atlas: Ids of the field map.
        sweep: Default settings, each a dict of hyper-parameters; at least four, but for references
            and controls.
    """

    noun: ClassVar[str] = "method"
    id: str
    title: str
    families: tuple[str, ...]
    summary: str
    kind: Kind
    lossless: Lossless
    effect: Effect
    alters: tuple[str, ...]
    sweep: tuple[Mapping[str, Any], ...]
    needs: tuple[str, ...] = ()
    paper: str | None = None
    code: str | None = None
    code_licence: str | None = None
    differences: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    atlas: tuple[str, ...] = ()

    @property
    def dial(self) -> str | None:
        """The parameter that its sweep turns: the first of the first setting."""
        return next(iter(self.sweep[0]), None) if self.sweep else None

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_types(self)
        if self.kind not in ("reference", "control") and len(self.sweep) < 4:
            raise BadCard(
                f"card {self.id!r}: the default sweep needs at least four settings; "
                f"got {len(self.sweep)}"
            )
        if (self.kind == "control") != self.id.startswith(PLANTED):
            raise BadCard(
                f"card {self.id!r}: the id of a control, and of nothing else, begins with "
                f"{PLANTED!r}; kind is {self.kind!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCard:
    """A task's card.

    Attributes:
        id: Kebab-case, never reused.
        title: Human-readable name.
        families: The contracts it belongs to.
        summary: What is asked, in one sentence.
        metric: The quality metric and its formula.
        source: Where the data come from.
        licence: The data's licence.
        split: How train and test are kept apart.
        revision: Version of the data or of the rule that makes them.
        chance: Expected quality of guessing, or None where it depends on the data.
        models: Embedded models trained for it.
        parameters: Names of the fields a reference such as ``imagefolder:<dir>`` fills, in order.
        scored: False where outputs mean nothing, so that only costs are measured.
    """

    noun: ClassVar[str] = "task"
    id: str
    title: str
    families: tuple[str, ...]
    summary: str
    metric: str
    source: str
    licence: str
    split: str
    revision: str
    chance: float | None = None
    models: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    scored: bool = True

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_types(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A shipped model's card.

    Attributes:
        id: Kebab-case, never reused.
        title: Human-readable name.
        families: The contracts it belongs to.
        summary: Architecture and training, in a sentence or two.
        task: The task it is trained for.
        licence: The weights' licence.
        recipe: How it was trained: data, steps, time and hardware.
    """

    noun: ClassVar[str] = "model"
    id: str
    title: str
    families: tuple[str, ...]
    summary: str
    task: str
    licence: str
    recipe: str

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_types(self)


Card = MethodCard | TaskCard | ModelCard


def implements(card: Card) -> Callable[[T], T]:
    """Mark the class that a card describes; it gets the card as ``card``."""

    def mark(cls: T) -> T:
        cls.card = card
        return cls

    return mark


__all__ = [
    "PLANTED",
    "Card",
    "Claim",
    "Effect",
    "Kind",
    "Lossless",
    "MethodCard",
    "ModelCard",
    "TaskCard",
    "implements",
]
