"""What every task owes, whoever wrote it: parametrised over the whole catalogue."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadData
from tokonomy.families import load_family
from tokonomy.families.contract import Family

REGISTRY = catalogue("task")
TASKS = sorted(
    name
    for name, entry in REGISTRY.entries.items()
    if entry.module.startswith("tokonomy_tasks.") and not entry.card.parameters
)


def of(name: str) -> Family:
    return load_family(REGISTRY.card(name).families[0])


@pytest.mark.parametrize("name", TASKS)
def test_a_split_is_the_same_every_time(name: str) -> None:
    data, again = (of(name).open(name) for _ in range(2))
    assert len(data) == len(again) > 0
    assert data.data_hash == again.data_hash == of(name).describe_task(name).data_hash


@pytest.mark.parametrize("name", TASKS)
def test_what_is_learned_from_is_not_what_is_asked(name: str) -> None:
    splits = [split for split in ("train", "test") if can_open(name, split)]
    assert splits[-1] == "test"
    opened = [of(name).open(name, split) for split in splits]
    assert all(len(data) > 0 for data in opened)
    assert len({data.data_hash for data in opened}) == len(splits)


def can_open(name: str, split: str) -> bool:
    """Whether a task has a split; one without a train split refuses it."""
    try:
        of(name).open(name, split)
    except BadData:
        return False
    return True


@pytest.mark.parametrize("name", TASKS)
def test_a_split_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadData, match="split"):
        of(name).open(name, "validation-of-nothing")


def tensors(batch: Any) -> list[torch.Tensor]:
    values = (getattr(batch, field.name) for field in fields(batch))
    return [value for value in values if isinstance(value, torch.Tensor)]


@pytest.mark.parametrize("name", TASKS)
def test_a_model_of_its_card_is_fed_the_same_every_time(name: str) -> None:
    family, models = of(name), REGISTRY.card(name).models
    assert models, "name an embedded model that answers it"
    model, data = family.load(models[0], device="cpu", precision="fp32"), family.open(name)
    family.check(model, data)
    first, again = (next(iter(family.batches(model, data, 2, indices=[0, 1]))) for _ in range(2))
    assert len(first) == min(2, len(data))
    assert tensors(first)
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(again), strict=True))


@pytest.mark.parametrize("name", TASKS)
def test_a_card_says_what_a_reader_needs(name: str) -> None:
    card = REGISTRY.card(name)
    assert all((card.title, card.summary, card.metric, card.source, card.licence, card.split))
