import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tokonomy.errors import BadParameter, InvalidOutput, Unsupported
from tokonomy.measure.compiling import unasked
from tokonomy.measure.modes import Executed, executed, prime

pytestmark = pytest.mark.filterwarnings(  # torch's compiler uses what torch itself deprecates
    "default::DeprecationWarning:torch", "default::FutureWarning:torch"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    ids: Tensor
    pixels: Tensor


def inputs(rows: int, seed: int = 0) -> Inputs:
    drawn = torch.Generator().manual_seed(seed)
    return Inputs(ids=torch.arange(rows), pixels=torch.randn(rows, 4, generator=drawn))


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Compiled code stays with a function's code, also from one test to the next."""
    torch._dynamo.reset()


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for the module, and the compiler's libraries are in."""
    folder = tmp_path_factory.mktemp("compiled")
    prime("compile", "cpu", cache=folder)
    return folder


def twice(batch: Inputs) -> Tensor:
    return (batch.pixels * 2 + 1).tanh()


def test_eager_is_the_function_itself() -> None:
    with executed(twice, [inputs(2)], "eager", "cpu") as found:
        assert found == Executed(predict=twice)
        assert found.compile_s is None
        assert found.recompiles() == 0


def test_cuda_graphs_are_impossible_without_a_gpu() -> None:
    called: list[Any] = []
    with pytest.raises(Unsupported, match=r"^mode-impossible: .*this one is cpu"):
        executed(called.append, [inputs(2)], "cuda-graphs", "cpu").__enter__()
    assert not called


def test_compiled_it_says_the_same_and_a_new_shape_is_a_recompilation(cache: Path) -> None:
    batches = [inputs(2), inputs(3), inputs(2, seed=1), inputs(3, seed=2)]
    with executed(twice, batches, "compile", "cpu", cache=cache) as found:
        assert found.compile_s is not None
        assert found.compile_s > 0
        assert (found.graphs, found.breaks) == (2, 0)
        for batch in batches:
            assert torch.allclose(found.predict(batch), twice(batch))
        assert found.recompiles() == 0
        found.predict(inputs(5))
        assert found.recompiles() == 1


def test_an_arm_that_is_made_ready_later_is_no_recompilation_of_the_first(cache: Path) -> None:
    def other(batch: Inputs) -> Tensor:
        return batch.pixels.sum(1)

    with executed(twice, [inputs(6)], "compile", "cpu", cache=cache) as first:
        with executed(other, [inputs(6)], "compile", "cpu", cache=cache) as second:
            second.predict(inputs(6, seed=1))
        assert (first.recompiles(), second.recompiles()) == (0, 0)


def test_many_layers_broken_into_pieces_are_all_compiled(cache: Path) -> None:
    """Dynamo's own limit is eight versions of a function, after which it gives up unsaid."""

    def layer(number: int) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            torch._dynamo.graph_break()
            return x * number

        return run

    layers = [layer(number) for number in range(1, 10)]

    def stack(batch: Inputs) -> Tensor:
        return functools.reduce(lambda x, run: run(x), layers, batch.pixels)

    with executed(stack, [inputs(2)], "compile", "cpu", cache=cache) as found:
        assert found.graphs >= len(layers)
        assert found.breaks > 0
        assert found.recompiles() == 0


class Looked:
    """Something with a property that is computed once, as a block's attention is."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    @functools.cached_property
    def weights(self) -> Tensor:
        return self.x.softmax(-1)


def test_cached_properties_break_nothing(cache: Path) -> None:
    before = functools.cached_property.__get__

    def look(batch: Inputs) -> Tensor:
        looked = Looked(batch.pixels)
        return looked.weights + looked.weights

    with executed(look, [inputs(2)], "compile", "cpu", cache=cache) as found:
        assert (found.graphs, found.breaks) == (1, 0)
    assert functools.cached_property.__get__ is before


def changing(batch: Inputs) -> Tensor:
    return batch.pixels + 1 if torch.compiler.is_compiling() else batch.pixels


class Patched(torch.nn.Module):
    """Puts something before a method of its own while it is called."""

    def scale(self) -> int:
        return 1

    def forward(self, batch: Inputs) -> Tensor:
        self.scale = lambda: 2
        try:
            return batch.pixels * self.scale()
        finally:
            del self.scale


def by_length(batch: Inputs) -> Tensor:
    """One version for each batch, as where token counts follow from the data."""
    return batch.pixels * int((batch.pixels > 0).sum())


@pytest.mark.parametrize(
    ("predict", "why"),
    [
        (changing, "gives other outputs than the function itself"),
        (by_length, "compiled anew"),
        (Patched(), "compiling it raised"),
    ],
    ids=["another function when compiled", "depends on the data", "cannot be traced"],
)
def test_what_cannot_be_compiled_is_told_from_a_failure(
    cache: Path, predict: Any, why: str
) -> None:
    batches = [inputs(8, seed=seed) for seed in range(4)]
    with pytest.raises(Unsupported, match=f"^mode-impossible: .*{why}"):
        executed(predict, batches, "compile", "cpu", cache=cache).__enter__()


def test_every_batch_is_tried_before_a_mode_is_handed_out(cache: Path) -> None:
    """The first batches are alike inside, by luck; a later one is not."""
    torch.compiler.reset()  # what other tests compiled
    batches = [*[inputs(8)] * 3, inputs(8, seed=1)]
    with pytest.raises(Unsupported, match=r"^mode-impossible: .*compiled anew"):
        executed(by_length, batches, "compile", "cpu", cache=cache).__enter__()


def test_what_gives_no_tensor_is_told_before_any_mode(cache: Path) -> None:
    for mode in ("compile", "cuda-graphs"):
        device = "cpu" if mode == "compile" else "cuda:0"
        with pytest.raises(InvalidOutput, match=r"^not-a-tensor: .*got list"):
            executed(
                lambda batch: batch.pixels.tolist(), [inputs(2)], mode, device, cache=cache
            ).__enter__()  # type: ignore[arg-type]


def test_errors_of_ours_say_themselves_what_they_are(cache: Path) -> None:
    @torch._dynamo.disable
    def refuse() -> None:
        raise BadParameter("r must be at most 3")

    def refusing(batch: Inputs) -> Tensor:
        if torch.compiler.is_compiling():
            refuse()
        return batch.pixels

    with pytest.raises(BadParameter, match="at most 3"):
        executed(refusing, [inputs(2)], "compile", "cpu", cache=cache).__enter__()


@pytest.mark.parametrize(
    ("mode", "found"), [("eager", True), ("compile", False), ("cuda-graphs", True)]
)
def test_what_compiles_itself_is_noticed_where_that_is_no_part_of_the_mode(
    mode: Any, found: bool
) -> None:
    def plain(batch: Inputs) -> Tensor:
        return batch.pixels + 1

    torch.compiler.reset()  # what was compiled for another mode
    with unasked(mode) as told:
        plain(inputs(2))
        assert told() == []
        torch.compile(plain, backend="eager")(inputs(2))
        assert told() == ["frames compiled: 1"] * found


def test_an_exception_of_the_functions_own_is_its_own(cache: Path) -> None:
    def broken(batch: Inputs) -> Tensor:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        executed(broken, [inputs(2)], "compile", "cpu", cache=cache).__enter__()


def test_no_memory_is_no_fault_of_the_mode(cache: Path) -> None:
    def large(batch: Inputs) -> Tensor:
        if torch.compiler.is_compiling():
            return torch.empty(1 << 55)
        return batch.pixels

    with pytest.raises(RuntimeError, match="allocate memory"):
        executed(large, [inputs(2)], "compile", "cpu", cache=cache).__enter__()


def test_settings_of_the_compiler_are_put_back(tmp_path: Path) -> None:
    import torch._dynamo.config as dynamo

    before = dict(os.environ), dynamo.recompile_limit
    with executed(twice, [inputs(4)], "compile", "cpu", cache=tmp_path):
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"].startswith(str(tmp_path))
        assert any((tmp_path / "inductor").iterdir())
    assert (dict(os.environ), dynamo.recompile_limit) == before
