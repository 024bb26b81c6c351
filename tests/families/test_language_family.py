"""What the families of language models promise: batches, answers, passes, and samples."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from languages import ARCHITECTURES, make_module, make_tokenizer
from tinyruns import MODEL, make_job
from tokonomy.errors import InvalidOutput
from tokonomy.families import load_family
from tokonomy.families.contract import Outputs
from tokonomy.families.language import metrics
from tokonomy.families.language.adapter import Row, cut, rows
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.batching import batch as batched
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel, judged
from tokonomy.measure.devices import open_telemetry
from tokonomy.measure.protocol import FRESH_LEAST
from tokonomy.run.bench import Bench
from tokonomy.run.checks import check_memory
from tokonomy.run.ending import Ended
from tokonomy.run.guards import Surroundings
from tokonomy.run.passes import choose, count_decoding, judge
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Decoding as Counted
from tokonomy.store.observed import Quality

DECODING = Decoding()
BYTES = 2 * 2 * 2 * 8 * 4  # of a cached token: layers, keys and values, heads, size of a head, fp32


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def each_model(request: pytest.FixtureRequest) -> LanguageModel:
    return LanguageModel(module=make_module(request.param), tokenizer=make_tokenizer(request.param))


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(module=make_module(), tokenizer=make_tokenizer())


def ask(count: int, *lengths: int, seed: int = 0, **options: Any) -> list[Row]:
    """Rows of random prompts of some lengths; ``count`` tokens are wanted."""
    generator = torch.Generator().manual_seed(seed)
    prompts = [torch.randint(2, 500, (length,), generator=generator).tolist() for length in lengths]
    return [
        Row(id=at, prompt=tuple(prompt), length=count, **options)
        for at, prompt in enumerate(prompts)
    ]


def test_both_families_are_registered_and_alike() -> None:
    for name in ("decoding", "kv"):
        family = load_family(name)
        assert (family.id, family.metric) == (name, "score")
        assert family.open("sums") is DECODING.open("sums")


def test_a_batch_is_padded_on_the_left(model: LanguageModel) -> None:
    made = batched(model, ask(4, 3, 7, until=("\n",)))
    assert made.present.tolist() == [[False] * 4 + [True] * 3, [True] * 7]
    assert made.padded
    assert not made.scores
    assert (made.ids.tolist(), made.given.shape, made.length) == ([0, 1], (2, 0), 4)
    alone = batched(model, ask(4, 3))
    assert torch.equal(made.prompt[0, 4:], alone.prompt[0])
    assert not alone.padded


def test_answers_of_a_padded_batch_are_those_alone(each_model: LanguageModel) -> None:
    asked = ask(24, 5, 40, 17, 1)
    together = each_model(batched(each_model, asked))
    for at, row in enumerate(asked):
        assert torch.equal(each_model(batched(each_model, [row]))[0], together[at])


def test_likelihoods_of_a_padded_batch_are_those_alone(each_model: LanguageModel) -> None:
    asked = [
        replace(row, given=tuple(range(10, 10 + count)), length=0)
        for row, count in zip(ask(0, 5, 40, 17), (3, 1, 6), strict=True)
    ]
    made = batched(each_model, asked)
    assert made.given.tolist()[1] == [10, -1, -1, -1, -1, -1]
    together = each_model(made)
    assert not together[1, 1:].any()
    for at, row in enumerate(asked):
        alone = each_model(batched(each_model, [row]))[0]
        torch.testing.assert_close(together[at, : len(row.given)], alone, rtol=1e-4, atol=1e-4)
    wanted = (
        each_model.module(torch.tensor([[*asked[0].prompt, *asked[0].given]]))
        .logits[0, len(asked[0].prompt) - 1 : -1]
        .log_softmax(-1)
    )
    chosen = wanted[torch.arange(3), torch.tensor(asked[0].given)]
    torch.testing.assert_close(together[0, :3, 0], chosen, rtol=1e-4, atol=1e-4)


def test_an_end_ends_an_answer_and_is_part_of_it(model: LanguageModel) -> None:
    whole = model(batched(model, ask(12, 9)))[0].tolist()
    end = whole[5]
    made = replace(batched(model, ask(12, 9)), ends=(end,))
    stop = whole.index(end) + 1
    assert model(made)[0].tolist() == whole[:stop] + [-1] * (12 - stop)
    DECODING.validate(model(made), made, model)


def test_ends_are_the_model_s_own_and_all_tokens_that_hold_a_stop(model: LanguageModel) -> None:
    ends = batched(model, ask(4, 3, until=("\n", "", "a long stop"))).ends
    texts = [model.tokenizer.decode([token]) for token in range(512)]
    assert ends == tuple(at for at, said in enumerate(texts) if "\n" in said or at == 1)
    assert len(ends) > 2
    module = make_module()
    module.generation_config.eos_token_id = [1, 7, 9]
    chat = LanguageModel(module=module, tokenizer=make_tokenizer())
    assert batched(chat, ask(4, 3)).ends == (1, 7, 9)
    module.generation_config.eos_token_id = None
    assert batched(chat, ask(4, 3)).ends == (1,)


@settings(max_examples=60, deadline=None)
@given(said=st.text("ab\nc", max_size=12), until=st.lists(st.text("ab\n", max_size=3), max_size=3))
def test_a_text_is_cut_before_any_stop(said: str, until: list[str]) -> None:
    found = cut(said, until)
    assert said.startswith(found)
    assert not any(stop and stop in found for stop in until)
    places = [said.index(stop) for stop in until if stop and stop in said]
    assert len(found) >= min([len(said), *places])
    if len(until) == 1:
        assert len(found) == min([len(said), *places])


SCORED = [replace(row, given=(5, 6, 7), length=0) for row in ask(0, 9, 9)]


TOKENS, LIKELY = torch.tensor([[3, 4, 5, 6], [3, 8, -1, -1]]), torch.zeros(2, 3, 2)


def second(*row: int) -> Tensor:
    """Two answers, the first a good one."""
    return torch.stack([TOKENS[0], torch.tensor(row)])


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ([[3, 4, 5, 6]] * 2, "not-a-tensor: expected a tensor; got list"),
        (None, "not-a-tensor: expected a tensor; got NoneType"),
        (TOKENS[:, :3], r"wrong-shape: expected \(2, 4\); got \(2, 3\)"),
        (TOKENS[:1], r"wrong-shape: expected \(2, 4\); got \(1, 4\)"),
        (TOKENS.int(), "wrong-dtype: expected torch.int64; got torch.int32"),
        (TOKENS.float(), "wrong-dtype: expected torch.int64; got torch.float32"),
        (second(3, 4, 5, 512), "wrong-tokens"),
        (second(3, 4, 5, -2), "wrong-tokens"),
        (second(3, 8, 5, 6), "wrong-tokens"),  # more after the end
        (second(3, -1, 5, 6), "wrong-tokens"),  # a hole
        (second(3, 4, -1, -1), "wrong-tokens"),  # short, and no end
        (second(-1, -1, -1, -1), "wrong-tokens"),
        (second(3, 8, -1, 8), "wrong-tokens"),
    ],
)
def test_what_is_no_answer_is_named(model: LanguageModel, output: object, says: str) -> None:
    made = replace(batched(model, ask(4, 9, 9)), ends=(1, 8))
    assert DECODING.validate(TOKENS, made, model) is TOKENS
    with pytest.raises(InvalidOutput, match=says):
        DECODING.validate(output, made, model)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (torch.nn.Parameter(LIKELY), "not-a-tensor: expected a tensor; got Parameter"),
        (TOKENS, r"wrong-shape: expected \(2, 3, 2\); got \(2, 4\)"),
        (LIKELY[..., :1], r"wrong-shape: expected \(2, 3, 2\); got \(2, 3, 1\)"),
        (LIKELY.double(), "wrong-dtype: expected torch.float32; got torch.float64"),
        (LIKELY * float("nan"), "not-finite"),
        (LIKELY - torch.inf, "not-finite"),
    ],
)
def test_what_is_no_likelihood_is_named(model: LanguageModel, output: object, says: str) -> None:
    made = batched(model, SCORED)
    assert DECODING.validate(LIKELY, made, model) is LIKELY
    with pytest.raises(InvalidOutput, match=says):
        DECODING.validate(output, made, model)


def test_an_answer_is_what_a_row_says() -> None:
    assert DECODING.answer(torch.tensor([4, 1, -1])) == (4, 1, -1)
    assert DECODING.answer(torch.tensor([[-0.5, 1.0], [-3.0, 0.0]])) == (1, 0)


def test_the_first_token_alone_is_the_first_of_all(model: LanguageModel) -> None:
    made = batched(model, ask(6, 9, 4))
    first = DECODING.first(made)
    assert first is not None
    assert torch.equal(first.prompt, made.prompt)
    assert torch.equal(model(first), model(made)[:, :1])
    assert DECODING.first(batched(model, SCORED)) is None


def test_every_pass_is_read_with_the_cache_before_it(each_model: LanguageModel) -> None:
    made = batched(each_model, ask(5, 9))
    with DECODING.reading(each_model) as passes:
        each_model(made)
        found = passes()
        assert passes() == []
    assert [each.read for each in found] == [9, 1, 1, 1, 1]
    assert [each.cached for each in found] == [0, 9, 10, 11, 12]
    assert [each.logical_bytes for each in found] == [each.cached * BYTES for each in found]
    assert [each.physical_bytes for each in found] == [each.logical_bytes for each in found]


def test_rows_of_a_batch_and_scores_are_counted_too(model: LanguageModel) -> None:
    with DECODING.reading(model) as passes:
        model(batched(model, SCORED))
        found = passes()
    assert [(each.read, each.cached) for each in found] == [(18, 0), (4, 18)]
    assert found[1].logical_bytes == 18 * BYTES


def test_memory_that_a_view_holds_on_to_is_counted(model: LanguageModel) -> None:
    made = batched(model, ask(5, 9))
    with DECODING.reading(model) as passes:
        reader = model.read(made)
        reader.prompt(made)
        reader.next(torch.arange(8)[None])
        reader.keep([0], of=8)
        reader.next(torch.arange(1)[None])
        found = passes()
    assert [each.cached for each in found] == [0, 9, 10]
    assert found[2].logical_bytes == 10 * BYTES
    assert found[2].physical_bytes == 17 * BYTES


def test_memory_that_keys_and_values_share_is_counted_once(model: LanguageModel) -> None:
    made = batched(model, ask(5, 9))
    with DECODING.reading(model) as passes:
        reader = model.read(made)
        reader.prompt(made)
        for layer in reader.cache.layers:
            layer.values = layer.keys
        reader.next(torch.arange(1)[None])
        found = passes()[1]
    assert found.physical_bytes == found.logical_bytes // 2 == 9 * BYTES // 2


def test_reading_is_undone_even_after_an_error(model: LanguageModel) -> None:
    before = DECODING.fingerprint(model)
    watched = DECODING.reading(model)
    passes = watched.__enter__()
    assert DECODING.fingerprint(model) != before
    model(batched(model, ask(2, 4)))
    assert not watched.__exit__(RuntimeError, RuntimeError("inside"), None)
    assert DECODING.fingerprint(model) == before
    model(batched(model, ask(2, 4)))
    assert len(passes()) == 2  # of the call inside; the one after it was not seen


def test_what_is_heard_is_what_scores_follow_from(model: LanguageModel) -> None:
    (made,) = (batched(model, [row]) for row in SCORED[:1])
    before = DECODING.fingerprint(model)
    with DECODING.heard(model, made) as heard:
        output = model(made)
        logits = heard(output)
        assert heard(output) is None  # nothing was said since
        model(made)
        assert heard(output + 1) is None  # a method that tells other scores
    assert logits is not None
    whole = torch.cat([made.prompt, made.given[:, :-1]], 1)
    plain = model.module(input_ids=whole).logits[:, made.prompt.shape[1] - 1 :]
    assert torch.allclose(logits, plain, atol=1e-5)
    assert DECODING.fingerprint(model) == before
    asked = batched(model, ask(3, 5))
    with DECODING.heard(model, asked) as heard:
        assert heard(model(asked)) is None  # nothing is given


def test_a_prompt_that_is_read_in_pieces_is_heard_alike(model: LanguageModel) -> None:
    made = batched(model, SCORED[:1])
    with DECODING.heard(model, made) as heard:
        reader = model.read(made)
        reader.next(made.prompt[:, :4])
        last = reader.next(made.prompt[:, 4:])[:, -1:]
        logits = torch.cat([last, reader.next(made.given[:, :-1])], 1)
        found = heard(judged(logits, made.given))
    assert found is not None
    assert torch.equal(found, logits)


def test_layers_are_the_weights_of_each_block(model: LanguageModel) -> None:
    layers = DECODING.layers(model)
    assert [tuple(each.query.shape) for each in layers] == [(32, 32)] * 2
    assert [tuple(each.key.shape) for each in layers] == [(16, 32)] * 2
    assert [tuple(each.mlp.shape) for each in layers] == [(64, 32)] * 2
    assert DECODING.coarse(model) is None


def test_rows_are_numbered_by_sample_and_batches_are_of_one_kind(model: LanguageModel) -> None:
    data = DECODING.open("docs-choice")
    found = list(DECODING.batches(model, data, 3, indices=[4, 2]))
    ids = torch.cat([each.ids for each in found]).tolist()
    assert ids == [4 * 4096 + at for at in range(4)] + [2 * 4096 + at for at in range(4)]
    assert [len(each) for each in found] == [3, 3, 2]
    assert [row.id for row in rows(model, data, 2)] == ids[4:]
    prompts = {row.prompt for row in rows(model, data, 2)}
    assert len(prompts) == 1  # the same context, four continuations


def test_padding_is_the_same_whichever_pass_asks(model: LanguageModel) -> None:
    """A row's own answer is the beginning of that in a batch, which the harness compares."""
    data = DECODING.open("docs-choice")
    alone = DECODING.evaluate(model, model, data).raw
    for made in DECODING.batches(model, data, 4, indices=range(3)):
        for at, row in zip(made.ids.tolist(), model(made), strict=True):
            torch.testing.assert_close(row[: len(alone[at])], alone[at], rtol=1e-4, atol=1e-4)
            assert not row[len(alone[at]) :].any()


