"""Draft, read the draft in one pass, keep what the model would have said itself.

The drafter guesses, ``verify`` decides, the reader forgets what did not stand; none of the three
knows the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.alone import alone, can_forget
from tokonomy_methods.decoding.drafts import Drafter
from tokonomy_methods.decoding.verify import ended, greedy

NewDrafter = Callable[[], Drafter]
"""A drafter for one request, as if there had been none since the method was prepared."""


def speculative(model: LanguageModel, new_drafter: NewDrafter) -> Predict:
    """Decode greedily with drafts, one request at a time; the answer is the model's own."""
    can_forget(model)

    def drafted(batch: Batch) -> Sequence[int]:
        return answer(model, batch, batch.prompt[0].tolist(), new_drafter())

    return alone(model, drafted)


def answer(
    model: LanguageModel, batch: Batch, tokens: Sequence[int], drafter: Drafter
) -> list[int]:
    """The tokens that follow a prompt."""
    reader = model.read(batch)
    text, device = list(tokens), batch.prompt.device
    said = int(reader.prompt(batch).argmax())
    grown = [said]
    while len(grown) < batch.length and grown[-1] not in batch.ends:
        draft = drafter.propose([*text, *grown]).until(batch.length - len(grown) - 1)
        fed = [grown[-1], *draft.tokens]
        rows = torch.tensor([fed], device=device)
        logits = reader.tree(rows, draft.tree.rooted)[0]
        nodes, new = greedy(draft, logits)
        reader.keep([0, *(node + 1 for node in nodes)], of=len(fed))
        new = ended(new, batch.ends)
        drafter.observe(fed, logits, new)
        grown += new
    return grown
