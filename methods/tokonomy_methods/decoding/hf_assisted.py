"""Assisted generation as transformers does it: a smaller model drafts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.alone import alone
from tokonomy_methods.decoding.draft_model import draft_model
from tokonomy_methods.decoding.generation import Settings, generate, plain
from tokonomy_methods.decoding.parameters import real, whole

CARD = MethodCard(
    id="hf-assisted",
    title="Assisted generation (transformers)",
    families=("decoding",),
    summary="transformers' own assisted generation: a smaller model of the same vocabulary drafts, "
    "as far as it is sure of itself.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1", "a smaller model of the same vocabulary"),
    paper="2211.17192",
    code="huggingface/transformers",
    code_licence="Apache-2.0",
    differences=(
        "None in the rule: generate() of the installed transformers is called, greedily. Its loop "
        "around both models is part of what is measured.",
        "Number of tokens, schedule (constant) and confidence threshold are set anew for each "
        "request. In transformers what a request changes in them can carry over to the next.",
        "scikit-learn is installed with the harness, so transformers moves the threshold within a "
        "request, to where false alarms plus three times the misses are fewest so far.",
        "Drafters of another vocabulary, which transformers can translate, are refused, and so are "
        "those larger than the model.",
        "Generation settings that come with a checkpoint, such as sampling or penalties, are laid "
        "aside.",
    ),
    claims=(
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="68M drafter, transformers 4.37.1, greedy, fp16",
            metric="speed-up",
            value=1.52,
            unit="x",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="68M drafter, transformers 4.37.1, greedy, fp16",
            metric="acceptance length",
            value=2.28,
            unit="tokens",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
    ),
    sweep=(
        {"tokens": 2},
        {"tokens": 4},
        {"tokens": 8},
        {"tokens": 20},
        {"tokens": 8, "threshold": 0.0},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class HfAssisted:
    """Let a smaller model draft.

    Attributes:
        tokens: Length of a draft at most.
        threshold: Probability below which the drafter's own token is its last of a draft; 0 for no
            such limit.
        draft: The drafter: an embedded model, or ``hf:`` and a folder or repository.
    """

    tokens: int = 20
    threshold: float = 0.4
    draft: str = "docs-draft"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("tokens", self.tokens, 1, 1024)
        real("threshold", self.threshold, 0, 1)
        if not isinstance(self.draft, str) or not self.draft:
            raise BadParameter(f"draft must be a model's id or hf:<folder>; got {self.draft!r}")

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model as transformers drives it, with its drafter beside it."""
        drafter = draft_model(self.draft, model)
        context.enter(plain(model))

        def answer(batch: Batch) -> Sequence[int]:
            drafter.module.generation_config = Settings(
                num_assistant_tokens=self.tokens,
                num_assistant_tokens_schedule="constant",
                assistant_confidence_threshold=self.threshold,
            )
            return generate(model, batch, {}, assistant_model=drafter.module)

        return alone(model, answer)
