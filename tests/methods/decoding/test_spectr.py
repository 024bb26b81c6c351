"""Several drafts of a small model: the law of sequences, the trees, and the method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor

from languages import make_module, make_tokenizer, write_language
from prompts import TEXTS, scored, tiny, written
from tokonomy.errors import BadParameter, UnknownId, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.contract import Reading
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding import branches
from tokonomy_methods.decoding.branches import Branches, branched, merged, rewound, verified
from tokonomy_methods.decoding.draft_model import draft_model, size
from tokonomy_methods.decoding.kseq import residual
from tokonomy_methods.decoding.laws import law, uniforms
from tokonomy_methods.decoding.spectr import SpecTr

Outcome = tuple[object, float]


def every_run(run: Callable[[Callable[[list[Outcome]], object]], None]) -> Iterator[float]:
    """Call ``run`` once for each way that its choices may fall; the probability of each way."""
    waiting: list[list[int]] = [[]]
    while waiting:
        script = waiting.pop()
        place, likely = 0, 1.0

        def choose(offered: list[Outcome], script: list[int] = script) -> object:
            nonlocal place, likely
            if place == len(script):
                waiting.extend([*script, other] for other in range(1, len(offered)))
                script.append(0)
            value, share = offered[script[place]]
            place, likely = place + 1, likely * share
            return value

        run(choose)
        yield likely


def outcomes(p: Tensor, q: Tensor, drafts: Sequence[int], rho: float) -> list[Outcome]:
    """What K-SEQ may give for these drafts, by its rule."""
    found: list[Outcome] = []
    left = 1.0
    for token in drafts:
        share = min(1.0, float(p[token] / (rho * q[token])))
        found.append(((token, True), left * share))
        left *= 1 - share
    rest = residual(p, q, len(drafts), rho)
    parts = rest / rest.sum() if left > 0 else rest
    found += [((token, False), left * float(part)) for token, part in enumerate(parts)]
    return [(value, share) for value, share in found if share > 0]


@pytest.mark.parametrize(("vocabulary", "count"), [(3, 1), (3, 2), (2, 3)])
def test_sequences_follow_the_models_law(
    vocabulary: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All drafts of two tokens, all ways that choices may fall: the law of the text is p's.

    What is put out has one to three tokens; the law of a text is that of what it begins with,
    times p for what is not put out yet.
    """
    length = 2
    draw = torch.Generator().manual_seed(count)
    tables = torch.randn(2, 13, vocabulary, generator=draw, dtype=torch.float64).softmax(-1)
    texts = [text for n in range(3) for text in product(range(vocabulary), repeat=n)]
    p, q = ({text: table[at] for at, text in enumerate(texts)} for table in tables)
    found = torch.zeros(vocabulary, vocabulary, vocabulary, dtype=torch.float64)

    def weigh(drafts: Sequence[tuple[int, ...]], likely: float) -> None:
        given = Branches(
            tokens=drafts,
            laws=torch.stack([torch.stack([q[d[:at]] for d in drafts]) for at in range(length)]),
        )
        own = [torch.stack([p[d[:at]] for at in range(length + 1)]) for d in drafts]
        grown: list[int] = []

        def run(choose: Callable[[list[Outcome]], Any]) -> None:
            monkeypatch.setattr(
                branches, "kseq", lambda p, q, d, rho, _: choose(outcomes(p, q, d, rho))
            )
            monkeypatch.setattr(
                branches, "drawn", lambda law, _: choose(list(enumerate(law.tolist())))
            )
            grown[:] = verified(given, own, lambda n: torch.zeros(n))[0]

        for way in every_run(run):
            rest = [t for t in product(range(vocabulary), repeat=3 - len(grown))]
            for more in rest:
                text = (*grown, *more)
                share = way * likely
                for at in range(len(grown), 3):
                    share *= float(p[text[:at]][text[at]])
                found[text] += share

    sequences = list(product(range(vocabulary), repeat=length))
    likely = {s: float(q[()][s[0]] * q[s[:1]][s[1]]) for s in sequences}
    for drafts in product(sequences, repeat=count):
        weigh(drafts, prod(likely[d] for d in drafts))
    for text in product(range(vocabulary), repeat=3):
        wanted = p[()][text[0]] * p[text[:1]][text[1]] * p[text[:2]][text[2]]
        assert float(found[text]) == pytest.approx(float(wanted), abs=1e-9)


def test_common_beginnings_stand_once() -> None:
    tree, places = merged([[5, 6, 7], [5, 6, 8], [4, 6, 7], [5, 6, 7]])
    assert list(tree.tokens) == [5, 6, 7, 8, 4, 6, 7]
    assert list(tree.parents) == [-1, 0, 1, 1, -1, 4, 5]
    assert places == [[0, 1, 2], [0, 1, 3], [4, 5, 6], [0, 1, 2]]


