"""One method with many bad manners; ``act`` says which."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch._C import _len_torch_dispatch_stack

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Batch

CARD = MethodCard(
    id="naughty",
    title="Naughty",
    families=("vision",),
    summary="Misbehaves on request.",
    kind="training-free",
    lossless="lossy",
    effect="none",
    alters=(),
    sweep=({"act": "good"}, {"act": "hang"}, {"act": "exit"}, {"act": "nan"}),
)

Act = Callable[[VisionModel, Context], Predict]
ACTS: dict[str, Act] = {}


def act(function: Act) -> Act:
    ACTS[function.__name__] = function
    return function


def before(effect: Callable[[Batch], object]) -> Act:
    """An act that does something and then answers properly."""

    def prepare(model: VisionModel, context: Context) -> Predict:
        def predict(batch: Batch) -> Tensor:
            effect(batch)
            return model(batch)

        return predict

    return prepare


def after(change: Callable[[Tensor], object]) -> Act:
    """An act that answers something else."""

    def prepare(model: VisionModel, context: Context) -> Predict:
        return lambda batch: change(model(batch))  # type: ignore[return-value]

    return prepare


def sleep_forever(*_: object) -> None:
    while True:
        time.sleep(1)


def once(effect: Callable[[], object]) -> Callable[[object], object]:
    """Only on the first call."""
    left = [effect]
    return lambda _: left.pop()() if left else None


def fork_and_stay() -> None:
    if os.fork() == 0:
        sleep_forever()


def fork_away() -> None:
    """A daemon in the old style: its own session, its parent gone."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            sleep_forever()
        os._exit(0)
    os.waitpid(child, 0)


def leak(_: object) -> None:
    kept = []
    while True:
        kept.append(bytearray(8 << 20))


def leak_tensors(_: object) -> None:
    kept = []
    while True:
        kept.append(torch.ones(2 << 20))


