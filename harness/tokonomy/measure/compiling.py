"""``torch.compile``, held still: one thread, a cache of its own, nothing given up in silence.

Dynamo gives up on a function after eight versions of it and goes back to eager without a word; a
block of a transformer that is broken into pieces has a version for each layer. The limit is raised
far above that for both arms, and meeting it is an error.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tokonomy.measure import noting
from tokonomy.store.fields import Mode

VERSIONS = 4096
"""Versions of one function before it is an error: layers times pieces times shapes, and room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What dynamo has done in this process.

    Attributes:
        frames: Frames it was asked to compile.
        graphs: Graphs that came of them.
        breaks: Graph breaks met on the way.
    """

    frames: int
    graphs: int
    breaks: int


@dataclass(slots=True)
class _Planned:
    """Frames compiled inside ``planned``."""

    frames: int = 0


_PLANNED = _Planned()  # dynamo's counters are the process's too


def counted() -> Counted:
    """What dynamo has done so far."""
    from torch._dynamo.utils import counters

    return Counted(
        frames=counters["frames"]["total"],
        graphs=counters["stats"]["unique_graphs"],
        breaks=sum(counters["graph_break"].values()),
    )


@contextmanager
def planned() -> Iterator[None]:
    """What is compiled inside is no recompilation of anything."""
    before = counted().frames
    try:
        yield
    finally:
        _PLANNED.frames += counted().frames - before


def counter() -> Callable[[], int]:
    """Counts what is compiled from now on, but for what is planned."""
    start = counted().frames - _PLANNED.frames
    return lambda: counted().frames - _PLANNED.frames - start


@contextmanager
def unasked(mode: Mode) -> Iterator[Callable[[], list[str]]]:
    """Gives what was compiled or captured inside that is no part of the mode, in words.

    A method that compiles itself where the mode is eager would gain what the reference is not
    given. Dynamo is not loaded for this; where nobody has, nobody has used it.
    """
    start = _frames()
    with noting.calls(torch.cuda.CUDAGraph, ["capture_begin"]) as captured:

        def found() -> list[str]:
            frames = _frames() - start if mode != "compile" else 0
            graphs = len(captured) if mode != "cuda-graphs" else 0
            said = {"frames compiled": frames, "graphs captured": graphs}
            return [f"{what}: {count}" for what, count in said.items() if count]

        yield found


def _frames() -> int:
    return counted().frames if "torch._dynamo.utils" in sys.modules else 0


def compiled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``function``, compiled at its first call for exactly the shapes it then meets."""
    made: Callable[[Any], Any] = torch.compile(function, dynamic=False)
    return made


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Settings of the compiler while something compiled is in use; undone on exit."""
    import torch._dynamo.config as dynamo
    import torch._inductor.config as inductor

    limits: Any = dynamo
    workers: Any = inductor
    with ExitStack() as stack:
        stack.enter_context(_cached(folder))
        stack.enter_context(_traceable())
        stack.enter_context(workers.patch(compile_threads=1))
        stack.enter_context(
            limits.patch(
                recompile_limit=VERSIONS,
                accumulated_recompile_limit=VERSIONS,
                fail_on_recompile_limit_hit=True,
            )
        )
        yield


@contextmanager
def _cached(folder: Path) -> Iterator[None]:
    """Let compilers keep what they make below ``folder``."""
    names = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(folder / place) for name, place in names.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _unlocked(prop: Any, instance: Any, owner: Any = None) -> Any:
    """``cached_property.__get__`` as from Python 3.12 on, without the lock around it."""
    if instance is None:
        return prop
    kept = instance.__dict__
    if prop.attrname not in kept:
        kept[prop.attrname] = prop.func(instance)
    return kept[prop.attrname]


@contextmanager
def _traceable() -> Iterator[None]:
    """Keep Python 3.11's lock in ``cached_property`` from breaking every graph it is used in.

    The blocks that methods look into are built of such properties, so methods would pay for
    breaks that are the interpreter's and not theirs.
    """
    if sys.version_info >= (3, 12):
        yield
        return
    kind: Any = functools.cached_property
    before = kind.__get__
    kind.__get__ = _unlocked
    try:
        yield
    finally:
        kind.__get__ = before