def same(one: Outputs, other: Outputs) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("predictions", "scores", "groups", "logits_hash", "inputs_hash")
    )


@pytest.mark.parametrize("name", ["decode-text", "docs-choice"])
def test_two_arms_are_evaluated_side_by_side(model: LanguageModel, name: str) -> None:
    data = DECODING.open(name)
    alone = DECODING.evaluate(model, model, data)
    other = LanguageModel(module=make_module(), tokenizer=make_tokenizer())

    def run(which: LanguageModel) -> Outputs:
        with torch.inference_mode():
            return DECODING.evaluate(which, which, data)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, [model, other]))
    assert all(same(each, alone) for each in together)
    assert len(alone.groups) == len(alone.scores) == len(data)
    unanswered = [request for sample in data.samples for request in sample.asked]
    assert not any(request.resps or request.filtered_resps for request in unanswered)


def bench_of(task: str, model: LanguageModel, folder: Path) -> Bench:
    """Any method on a task."""
    return Bench(
        job=make_job(DECODING.describe_task(task), MODEL, "reference", {}),
        family=DECODING,
        data=DECODING.open(task),
        model=model,
        around=Surroundings(folder),
        telemetry=open_telemetry("cpu"),
        load_s=0.0,
    )


def test_divergence_is_that_of_what_both_think_of_given_tokens(
    model: LanguageModel, tmp_path: Path
) -> None:
    other = LanguageModel(module=make_module(seed=1), tokenizer=make_tokenizer())
    bench = bench_of("docs-likelihood", model, tmp_path)
    batches = list(DECODING.batches(model, bench.data, 1, indices=range(3)))
    found, _ = count_decoding(bench, model, other, batches)
    assert isinstance(found, Counted)
    expected = []
    for batch in batches:
        whole = torch.cat([batch.prompt, batch.given[:, :-1]], 1)
        p, q = (
            each.module(input_ids=whole).logits[0, batch.prompt.shape[1] - 1 :].softmax(-1)
            for each in (other, model)
        )
        expected.append(float((p * (p / q).log()).sum(-1).mean()))
    assert min(expected) > 0
    assert found.kl_nats == pytest.approx(expected, rel=1e-3)
    same, _ = count_decoding(bench, model, model, batches)
    assert isinstance(same, Counted)
    assert same.kl_nats == [0.0] * 3