@torch.inference_mode()
def test_branches_are_drawn_from_what_the_model_says_after_them() -> None:
    model, batch = tiny(), written(TEXTS[0], length=20)
    reader = model.read(batch)
    reader.prompt(batch)
    found = branched(reader, [17, 4], (3, 4), 0.8, uniforms(torch.Generator().manual_seed(0)))
    text = [*batch.prompt[0].tolist(), 17, 4]
    for branch, tokens in enumerate(found.tokens):
        plain = model.module(torch.tensor([[*text, *tokens]])).logits[0, -5:-1]
        torch.testing.assert_close(found.laws[:, branch], law(plain, 0.8), rtol=1e-3, atol=1e-6)
    assert len({tuple(tokens) for tokens in found.tokens}) > 1
    rewound(reader, 2, 1, of=3)
    after = reader.next(torch.tensor([[9]]))[0, -1]
    plain = model.module(torch.tensor([[*text, found.tokens[2][0], 9]])).logits[0, -1]
    torch.testing.assert_close(after, plain, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The model itself, another of its size, one of fewer tokens, and one of more weights."""
    made = {name: tmp_path_factory.mktemp(name) for name in ("self", "other", "few", "large")}
    write_language(made["self"])
    write_language(made["other"], seed=1)
    write_language(made["few"], size=300)
    module = make_module()
    config = module.config
    config.num_hidden_layers = 3
    type(module)(config).save_pretrained(made["large"])
    make_tokenizer().save_pretrained(made["large"])
    return {name: f"hf:{folder}" for name, folder in made.items()}


@torch.inference_mode()
def said(batch: Batch, seed: int = 0, **params: Any) -> tuple[Tensor, list[Reading]]:
    model = tiny()
    with Context(seed=seed) as context, Decoding().reading(model) as passes:
        output = SpecTr(**params).prepare(model, context)(batch)
        return output, passes()


@pytest.mark.parametrize("drafts", [1, 3])
@pytest.mark.parametrize("draft", ["self", "other"])
def test_at_temperature_zero_it_is_the_model_itself(
    draft: str, drafts: int, folders: dict[str, str]
) -> None:
    for text in TEXTS:
        for length in (1, 2, 23):
            batch = written(text, length=length)
            with torch.inference_mode():
                wanted = tiny()(batch)
            found, _ = said(batch, drafts=drafts, temperature=0, draft=folders[draft])
            assert torch.equal(found, wanted)


def test_the_models_own_drafts_all_stand(folders: dict[str, str]) -> None:
    """At any temperature: a pass of the model for each five tokens, and one for the prompt."""
    batch = written(TEXTS[0], length=41, ends=())
    _, passes = said(batch, drafts=2, tokens=4, draft=folders["self"])
    assert len(passes) == 1 + 8


def test_the_same_request_is_answered_alike_and_by_another_seed_otherwise(
    folders: dict[str, str],
) -> None:
    batch = written(TEXTS[0], length=20, ends=())
    one, again, other = (said(batch, seed, draft=folders["other"])[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert said(written(TEXTS[0], length=1), 1, draft=folders["other"])[0][0, 0] == one[0, 0]


def test_scores_are_left_to_the_model(folders: dict[str, str]) -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(scored(), draft=folders["other"])[0], wanted)


@pytest.mark.parametrize(
    ("draft", "words"),
    [("few", "vocabulary-mismatch: .* 512 .* 300"), ("large", r"draft-too-large: .* \d+ .* \d+")],
)
def test_drafts_that_do_not_fit_are_refused(
    draft: str, words: str, folders: dict[str, str]
) -> None:
    skeleton = Decoding().skeleton(folders["self"])
    for model in (tiny(), skeleton):
        with Context() as context, pytest.raises(Unsupported, match=words):
            SpecTr(draft=folders[draft]).prepare(model, context)


def test_a_model_without_weights_gets_a_draft_without_weights(folders: dict[str, str]) -> None:
    draft = draft_model(folders["other"], Decoding().skeleton(folders["self"]))
    assert all(weight.is_meta for weight in draft.module.parameters())
    assert size(draft) == size(tiny())


def test_a_draft_has_the_models_precision(folders: dict[str, str]) -> None:
    half = LanguageModel(module=make_module().bfloat16())
    weight = next(draft_model(folders["other"], half).module.parameters())
    assert weight.dtype == torch.bfloat16


def test_an_unknown_draft_is_named() -> None:
    with Context() as context, pytest.raises(UnknownId, match="no-such-model"):
        SpecTr(draft="no-such-model").prepare(tiny(), context)


@pytest.mark.parametrize(
    ("name", "value"), [("drafts", 0), ("tokens", 0), ("temperature", -1), ("draft", "")]
)
def test_impossible_settings_are_refused(name: str, value: Any) -> None:
    with pytest.raises(BadParameter, match=name):
        SpecTr(**{name: value})
