"""A second, smaller model that drafts for the first."""

from __future__ import annotations

from tokonomy.errors import Unsupported
from tokonomy.families import checkpoints
from tokonomy.families.language import loading
from tokonomy.families.language.model import LanguageModel


def size(model: LanguageModel) -> int:
    """Number of weights; those that are tied count once."""
    return sum(weight.numel() for weight in model.module.parameters())


def fits(draft: LanguageModel, target: LanguageModel) -> None:
    """Raise ``Unsupported`` where one cannot draft for the other, or would cost more than it."""
    if draft.vocabulary != target.vocabulary:
        raise Unsupported(
            f"vocabulary-mismatch: expected a draft model of {target.vocabulary} tokens as the "
            f"model's; got one of {draft.vocabulary}"
        )
    if size(draft) > size(target):
        raise Unsupported(
            f"draft-too-large: expected a draft model of at most the model's {size(target)} "
            f"weights; got one of {size(draft)}"
        )


def draft_model(ref: str, target: LanguageModel) -> LanguageModel:
    """A draft model of the target's precision, on its device; where that is none, its shape only.

    Args:
        ref: An embedded id or ``hf:<repository or folder>``.
        target: The model that it drafts for.
    """
    shape = loading.skeleton(ref)
    fits(shape, target)
    weight = next(target.module.parameters())
    if weight.device.type == "meta":
        return shape
    names = {kind: name for name, kind in checkpoints.PRECISIONS.items()}
    return loading.load(ref, device=str(weight.device), precision=names[weight.dtype])
