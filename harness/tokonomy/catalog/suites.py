"""Suites: TOML files that select cells and say how hard to measure them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from tokonomy.catalog.cards import MethodCard
from tokonomy.catalog.registry import Broken, located, points, unknown
from tokonomy.errors import BadSuite, UnknownId
from tokonomy.store.cell import Measuring
from tokonomy.store.fields import Duration, Mode, Positive, Whole

Precision = Literal["fp32", "bf16"]
ScenarioRef = Annotated[str, Field(pattern=r"^(stream|offline:[1-9][0-9]{0,3})$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Limits(_Table):
    """What a run may take: wall time in seconds and resident memory in MiB."""

    time_s: Duration = 300.0
    memory_mib: Positive = 4096


class Selection(_Table):
    """Cells: tasks x models x methods x settings x scenarios.

    Attributes:
        family: Contract of what is selected, where it is not that of the suite.
        tasks: Task references.
        models: Model references; empty means the embedded models of each task.
        methods: Method ids; ``["all"]`` means every one of the family, controls apart.
        settings: ``"default"`` takes each card's sweep, ``"ends"`` its first, middle and last.
        params: Settings by method id, in place of the card's sweep.
        scenarios: ``"stream"`` (batch 1) or ``"offline:B"``.
        precisions, modes: Each is run in each of these; empty means the suite's own.
    """

    family: str | None = None
    tasks: Annotated[list[str], Field(min_length=1)]
    models: list[str] = []
    methods: Annotated[list[str], Field(min_length=1)] = ["all"]
    settings: Literal["default", "ends"] = "default"
    params: dict[str, list[dict[str, Any]]] = {}
    scenarios: Annotated[list[ScenarioRef], Field(min_length=1)] = ["stream"]
    precisions: list[Precision] = []
    modes: list[Mode] = []


class Suite(_Table):
    """A suite file; where it has no family, each of its selections has one."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: str
    summary: str = ""
    family: str = ""
    device: str = "cpu"
    precision: Precision = "fp32"
    mode: Mode = "eager"
    seed: Whole = 0
    select: Annotated[list[Selection], Field(min_length=1)]
    measuring: Measuring = Measuring()
    limits: Limits = Limits()

    @field_validator("select")
    @classmethod
    def _of_families(cls, select: list[Selection], info: ValidationInfo) -> list[Selection]:
        if not info.data.get("family") and not all(each.family for each in select):
            raise ValueError("the suite, or else each of its selections, has a family")
        return select

    def family_of(self, selection: Selection) -> str:
        """The contract of a selection."""
        return selection.family or self.family

    @property
    def families(self) -> tuple[str, ...]:
        """Contracts of all selections."""
        return tuple(dict.fromkeys(map(self.family_of, self.select)))


def swept(card: MethodCard, settings: str) -> Sequence[Mapping[str, Any]]:
    """A card's settings: all of them, or the first, the middle and the last."""
    sweep = card.sweep or ({},)
    if settings == "default" or len(sweep) < 3:
        return sweep
    return sweep[0], sweep[len(sweep) // 2], sweep[-1]


def _line(text: str, loc: tuple[int | str, ...]) -> int:
    """Best line for a validation error: where the last named key of its path stands."""
    lines = text.splitlines()
    hits = [0]
    for part in loc:
        if isinstance(part, int):
            hits = hits[part:] or hits
            continue
        key = re.compile(rf"\s*\[*\s*([\w.-]+\.)?{re.escape(part)}\b")
        hits = [i for i in range(hits[0], len(lines)) if key.match(lines[i])] or hits
    return hits[0] + 1


def read_suite(path: Path) -> Suite:
    """Read a suite file, TOML or the same in JSON; raises ``BadSuite`` naming the line."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return Suite.model_validate_json(text)
        return Suite.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSuite(f"suite {str(path)!r} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSuite(f"suite {path.name}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSuite(
            f"suite {path.name}, line {_line(text, first['loc'])}: {where}: {first['msg']}; "
            f"got {first['input']!r:.80}"
        ) from None


@cache
def installed() -> tuple[Mapping[str, Path], tuple[Broken, ...]]:
    """Installed suite files by name, ours first, and the packages whose suites cannot be found."""
    found: dict[str, Path] = {}
    broken: list[Broken] = []
    for point in points("tokonomy.suites"):
        try:
            _, folder = located(point)
        except Exception as error:  # a package from outside may fail in any way
            broken.append(Broken(where=f"{point.name} = {point.value}", reason=str(error)))
            continue
        for path in sorted(folder.rglob("*.toml")):
            if path.stem in found:
                taken = f"suite {path.stem!r} is already taken by {found[path.stem].parent.name}"
                broken.append(Broken(where=f"{point.name} = {point.value}", reason=taken))
            else:
                found[path.stem] = path
    return found, tuple(broken)


def suite_files() -> Mapping[str, Path]:
    """Installed suite files by name."""
    return installed()[0]


def find_suite(name: str) -> Suite:
    """A suite by installed name or by path."""
    path = Path(name)
    if path.suffix in (".toml", ".json"):
        return read_suite(path)
    if name not in suite_files():
        raise UnknownId(unknown("suite", name, suite_files()) + ", or give a path ending in .toml")
    return read_suite(suite_files()[name])
