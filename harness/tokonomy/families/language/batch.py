"""What a language model is asked: to go on with a prompt, or how likely a continuation is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Requests of one kind, fed together.

    Where there is nothing ``given``, the output is the tokens that follow, int64 [B, length], with
    -1 after the end. Otherwise it is, for each given token, its log-probability after all before
    it and whether it is the likeliest (1 or 0), float32 [B, F, 2].

    Attributes:
        ids: Place of each request in the split, int64 [B].
        prompt: Token ids, int64 [B, T], padded on the left.
        present: False where a prompt is padding, bool [B, T].
        given: Continuations to be scored, int64 [B, F], -1 where one is short; F is 0 for none.
        length: Tokens wanted at most.
        ends: Tokens that end an answer.
    """

    ids: Tensor
    prompt: Tensor
    present: Tensor
    given: Tensor
    length: int = 0
    ends: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.ids.shape[0]

    @property
    def scores(self) -> bool:
        """Whether a continuation is given."""
        return self.given.shape[1] > 0

    @property
    def padded(self) -> bool:
        """Whether prompts differ in length."""
        return not bool(self.present.all())
