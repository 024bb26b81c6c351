"""Several sequences that a draft model thinks may follow one text, and what stands of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokonomy.families.language.model import Reader
from tokonomy_methods.decoding.drafts import Draft
from tokonomy_methods.decoding.kseq import best_rho, kseq
from tokonomy_methods.decoding.laws import Uniform, drawn, law


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """Sequences drawn independently from a draft model.

    Attributes:
        tokens: k sequences of n tokens.
        laws: What each token was drawn from, float64 [n, k, V].
    """

    tokens: Sequence[Sequence[int]]
    laws: Tensor


def branched(
    reader: Reader,
    unread: Sequence[int],
    shape: tuple[int, int],
    temperature: float,
    uniform: Uniform,
) -> Branches:
    """Draw sequences after a text; the cache then has a row for each, their last token unread.

    Args:
        reader: The draft model, amid one text.
        unread: Tokens of that text it has not read, at least one.
        shape: Number of sequences and tokens of each, both at least 1.
        temperature: Of the law that is drawn from.
        uniform: Random numbers.
    """
    count, length = shape
    logits = reader.next(torch.tensor([unread], device=_device(reader)))[:, -1]
    reader.cache.batch_repeat_interleave(count)
    logits = logits.expand(count, -1)
    laws, drafts = list[Tensor](), list[Tensor]()
    for place in range(length):
        laws.append(law(logits, temperature))
        drafts.append(drawn(laws[-1], uniform(count)))
        if place + 1 < length:
            logits = reader.next(drafts[-1][:, None])[:, 0]
    return Branches(tokens=torch.stack(drafts, 1).tolist(), laws=torch.stack(laws))


def rewound(reader: Reader, branch: int, right: int, of: int) -> None:
    """Go on with one branch alone, ``right`` of whose ``of`` tokens are kept."""
    reader.cache.batch_select_indices(torch.tensor([branch], device=_device(reader)))
    reader.keep(range(right), of=of)


def _device(reader: Reader) -> torch.device:
    device: torch.device = next(reader.model.module.parameters()).device
    return device


def merged(sequences: Sequence[Sequence[int]]) -> tuple[Draft, list[list[int]]]:
    """Sequences as a tree in which common beginnings stand once; the nodes of each sequence."""
    nodes: dict[tuple[int, ...], int] = {(): -1}
    places: list[list[int]] = []
    for sequence in sequences:
        starts = [tuple(sequence[:end]) for end in range(1, len(sequence) + 1)]
        places.append([nodes.setdefault(start, len(nodes) - 1) for start in starts])
    found = list(nodes)[1:]
    parents = [nodes[start[:-1]] for start in found]
    return Draft(tokens=[start[-1] for start in found], parents=parents), places


def verified(drafts: Branches, laws: Sequence[Tensor], uniform: Uniform) -> tuple[list[int], int]:
    """The tokens that the text grows by, at least one, each drawn by K-SEQ from those still alive.

    Sequences that do not begin with what stands are out. What follows in the others was drawn
    independently of how the choice fell, so K-SEQ holds for them anew.

    Args:
        drafts: Sequences of n tokens.
        laws: For each sequence, what the model says before and after its tokens, [n + 1, V].
        uniform: Random numbers.

    Returns:
        The tokens, and a sequence that begins with all of them but the last, or with all.
    """
    alive, grown = list(range(len(drafts.tokens))), list[int]()
    for place, before in enumerate(drafts.laws):
        p, q = laws[alive[0]][place], before[alive[0]]
        tokens = [drafts.tokens[branch][place] for branch in alive]
        rho = best_rho(p, q, len(tokens))
        token, stands = kseq(p, q, tokens, rho, uniform(len(tokens) + 1))
        grown.append(token)
        if not stands:
            return grown, alive[0]
        alive = [branch for branch in alive if drafts.tokens[branch][place] == token]
    after = laws[alive[0]][-1]
    return [*grown, int(drawn(after, uniform(1)[0]))], alive[0]