def deaf(_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sleep_forever()


def mutate(batch: Batch) -> None:
    batch.pixels[0, 0, 0, 0] += 1


def forge(_: object) -> None:
    for folder in Path("/proc/self/fd").iterdir():
        target = folder.resolve()
        if target.name == "log":
            (target.parent / "outcome.json").write_text('{"status": "ok", "speed": 1000}')
    os._exit(0)


def start_thread() -> None:
    threading.Thread(target=sleep_forever, name="lingerer", daemon=True).start()


ACTS |= {
    "good": before(lambda _: None),
    "hang": before(sleep_forever),
    "busy": before(lambda _: [None for _ in iter(int, 1)]),
    "deaf": before(deaf),
    "stop": before(lambda _: os.kill(os.getpid(), signal.SIGSTOP)),
    "return_twice": before(lambda _: os.fork()),
    "fork_and_stay": before(once(fork_and_stay)),
    "fork_away": before(once(fork_away)),
    "segfault": before(lambda _: ctypes.string_at(0)),
    "kill_self": before(lambda _: os.kill(os.getpid(), signal.SIGKILL)),
    "abort": before(lambda _: os.abort()),
    "kill_supervisor": before(lambda _: os.kill(os.getppid(), signal.SIGKILL)),
    "exit": before(lambda _: sys.exit(0)),
    "exit_at_once": before(lambda _: os._exit(0)),
    "exit_badly": before(lambda _: os._exit(3)),
    "raise_in_predict": before(lambda _: 1 // 0),
    "interrupt": before(lambda _: signal.raise_signal(signal.SIGINT)),
    "leak": before(leak),
    "leak_tensors": before(leak_tensors),
    "ask_for_too_much": before(lambda _: torch.empty(1 << 45)),
    "print_much": before(lambda _: print("\x1b[31m" + "x" * 1_000_000)),
    "mutate": before(mutate),
    "torch_random": before(lambda _: torch.rand(1)),
    "numpy_random": before(lambda _: np.random.rand(1)),
    "python_random": before(lambda _: random.random()),
    "set_threads": before(lambda _: torch.set_num_threads(7)),
    "change_directory": before(lambda _: os.chdir("/")),
    "close_stdout": before(once(lambda: os.close(1))),
    "forge": before(forge),
    "start_thread": before(once(start_thread)),
    "nan": after(lambda logits: logits * float("nan")),
    "inf": after(lambda logits: logits / 0),
    "wrong_shape": after(lambda logits: logits[:, :-1]),
    "wrong_batch": after(lambda logits: logits[:1].expand(len(logits) + 1, -1)),
    "wrong_dtype": after(lambda logits: logits.double()),
    "not_a_tensor": after(lambda logits: logits.tolist()),
    "nothing": after(lambda logits: None),
}


@act
def raise_in_prepare(model: VisionModel, context: Context) -> Predict:
    raise KeyError("no such thing")


@act
def impossible(model: VisionModel, context: Context) -> Predict:
    raise BadParameter(f"r must be at most {model.patches}; got 1000")


@act
def unsupported(model: VisionModel, context: Context) -> Predict:
    raise Unsupported("needs a model of another kind")


@act
def calibrate(model: VisionModel, context: Context) -> Predict:
    next(context.calibration())
    return model


@act
def leave_patched(model: VisionModel, context: Context) -> Predict:
    patch = model.patched()
    predict = patch.__enter__()
    return lambda batch: (patch, predict(batch))[1]


@act
def leave_hook(model: VisionModel, context: Context) -> Predict:
    model.layers[0].register_forward_hook(lambda *_: None)
    return model


@act
def change_weights(model: VisionModel, context: Context) -> Predict:
    with torch.no_grad():
        model.module.classifier.bias.add_(0.01)
    return model


@act
def raise_in_close(model: VisionModel, context: Context) -> Predict:
    from contextlib import ExitStack

    stack = ExitStack()
    stack.callback(lambda: 1 // 0)
    context.enter(stack)
    return model


@act
def noisy(model: VisionModel, context: Context) -> Predict:
    own = torch.Generator().manual_seed(context.seed)
    return lambda batch: (lambda logits: logits + torch.randn(logits.shape, generator=own))(
        model(batch)
    )


@act
def remember(model: VisionModel, context: Context) -> Predict:
    answers: dict[bytes, Tensor] = {}

    def predict(batch: Batch) -> Tensor:
        key = batch.ids.numpy().tobytes()
        if key not in answers:
            answers[key] = model(batch)
        return answers[key].clone()

    return predict


@act
def reuse_output(model: VisionModel, context: Context) -> Predict:
    kept: dict[int, Tensor] = {}

    def predict(batch: Batch) -> Tensor:
        out = kept.setdefault(len(batch), torch.empty(len(batch), model.module.config.num_labels))
        return out.copy_(model(batch))

    return predict


@act
def cheat_when_single(model: VisionModel, context: Context) -> Predict:
    """Another answer for one image, as in the timed pass, than for many."""
    return lambda batch: -model(batch) if len(batch) == 1 else model(batch)


@act
def change_reference(model: VisionModel, context: Context) -> Predict:
    """Make every instance say something else."""
    context.enter(forward_of_every_model(lambda call, batch: call(batch) + 1))
    return lambda batch: model.module(batch.pixels).logits


@act
def slow_reference(model: VisionModel, context: Context) -> Predict:
    """Make every call but its own slow, and clean up nicely."""
    context.enter(forward_of_every_model(lambda call, batch: (time.sleep(0.02), call(batch))[1]))
    return lambda batch: model.module(batch.pixels).logits


@contextmanager
def forward_of_every_model(change: Callable[[Predict, Batch], Tensor]) -> Iterator[None]:
    own = VisionModel.__call__
    VisionModel.__call__ = lambda self, batch: change(partial(own, self), batch)  # type: ignore[method-assign]
    try:
        yield
    finally:
        VisionModel.__call__ = own  # type: ignore[method-assign]


@act
def answer_by_name(model: VisionModel, context: Context) -> Predict:
    """The answer depends on which sample it is, not on what it shows."""
    classes = model.module.config.num_labels
    return lambda batch: torch.eye(classes)[batch.ids % classes]


@act
def copied_weights(model: VisionModel, context: Context) -> Predict:
    other = deepcopy(model.module)
    return lambda batch: other(batch.pixels).logits


@act
def half_copied(model: VisionModel, context: Context) -> Predict:
    """Half of the blocks run with weights of its own."""
    other = deepcopy(model)
    for index, block in enumerate(model.layers):
        if index % 2:
            other.layers[index].load_state_dict(block.state_dict())
        else:
            other.encoder.layers[index] = block
    return other


class Later(Tensor):
    """A tensor that may be worked out when somebody looks."""


@act
def lazy(model: VisionModel, context: Context) -> Predict:
    return lambda batch: model(batch).as_subclass(Later)


@act
def cheat_when_counted(model: VisionModel, context: Context) -> Predict:
    """Fewer tokens while somebody counts."""
    few = context.enter(model.coarse((2, 2)))
    return lambda batch: few(batch) if _len_torch_dispatch_stack() else model(batch)


@act
def cheat_when_metered(model: VisionModel, context: Context) -> Predict:
    """An answer from before, as soon as another thread is there."""
    kept: list[Tensor] = []
    threads = threading.active_count()

    def predict(batch: Batch) -> Tensor:
        if threading.active_count() > threads:
            return -kept[0]
        kept[:] = [model(batch)]
        return kept[0].clone()

    return predict


@act
def change_kernel(model: VisionModel, context: Context) -> Predict:
    torch.backends.cuda.enable_flash_sdp(False)
    return model


@act
def switch_inside(model: VisionModel, context: Context) -> Predict:
    """Take a shortcut in arithmetic, and put everything back."""

    def predict(batch: Batch) -> Tensor:
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return model(batch)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False

    return predict


@act
def mix_settings(model: VisionModel, context: Context) -> Predict:
    """Set the same thing in another way, after which torch refuses to tell."""
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    return model


@act
def compile_itself(model: VisionModel, context: Context) -> Predict:
    return torch.compile(lambda batch: model(batch), backend="eager")


@act
def remember_compiled(model: VisionModel, context: Context) -> Predict:
    """Keep answers, but not where anybody calls it as it was written."""
    look_up = torch._dynamo.disable(remember(model, context))
    return lambda batch: look_up(batch) if torch.compiler.is_compiling() else model(batch)


@act
def hoard(model: VisionModel, context: Context) -> Predict:
    """Keep 64 MiB from the preparation on."""
    kept = torch.ones(16 << 20)
    return lambda batch: (kept, model(batch))[1]


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Naughty:
    """Does ``act``."""

    card: ClassVar[MethodCard] = CARD
    act: str = "good"

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Dispatch."""
        return ACTS[self.act](model, context)
