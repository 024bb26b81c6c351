"""What every family does alike: finding tasks and models, telling whether a model was changed."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadParameter
from tokonomy.store.cell import ModelRef, TaskRef


def task_of(ref: str) -> tuple[str, Any]:
    """Id and instance of a task reference, ``<id>`` or ``<id>:<argument>``."""
    name, _, argument = ref.partition(":")
    tasks = catalogue("task")
    names = tasks.card(name).parameters
    if argument and not names:
        raise BadParameter(f"task {name!r} takes no argument; got {argument!r}")
    if names and not argument:
        raise BadParameter(f"task {name!r} is given as {name}:<{names[0]}>; got no {names[0]}")
    return name, tasks.build(name, {names[0]: argument} if argument else {})


def task_ref(ref: str, samples: int, data_hash: str) -> TaskRef:
    """Identity of a task's test split."""
    name = ref.partition(":")[0]
    return TaskRef(
        id=name,
        ref=ref,
        split="test",
        samples=samples,
        data_hash=data_hash,
        source_hash=catalogue("task").source_hash(name),
    )


def model_ref(ref: str, weights_hash: str) -> ModelRef:
    """Identity of a model's weights."""
    embedded = not ref.startswith("hf:")
    name = ref if embedded else ref.removeprefix("hf:").rstrip("/").rpartition("/")[2]
    return ModelRef(id=name, ref=ref, embedded=embedded, weights_hash=weights_hash)


def models_for(task_ref: str) -> tuple[str, ...]:
    """Embedded models of a task."""
    models: tuple[str, ...] = catalogue("task").card(task_ref.partition(":")[0]).models
    return models


def fingerprint(module: Any) -> str:
    """Weights, module types, instance attributes and hooks, as one SHA-256."""
    digest = hashlib.sha256()
    for name, part in module.named_modules():
        hooks = [len(value) for key, value in vars(part).items() if key.endswith("_hooks")]
        names = sorted(key for key in vars(part) if not key.startswith("__"))
        kind = (type(part), id(type(part).forward), part.training)
        digest.update(f"{name} {kind} {names} {hooks}".encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
