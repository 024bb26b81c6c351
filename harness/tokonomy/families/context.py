"""What a method gets besides the model, and what it owes: leaving the model as it found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tokonomy.errors import Unsupported

T = TypeVar("T")


def _no_calibration() -> Iterator[Any]:
    raise Unsupported("the method calibrates on training samples, and the task has no train split")


@dataclass(slots=True, kw_only=True)
class Context:
    """The surroundings of one ``prepare``; closing it undoes everything entered through it.

    Attributes:
        seed: The cell's seed; the only source of randomness a method may use.
        calibration: Gives batches of the task's training split, in order.
    """

    seed: int = 0
    calibration: Callable[[], Iterator[Any]] = _no_calibration
    _stack: ExitStack = field(default_factory=ExitStack)

    def enter(self, resource: AbstractContextManager[T]) -> T:
        """Enter ``resource`` now and leave it when the context closes."""
        return self._stack.enter_context(resource)

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)