def test_divergence_has_its_reason_where_there_is_none(
    model: LanguageModel, tmp_path: Path
) -> None:
    bench = bench_of("recall", model, tmp_path)
    batches = list(DECODING.batches(model, bench.data, 1, indices=range(2)))
    found, _ = count_decoding(bench, model, model, batches)
    assert isinstance(found, Counted)
    assert found.kl_nats == Missing(reason="tokens-made")
    bench = bench_of("docs-likelihood", model, tmp_path)
    batches = list(DECODING.batches(model, bench.data, 1, indices=range(2)))
    found, _ = count_decoding(bench, lambda batch: model(batch) - 0.5, model, batches)
    assert isinstance(found, Counted)
    assert found.kl_nats == Missing(reason="logits-not-seen")


def test_what_is_timed_reaches_every_part_of_a_split(model: LanguageModel, tmp_path: Path) -> None:
    """Four batches of 40 samples that get longer, and two turns that stand one after the other."""
    bench = bench_of("recall", model, tmp_path)
    few = bench.job.cell.measuring.model_copy(update={"batches": 4})
    cell = bench.job.cell.model_copy(update={"measuring": few})
    bench = replace(bench, job=bench.job.model_copy(update={"cell": cell}))
    chosen = choose(bench)
    places = [int(batch.ids[0]) // 4096 for batch in chosen.timed]
    assert {bench.data.groups[at].partition(",")[0] for at in places} == {
        f"{length} characters" for length in (400, 800, 1600, 3200)
    }
    assert len(chosen.fresh) >= FRESH_LEAST
    assert not {int(batch.ids[0]) // 4096 for batch in chosen.fresh} & set(places)
    turns = replace(bench, data=DECODING.open("decode-copy"))
    groups = [turns.data.groups[int(batch.ids[0]) // 4096] for batch in choose(turns).timed]
    assert groups == ["first turn"] * 2 + ["second turn"] * 2


def test_a_method_that_learns_from_requests_is_told_by_its_passes(model: LanguageModel) -> None:
    batches = list(DECODING.batches(model, DECODING.open("recall"), 1, indices=range(2)))
    check_memory(DECODING, model, model, batches)
    met: dict[bytes, Tensor] = {}

    def learns(batch: Batch) -> Tensor:
        key = batch.prompt.numpy().tobytes()
        if key in met:  # as a trie over requests would: the whole answer in one pass
            model.module(input_ids=batch.prompt)
            return met[key]
        met[key] = model(batch)
        return met[key]

    with pytest.raises(Ended) as raised:
        check_memory(DECODING, model, learns, batches)
    assert raised.value.reason == "learns-from-requests"


def test_answers_are_compared_up_to_where_they_part(model: LanguageModel, tmp_path: Path) -> None:
    bench = bench_of("recall", model, tmp_path)

    def other_third(batch: Batch) -> Tensor:
        found = model(batch).clone()
        found[:, 2] = torch.where(found[:, 2] == 5, 6, 5)
        return found

    quality, _ = judge(bench, other_third, model, {})
    assert isinstance(quality, Quality)
    assert quality.shared == [2] * len(bench.data)
    quality, _ = judge(bench, model, model, {})
    assert isinstance(quality, Quality)
    whole = DECODING.evaluate(model, model, bench.data).raw
    assert quality.shared == [int((whole[row] >= 0).sum()) for row in sorted(whole)]
    bench = bench_of("docs-likelihood", model, tmp_path)
    quality, _ = judge(bench, model, model, {})
    assert isinstance(quality, Quality)
    assert quality.shared == []


def test_the_part_of_its_task_reaches_the_record_of_each_sample(
    model: LanguageModel, tmp_path: Path
) -> None:
    other = LanguageModel(module=make_module(), tokenizer=make_tokenizer())
    bench = bench_of("recall", model, tmp_path)
    quality, flags = judge(bench, model, other, {})
    assert isinstance(quality, Quality)
    assert quality.groups == bench.data.groups
    assert quality.groups[0] == "400 characters, depth 0%"
    assert quality.scores["method"] == quality.scores["reference"]
    assert flags == []
    assert Quality.model_validate_json(quality.model_dump_json()) == quality
    fields = quality.model_dump()
    assert Quality.model_validate({**fields, "groups": []}).groups == []
    with pytest.raises(ValidationError, match="one entry per sample, or none at all"):
        Quality.model_validate({**fields, "groups": quality.groups[1:]})


def test_inputs_and_answers_are_hashed(model: LanguageModel) -> None:
    data = DECODING.open("sums")
    plain = DECODING.evaluate(model, model, data)

    def wrong(made: Batch) -> Tensor:
        return torch.full((1, made.length), 7)

    other = DECODING.evaluate(wrong, model, data)
    assert other.inputs_hash == plain.inputs_hash
    assert other.logits_hash != plain.logits_hash
    assert set(other.raw) == set(plain.raw)


@pytest.mark.parametrize(
    ("metric", "value", "score"),
    [
        ("acc", 1, 1.0),
        ("acc", True, 1.0),
        ("exact_match", 0.25, 0.25),
        ("byte_perplexity", (-10.0, 5), 0.1353352832),
        ("bits_per_byte", (-10.0, 0), 0.0000453999),
        ("word_perplexity", (0.5, 5), 1.0),
        ("perplexity", -2.0, 0.1353352832),
        ("perplexity", 37.5, None),
        ("bleu", (["a"], ["b"]), None),
        ("rouge1", 41.0, None),
        ("4096", -1.0, None),
        ("acc", float("nan"), None),
        ("acc", None, None),
        ("acc", "1", None),
    ],
)
def test_scores_lie_between_0_and_1(metric: str, value: object, score: float | None) -> None:
    assert metrics.score(metric, value) == (score if score is None else pytest.approx(score))


def test_vision_needs_no_lm_eval(tmp_path: Path) -> None:
    """Nor does listing; what is slow to import is imported by those who use it."""
    code = (
        "import sys; from tokonomy.cli import cli\n"
        "for words in (['run', '--method', 'tome', '--task', 'digits', '--dry-run', '--db', 'x'],"
        " ['list', 'tasks'], ['show', 'lm_eval']):\n"
        "    cli(words, standalone_mode=False)\n"
        "slow = {'lm_eval', 'datasets', 'evaluate'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
