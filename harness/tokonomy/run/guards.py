"""What a method must leave alone: this process, the inputs, earlier outputs, global state."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tokonomy.measure.arms import Predict
from tokonomy.measure.inputs import copied, equal
from tokonomy.measure.protocol import AGREE, SAME
from tokonomy.measure.settings import computing
from tokonomy.run.ending import Ended, ended
from tokonomy.run.job import FORKED
from tokonomy.store.observed import Flag


def _settings() -> dict[str, object]:
    """Process-wide settings of torch that change what is computed, or how fast."""
    return computing() | {
        "default dtype": torch.get_default_dtype(),
        "inference mode": torch.is_inference_mode_enabled(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "processors": os.sched_getaffinity(0),
        "flush denormal": float(torch.tensor(1e-40) * 1) == 0.0,
    }


def _generators() -> dict[str, object]:
    """State of every global random number generator."""
    numpy = np.random.get_state(legacy=False)
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (numpy["state"]["key"].tobytes(), numpy["state"]["pos"], numpy["has_gauss"]),
        "python": random.getstate(),
    } | _cuda_generators()


def _cuda_generators() -> dict[str, object]:
    cuda: Any = torch.cuda
    if not cuda.is_initialized():
        return {}
    return {"cuda": [state.numpy().tobytes() for state in cuda.get_rng_state_all()]}


def _threads() -> set[threading.Thread]:
    """Threads alive, without the monitors of progress bars, which libraries start by themselves."""
    alive = threading.enumerate()
    return {each for each in alive if not type(each).__module__.startswith("tqdm")}


class Surroundings:
    """This process as it was; ``check`` raises ``Ended`` where a method changed it."""

    def __init__(self, folder: Path) -> None:
        """Take the state as it is now."""
        self.folder, self._pid = folder, os.getpid()
        self._threads = _threads()
        self._directory = Path.cwd()
        self.renew()

    def renew(self) -> None:
        """Take the state again, after the harness itself changed it."""
        self._settings, self._generators = _settings(), _generators()

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Whatever changes inside is the harness's own doing."""
        before = _threads()
        yield
        self._threads |= _threads() - before
        self.renew()

    def alone(self) -> None:
        """End this process at once if it is a copy that a method made."""
        if os.getpid() != self._pid:
            (self.folder / FORKED).touch()
            os._exit(0)

    def check(self) -> None:
        """Raise if the process is not as it was."""
        self.alone()
        for reason, was, now in (
            ("settings-changed", self._settings, _settings()),
            ("rng-changed", self._generators, _generators()),
        ):
            changed = [name for name in was if was[name] != now.get(name)]
            if changed:
                raise Ended("invalid", reason, ", ".join(changed))

    def changed(self) -> list[str]:
        """Settings that are others now and change what is computed; quick, for inside of a call."""
        return [name for name, now in computing().items() if now != self._settings[name]]

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Let torch use so many threads for a while."""
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        self.renew()
        yield
        self.check()
        torch.set_num_threads(before)
        self.renew()

    def moved(self) -> list[Flag]:
        """A flag if the working directory is another one."""
        try:
            moved = Path.cwd() != self._directory
        except OSError:
            moved = True
        return [Flag(code="directory-changed")] if moved else []

    def close(self) -> None:
        """Raise if something that a method started is still there."""
        self.check()
        left = _threads() - self._threads
        if left:
            raise Ended("invalid", "left-threads", ", ".join(thread.name for thread in left))
        if (self.folder / FORKED).exists():
            raise Ended("invalid", "forked")


def called(predict: Predict, raised: str, around: Surroundings) -> Predict:
    """``predict`` with its exceptions turned into endings, and copies of the process ended.

    Costs both arms the same 0.2 µs a call.
    """

    def call(batch: Any) -> Any:
        try:
            output = predict(batch)
        except BaseException as error:
            around.alone()
            raise ended(error, raised) from None
        around.alone()
        return output

    return call


@dataclass(slots=True)
class Careful:
    """An untimed call of a method that checks what it must leave alone.

    Attributes:
        predict: The method's own function.
        around: The process.
        ids: Ids of the samples it was called with, in order.
    """

    predict: Predict
    around: Surroundings
    ids: list[int] = field(default_factory=list)
    _last: tuple[Tensor, Tensor] | None = None

    def __call__(self, batch: Any) -> Any:
        """The method's output on ``batch``."""
        kept = copied(batch)
        output = self.predict(batch)
        self.around.check()
        if not equal(batch, kept):
            raise Ended("invalid", "input-mutated")
        if self._last is not None and not same_bits(*self._last):
            raise Ended("invalid", "aliased-output", "an earlier output changed")
        self._last = (output, output.clone()) if isinstance(output, Tensor) else None
        self.ids += batch.ids.tolist()
        return output


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers, NaN equal to itself."""
    if not one.is_floating_point():
        return torch.equal(one, other)
    return bool(torch.equal(one.nan_to_num(), other.nan_to_num()))


def agree(one: Tensor, other: Tensor) -> list[bool]:
    """Whether each row of two outputs agrees, apart from what another batch size does to numbers.

    Integers, such as token ids, agree where they are equal.
    """
    one, other = one.flatten(1), other.flatten(1)
    if not one.is_floating_point():
        same: list[bool] = (one == other).all(1).tolist()
        return same
    share = max(AGREE, 8 * torch.finfo(one.dtype).eps)
    gap = (one.float() - other.float()).abs().amax(1)
    found: list[bool] = (gap <= share * other.float().abs().amax(1).clamp(min=1e-6)).tolist()
    return found


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two outputs agree within float tolerance of the largest."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    scale, share = float(other.abs().max()), max(SAME, 8 * torch.finfo(other.dtype).eps)
    return bool((one - other).abs().max() <= share * max(scale, 1e-6))
