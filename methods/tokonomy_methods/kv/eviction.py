"""Eviction: rows of the cache with the lowest scores are dropped, in memory as well."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.kv import select
from tokonomy_methods.kv.budget import check_share, check_whole, share
from tokonomy_methods.kv.reader import Forgetful
from tokonomy_methods.kv.seen import Seen, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction:
    """What policies share: how many rows each block keeps; a policy says which, by ``score``.

    Attributes:
        keep: Share of the prompt's rows that each block keeps, rounded down; 0.5 where neither
            this nor ``budget`` is given. 1 keeps whatever comes.
        budget: Rows that each block keeps, as a number.
        question: Tokens at the end of the prompt that are not seen when it is compressed, and read
            afterwards. 0 is query-aware: the whole prompt, the question at its end included; the
            first token of an answer then still comes from the whole cache. With 1 all of a
            question but its last token is seen, and no token comes from the whole cache. As many
            as the question has is query-agnostic.
    """

    keep: float | None = None
    budget: int | None = None
    question: int = 0
    card: ClassVar[MethodCard]

    def __post_init__(self) -> None:
        if self.keep is not None and self.budget is not None:
            raise BadParameter("keep and budget exclude each other; give one of them")
        if self.keep is not None:
            check_share("keep", self.keep)
            if self.keep == 0:
                raise BadParameter("keep must be above 0; got 0")
        check_whole("question", self.question)
        if self.budget is not None:
            check_whole("budget", self.budget, 1)
            if sum(self.pins(self.budget)) > self.budget:
                raise BadParameter(self._too_few("budget", self.budget))

    @property
    def ratio(self) -> float:
        """The share of rows that is kept where no number is given."""
        return 0.5 if self.keep is None else self.keep

    @property
    def steps(self) -> bool:
        """Whether it evicts after every token of an answer too."""
        return False

    @property
    def masks(self) -> bool:
        """Whether it hides rows in place of dropping them."""
        return False

    def pins(self, room: int) -> tuple[int, int]:
        """First and last rows that always stay, where there is room for so many."""
        return 0, 0

    def room(self, state: State) -> int:
        """Rows that a block may hold; raises ``Unsupported`` where a share is too few."""
        if self.budget is not None:
            return self.budget
        return sys.maxsize if self.ratio == 1 else self.fitting(share(self.ratio, state.prompt))

    def fitting(self, room: int) -> int:
        """``room``, if the pinned rows fit in; raises ``Unsupported``."""
        if sum(self.pins(room)) > room:
            raise Unsupported(f"budget below pinned: {self._too_few('the share', room)}")
        return room

    def score(self, seen: Seen) -> Tensor:
        """What each row is worth, [B, H or 1, L], higher is kept."""
        raise NotImplementedError

    def chosen(self, scores: Tensor, room: int) -> Tensor:
        """Rows that stay, fewer than there are: the pinned and the best, [B, H or 1, room]."""
        return select.top(select.pinned(scores, *self.pins(room)), room)

    def after(self, seen: Seen) -> None:
        """Drop all other rows where there are too many."""
        room = self.room(seen.state)
        if room < seen.held:
            seen.drop(self.chosen(self.score(seen), room))

    def mask(self, seen: Seen) -> Tensor | None:
        """Nothing is hidden: what is not kept is gone."""
        return None

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with a cache that forgets; it is patched only while it is called."""
        return Forgetful(
            module=model.module, tokenizer=model.tokenizer, policy=self, seed=context.seed
        )

    def _too_few(self, name: str, room: int) -> str:
        first, last = self.pins(room)
        return f"{name} must hold {first} first and {last} last rows; got {room}"
