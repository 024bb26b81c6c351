"""How both arms are executed: as written, compiled, or replayed from a captured CUDA graph.

Invariants: the plain function is called on every batch first, so that an exception of its own is
never laid at the mode's door; whatever fails after that is a mode that this function cannot take,
and is ``Unsupported`` with the code ``mode-impossible``; every shape is made ready, and every batch
tried, before the mode is handed out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from tokonomy.errors import InvalidOutput, TokonomyError, Unsupported, lacks_memory
from tokonomy.measure import compiling
from tokonomy.measure.arms import Predict
from tokonomy.measure.graphs import Captured, capture
from tokonomy.measure.inputs import Shape, shape
from tokonomy.measure.protocol import AGREE
from tokonomy.store.fields import Mode


def _never() -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A function in its mode.

    Attributes:
        predict: What is timed.
        compile_s: Seconds to compile or capture every shape, its first calls included; None in
            eager mode. Libraries and caches on disk are as cold or warm as the caller left them.
        graphs: Graphs that were compiled or captured.
        breaks: Places where a compiled function goes back to Python.
        recompiles: Compilations since, of this function or of another in the same process.
    """

    predict: Predict
    compile_s: float | None = None
    graphs: int = 0
    breaks: int = 0
    recompiles: Callable[[], int] = _never


@contextmanager
def executed(
    predict: Predict,
    batches: Sequence[Any],
    mode: Mode,
    device: str,
    *,
    cache: Path | None = None,
) -> Iterator[Executed]:
    """``predict`` in a mode, ready for every shape among ``batches``.

    Args:
        predict: Maps a batch to a tensor.
        batches: Those it will be called on.
        mode: How it is executed.
        device: Where.
        cache: Folder for compiled code, both arms of a run using one of its own, so that no time
            to compile is somebody else's cache hit; None makes one for this call alone.

    Raises:
        Unsupported: The device or the function cannot be executed so.
        InvalidOutput: The function does not give tensors.
    """
    if mode == "eager":
        yield Executed(predict=predict)
        return
    if mode == "cuda-graphs" and not device.startswith("cuda"):
        _impossible(f"CUDA graphs are made on a CUDA device; this one is {device}")
    examples = _examples(batches)
    plain = {key: [_plain(predict, batch) for batch in some] for key, some in examples.items()}
    if mode == "cuda-graphs":
        yield _captured(predict, examples, plain, device)
        return
    with _compiler(cache):
        yield _compiled(predict, examples, plain)


def prime(mode: Mode, device: str, *, cache: Path | None = None) -> None:
    """Bring in the compiler's own libraries, which any first compilation would.

    Called before a baseline of memory is taken, so that they are not laid at a method's door.
    """
    if mode == "compile":
        with _compiler(cache):
            compiling.compiled(lambda x: x * 2 + 1)(torch.ones(4, device=device))


@contextmanager
def _compiler(cache: Path | None) -> Iterator[None]:
    """The compiler's settings, and its cache in a folder, by default one for this time alone."""
    with ExitStack() as stack:
        folder = cache or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compiled-")))
        stack.enter_context(compiling.settled(folder))
        yield


def _examples(batches: Sequence[Any]) -> dict[Shape, list[Any]]:
    """Batches by shape: the first is to make ready with, all are to try it on.

    All, because sizes inside a function may depend on its data and happen to be alike in some.
    """
    found: dict[Shape, list[Any]] = {}
    for batch in batches:
        found.setdefault(shape(batch), []).append(batch)
    return found


def _plain(predict: Predict, batch: Any) -> Tensor:
    """What the function itself gives."""
    output = predict(batch)
    if type(output) is not Tensor:
        raise InvalidOutput(f"not-a-tensor: expected a tensor; got {type(output).__name__}")
    return output.clone()


def _impossible(why: str) -> NoReturn:
    raise Unsupported(f"mode-impossible: {why}")


def _tried(doing: str, work: Callable[..., Any], *arguments: Any) -> Any:
    """What ``work`` gives; anything it raises is the mode's fault.

    But for a lack of memory, and for errors of ours, which say themselves what they are.
    """
    try:
        return work(*arguments)
    except TokonomyError:
        raise
    except Exception as error:  # compilers and drivers raise whatever they like
        if lacks_memory(error):
            raise
        line = (str(error).strip().splitlines() or [""])[0]
        _impossible(f"{doing} raised {type(error).__name__}: {line}")


def _check(output: object, plain: Tensor, doing: str) -> None:
    """Raise where an output is not what the plain function gave for the same batch."""
    if not isinstance(output, Tensor):
        _impossible(f"{doing} gives no tensor")
    scale = float(plain.abs().max().clamp(min=1e-6))
    share = max(AGREE, 8 * torch.finfo(plain.dtype).eps)
    if output.shape != plain.shape or float((output - plain).abs().max()) > share * scale:
        _impossible(f"{doing} gives other outputs than the function itself")


def _compiled(
    predict: Predict, examples: dict[Shape, list[Any]], plain: dict[Shape, list[Tensor]]
) -> Executed:
    before, begun = compiling.counted(), time.perf_counter()
    with compiling.planned():
        function = compiling.compiled(predict)
        for some in examples.values():
            for _ in range(2):  # what is kept from a first call may change what a second one does
                _tried("compiling it", function, some[0])
    compile_s, made = time.perf_counter() - begun, compiling.counted()
    recompiles = compiling.counter()
    for key, some in examples.items():
        for batch, wanted in zip(some, plain[key], strict=True):
            _check(_tried("calling it compiled", function, batch), wanted, "compiled, it")
        if recompiles():
            _impossible("batches of one shape are compiled anew: its shapes depend on the data")
    return Executed(
        predict=function,
        compile_s=compile_s,
        graphs=made.graphs - before.graphs,
        breaks=made.breaks - before.breaks,
        recompiles=recompiles,
    )


def _captured(
    predict: Predict,
    examples: dict[Shape, list[Any]],
    plain: dict[Shape, list[Tensor]],
    device: str,
) -> Executed:
    begun = time.perf_counter()
    made: dict[Shape, Captured] = {}
    for key, some in examples.items():
        made[key] = _tried("capturing it", capture, predict, some[0], device)
    torch.cuda.synchronize(device)
    compile_s = time.perf_counter() - begun

    def replay(batch: Any) -> Any:
        return made[shape(batch)](batch)

    for key, some in examples.items():
        for batch, wanted in zip(some, plain[key], strict=True):
            _check(_tried("replaying it", replay, batch), wanted, "replayed, it")
    return Executed(predict=replay, compile_s=compile_s, graphs=len(made))
