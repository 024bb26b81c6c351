"""Notes which functions are called meanwhile, such as those that undo what is being measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def calls(holder: Any, names: Iterable[str]) -> Iterator[list[str]]:
    """Names of those functions of a module or a class that are called inside, as they are called.

    They do what they always do; names that the holder lacks are left out.
    """
    made: list[str] = []
    own = {name: getattr(holder, name) for name in names if hasattr(holder, name)}
    for name, call in own.items():
        setattr(holder, name, _noted(name, call, made))
    try:
        yield made
    finally:
        for name, call in own.items():
            setattr(holder, name, call)


def _noted(name: str, call: Callable[..., Any], made: list[str]) -> Callable[..., Any]:
    def noted(*args: Any, **more: Any) -> Any:
        made.append(name)
        return call(*args, **more)

    return noted
