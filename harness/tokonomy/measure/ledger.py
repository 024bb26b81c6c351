"""Tokens per layer and arithmetic, counted by watching every operator of an untimed pass.

A token counts where its row is multiplied with a block's own weight, whoever calls the multiply
and through whatever view of the weight. What a method says about itself is never asked.

Known limits: a weight that a method copied is another weight, and rows multiplied with it are not
seen (the arithmetic is); a token masked by multiplying with zero counts as worked on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from statistics import fmean
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from tokonomy.measure.arms import Predict
from tokonomy.measure.inputs import kept
from tokonomy.measure.protocol import STEADY_SAMPLES, UNSEEN
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Layer, Work

aten = torch.ops.aten

_MATMULS = {aten.mm: (0, 1), aten.bmm: (0, 1), aten.addmm: (1, 2), aten.baddbmm: (1, 2)}
_SOFTMAXES = (aten._softmax, aten._safe_softmax)
_BANNED = -1e4  # exp of it is 0 in float32, whatever is added to the logits of a trained model


class LayerWeights(Protocol):
    """The weights of one block at which tokens are counted."""

    @property
    def query(self) -> Parameter:
        """Makes queries of tokens."""

    @property
    def key(self) -> Parameter:
        """Makes keys of tokens."""

    @property
    def mlp(self) -> Parameter:
        """First of the MLP."""


def _cpu_attention(query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object) -> int:
    """Multiply-adds of attention on the CPU, times two; torch itself has no entry for it."""
    flops: int = sdpa_flop_count(query.shape, key.shape, value.shape)  # type: ignore[no-untyped-call] # torch
    return flops


def _flops(packet: Any) -> Callable[..., int] | None:
    if packet is aten._scaled_dot_product_flash_attention_for_cpu:
        return _cpu_attention
    return flop_registry.get(packet)


@dataclass(slots=True)
class _Count:
    """Rows that one block multiplied for one sample, and the keys that attention looked at."""

    query: float = 0.0
    key: float = 0.0
    mlp: float = 0.0
    attended: int = 0
    masked: int = 0

    def layer(self) -> Layer:
        """The counts; keys that were projected and never looked at are left out."""
        keys = min(self.key, self.attended) if self.attended else self.key
        return Layer(queries=self.query, keys=keys, mlp=self.mlp, masked=float(self.masked))


def _nothing() -> None:
    pass


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch
    """Sees each operator once, composite ones taken apart."""

    def __init__(self, layers: Sequence[LayerWeights], within: Callable[[], object]) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch
        self._within = within
        self.counts: list[_Count] = []
        self.flops = 0
        self.uncounted: set[str] = set()
        self._layers, self._current = layers, _Count()
        self._whole: dict[Any, Callable[..., int] | None] = {}
        self._weights: list[tuple[int, Tensor, list[tuple[int, str]]]] = _regions(layers)
        self._starts = [start for start, _, _ in self._weights]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in self._whole:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
            self._whole[func] = _flops(func._overloadpacket)
            if self._whole[func] is None and _computes(func):
                self.uncounted.add(str(func._overloadpacket))
        out = func(*args, **kwargs)
        formula = self._whole[func]
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=out)
        self._observe(func, args, kwargs, out)
        return out

    def start(self) -> None:
        """Begin a sample."""
        self.counts, self.flops = [_Count() for _ in self._layers], 0

    def _observe(self, func: Any, args: tuple[Any, ...], kwargs: Any, out: Any) -> None:
        packet = func._overloadpacket
        if packet in _MATMULS:
            self._within()
            left, right = (args[place] for place in _MATMULS[packet])
            self._multiplied(weight=right, rows=left.shape[:-1].numel())
            self._multiplied(weight=left, rows=math.prod(right.shape) // right.shape[-2])
        elif "scaled_dot_product" in str(packet):
            self._within()
            self._attended(args[1].shape[-2], _banned(_mask(func, args, kwargs)))
        elif packet in _SOFTMAXES and out.ndim == 4:
            zero = (out == 0).flatten(0, -2).all(0)
            self._attended(out.shape[-1], int(zero.sum()))

    def _multiplied(self, *, weight: Tensor, rows: int) -> None:
        start = weight.data_ptr()
        place = bisect_right(self._starts, start) - 1
        begin, whole, roles = self._weights[place]
        if not begin <= start < begin + whole.nbytes:
            return
        part = weight.shape[-1] * weight.shape[-2] / whole.numel()
        for index, role in roles:
            count = self.counts[index]
            setattr(count, role, getattr(count, role) + rows * part)
            self._current = count if role != "mlp" else self._current

    def _attended(self, keys: int, masked: int) -> None:
        """Credit the block whose queries or keys were made last; its widest look counts."""
        if keys >= self._current.attended:
            self._current.attended = keys
            self._current.masked = max(masked, self._current.masked)


def _regions(layers: Iterable[LayerWeights]) -> list[tuple[int, Tensor, list[tuple[int, str]]]]:
    """Each weight's place in memory, with the blocks and roles it stands for."""
    found: dict[int, tuple[int, Tensor, list[tuple[int, str]]]] = {}
    for index, layer in enumerate(layers):
        for role in ("query", "key", "mlp"):
            weight: Tensor = getattr(layer, role)
            start = weight.data_ptr()
            found.setdefault(start, (start, weight, []))[2].append((index, role))
    return sorted(found.values(), key=itemgetter(0))


