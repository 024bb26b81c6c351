"""Putting a scripted driver behind ``pynvml``, and taking it away again.

Nothing in the product does this by itself; tests do, and whoever tries the product without a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokonomy.measure.clock import Clock, MonotonicClock
from tokonomy.measure.scripted.meter import true_energy_uj
from tokonomy.measure.scripted.player import Player
from tokonomy.measure.scripted.profile import Profile
from tokonomy.measure.scripted.standin import Standin

Kind = Literal["c", "python"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A scripted driver in place.

    Attributes:
        kind: Which of the two libraries.
        start_ns: Time of the clock that is second 0 of the script.
    """

    profile: Profile
    kind: Kind
    clock: Clock
    start_ns: int

    def true_energy_uj(self, gpu: int, since_ns: int, until_ns: int) -> int:
        """True energy of a GPU between two times of the clock, microjoules."""
        times = (since_ns - self.start_ns, until_ns - self.start_ns)
        return true_energy_uj(self.profile.gpus[gpu], *times)


@contextmanager
def installed(
    profile: Profile,
    *,
    kind: Kind | None = None,
    clock: Clock | None = None,
    library: Path | None = None,
) -> Iterator[Installed]:
    """Have ``pynvml`` talk to a scripted driver.

    Args:
        profile: What the driver plays.
        kind: Which library; None takes the C one where there is a compiler.
        clock: Time of the script, from now on; one that can be advanced is moved by what takes
            time, such as a slow read. Real monotonic time if left out.
        library: A library that was built before; else one is built, once in a process.
    """
    import pynvml

    from tokonomy.measure.scripted import library as c

    if getattr(pynvml.CDLL, "scripted", False):
        raise RuntimeError("expected no scripted driver in place, got one; leave it first")
    clock = clock or MonotonicClock()
    kind = kind or ("c" if library or c.compiler() else "python")
    start_ns = clock.now()
    behind: Any
    if profile.absent:
        behind = None
    elif kind == "c":
        behind = c.opened(library or c.built(), profile, clock, start_ns)
    else:
        behind = Standin(Player(profile, clock, start_ns))
    with _swapped(pynvml, behind):
        yield Installed(profile=profile, kind=kind, clock=clock, start_ns=start_ns)


@contextmanager
def _swapped(pynvml: Any, library: Any) -> Iterator[None]:
    """Replace the module's library, its count of users and its caches for a while."""
    cache: dict[str, Any] = pynvml._nvmlGetFunctionPointer_cache
    texts: dict[int, str] = pynvml.NVMLError._errcode_to_string
    before = (pynvml.nvmlLib, pynvml._nvmlLib_refcount, pynvml.CDLL, dict(cache), dict(texts))
    pynvml.nvmlLib, pynvml._nvmlLib_refcount = library, 0
    pynvml.CDLL = _loader(library)
    cache.clear()
    try:
        yield
    finally:
        pynvml.nvmlLib, pynvml._nvmlLib_refcount, pynvml.CDLL = before[:3]
        cache.clear()
        cache.update(before[3])
        texts.clear()
        texts.update(before[4])


def _loader(library: Any) -> Callable[..., Any]:
    """What stands for ``CDLL`` meanwhile, so that the machine's own driver is never loaded."""

    def load(name: str, *more: Any, **options: Any) -> ctypes.CDLL:
        if library is None:
            raise OSError(f"{name}: cannot open shared object file: scripted to be absent")
        return library  # type: ignore[no-any-return]  # either library: what pynvml keeps

    load.scripted = True  # type: ignore[attr-defined]  # tells that one is in place
    return load