def _mask(func: Any, args: tuple[Any, ...], kwargs: Any) -> Tensor | None:
    """What attention was told to leave out; its name and place differ between kernels."""
    names = [argument.name for argument in func._schema.arguments]
    given = dict(zip(names, args, strict=False)) | kwargs
    found = [given.get(name) for name in ("attn_mask", "attn_bias")]
    return next((mask for mask in found if isinstance(mask, Tensor)), None)


def _banned(mask: Tensor | None) -> int:
    """Keys that no query may look at."""
    if mask is None:
        return 0
    banned = ~mask if mask.dtype == torch.bool else mask <= _BANNED
    return int(banned.flatten(0, -2).all(0).sum())


def _computes(func: Any) -> bool:
    """Whether an operator works on numbers: views and fresh tensors do not."""
    view = any(part.alias_info and not part.alias_info.is_write for part in func._schema.returns)
    return not view and any("Tensor" in str(part.type) for part in func._schema.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one arm did and said for each sample; ``flops`` counts a multiply-add as two."""

    layers: list[list[Layer]]
    flops: list[int]
    uncounted: list[str]
    outputs: list[Any]

    def steady(self) -> bool:
        """Whether every sample took the same."""
        return len(set(self.flops)) == 1 and all(each == self.layers[0] for each in self.layers)


def count(
    predict: Predict,
    batches: Iterable[Any],
    layers: Sequence[LayerWeights],
    within: Callable[[], object] = _nothing,
) -> Tally:
    """Watch ``predict`` on batches of one sample each, until it is clear that all take the same.

    ``within`` is called at every multiply, for what can be seen inside of a call only.
    """
    watch = _Watch(layers, within)
    tally = Tally(layers=[], flops=[], uncounted=[], outputs=[])
    for batch in batches:
        watch.start()
        with watch:
            output = predict(batch)
        tally.outputs.append(kept(output))
        tally.layers.append([counted.layer() for counted in watch.counts])
        tally.flops.append(watch.flops)
        if len(tally.flops) == STEADY_SAMPLES and tally.steady():
            break
    return replace(tally, uncounted=sorted(watch.uncounted))


def _means(tally: Tally) -> list[Layer]:
    """Each block's counts, averaged over samples."""
    names = tuple(Layer.model_fields)
    return [
        Layer(**{name: fmean(getattr(each, name) for each in block) for name in names})
        for block in zip(*tally.layers, strict=True)
    ]


def work(method: Tally, reference: Tally) -> Work | Missing:
    """Both arms side by side; missing where an arm was not seen to work with the model's weights.

    A method that computes with weights of its own would count as no tokens at all, not as few.
    """
    plain = _means(reference)
    if not all(layer.queries and layer.keys and layer.mlp for layer in plain):
        return Missing(reason="uncounted-model", detail="the model's own weights saw no rows")
    ours = _means(method)
    if not any(layer.queries for layer in ours) or not any(layer.mlp for layer in ours):
        return Missing(reason="uncounted-method", detail="the model's own weights saw no rows")
    return Work(
        samples=len(method.flops),
        layers=ours,
        reference_layers=plain,
        flops=fmean(method.flops),
        reference_flops=fmean(reference.flops),
        uncounted=sorted({*method.uncounted, *reference.uncounted}),
    )


def undercounted(found: Work) -> bool:
    """Whether the arithmetic is far above what the counted tokens explain: weights were copied."""
    pairs = zip(found.layers, found.reference_layers, strict=True)
    shares = [max(a.queries / b.queries, a.keys / b.keys, a.mlp / b.mlp) for a, b in pairs]
    return found.flops > UNSEEN * fmean(shares) * found.reference_flops
