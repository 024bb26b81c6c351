"""Figures of answers made token by token, worked out again from the samples in the plainest way."""

from __future__ import annotations

import json
import math
import random
import statistics
from typing import Any

import pytest
from scipy import stats

from records import make_language_record, make_record
from tokonomy.store.answers import accepted, first_tokens, histogram, whole_prompts
from tokonomy.store.decoding import CACHE, FIRST, LENGTHS, PASSES, RATES, REST, ratio_of_totals
from tokonomy.store.derive import by_group, derive
from tokonomy.store.fields import Missing
from tokonomy.store.lengths import by_length
from tokonomy.store.metrics import Metric
from tokonomy.store.observed import Decoded, Decoding, Quality, Timing
from tokonomy.store.record import Record, parse

EVERY = (*FIRST, *REST, *RATES, *LENGTHS, *PASSES, *CACHE)
ONE_PASS = {"reason": "one-pass", "detail": None}


def figures(record: Record) -> dict[str, Metric]:
    return {metric.name: metric for metric in derive(record)}


def timing(pairs: list[tuple[int, int, int]]) -> dict[str, Any]:
    """Timing of pairs of a batch, the method's and the reference's nanoseconds."""
    return {
        "clock": "made up", "warmup_calls": 1, "warmup_s": 0.1, "stop": "pair-cap",
        "half_width": None,
        "pairs": [
            {"block": at // 2, "batch": batch, "first": "method", "method_ns": ours,
             "reference_ns": theirs}
            for at, (batch, ours, theirs) in enumerate(pairs)
        ],
    }  # fmt: skip


def sample(
    read: list[int], cached: list[int], tokens: int, row: int = 8, held: int | None = None
) -> dict[str, Any]:
    """One answer; ``row`` bytes for each cached token, ``held`` in memory where it is more."""
    sizes = [row * each for each in cached]
    return {
        "tokens": tokens, "read": read, "cached": cached, "logical_bytes": sizes,
        "physical_bytes": [held or each for each in sizes],
    }  # fmt: skip


def plain(prompt: int, tokens: int) -> dict[str, Any]:
    """The reference's way: a token a pass."""
    rest = range(tokens - 1)
    return sample([prompt, *(1 for _ in rest)], [0, *(prompt + at for at in rest)], tokens)


DRAFTED = sample([10, 1, 5, 5], [0, 10, 11, 15], 8)  # one, four and two tokens
LONGER = sample([20, 5, 5], [0, 20, 22], 7)  # two and four
COUNTED = {"method": [DRAFTED, LONGER], "reference": [plain(10, 8), plain(20, 7)]}
WHOLE = timing([(0, 60, 90), (1, 50, 80), (0, 64, 92), (1, 52, 84), (0, 62, 91), (1, 48, 82)])
FIRSTS = timing([(0, 20, 21), (1, 10, 12), (0, 22, 20), (1, 11, 14), (1, 12, 13)])


def by_hand(**changes: Any) -> Record:
    return make_language_record(
        **({"timing": WHOLE, "first_token": FIRSTS, "decoding": COUNTED} | changes)
    )


def test_the_first_token_by_hand() -> None:
    record = make_language_record(pairs=60)
    assert isinstance(record.first_token, Timing)
    pairs, found = record.first_token.pairs, figures(record)
    for name, arm in (("ttft_ms", "method_ns"), ("reference_ttft_ms", "reference_ns")):
        times = [getattr(pair, arm) / 1e6 for pair in pairs]
        assert found[name].value == pytest.approx(statistics.median(times))
        assert found[name].low < found[name].value < found[name].high
        assert found[name].n == len(pairs)
    blocks = [
        ((a.method_ns / a.reference_ns) * (b.method_ns / b.reference_ns)) ** 0.5
        for a, b in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    assert found["ttft_ratio"].value == pytest.approx(statistics.median(blocks))
    assert found["ttft_ratio"].n == len(blocks)
    assert found["ttft_ratio"].low < 1 < found["ttft_ratio"].high


def test_further_tokens_by_hand() -> None:
    found = figures(by_hand())
    # medians of whole calls less those of first tokens: 62 - 21 and 50 - 11; 91 - 20.5 and 82 - 13
    ours, theirs = [41, 39], [70.5, 69]
    assert found["tpot_ms"].value == pytest.approx(40 / 6.5 / 1e6)  # 7 and 6 tokens after the first
    assert found["reference_tpot_ms"].value == pytest.approx(69.75 / 6.5 / 1e6)
    assert found["tpot_ms"].low is not None
    reach = stats.t.ppf(0.975, 1) * statistics.stdev(ours) / 2**0.5
    assert found["tpot_ms"].high == pytest.approx((40 + reach) / 6.5 / 1e6, rel=1e-6)
    logs = [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]
    assert found["tpot_ratio"].value == pytest.approx(math.exp(statistics.mean(logs)))
    assert {found[name].n for name in REST} == {2}


def test_no_time_is_below_none() -> None:
    wild = timing([(0, 21, 90), (1, 500, 80)] * 3)
    found = figures(by_hand(timing=wild))["tpot_ms"]
    assert found.value is not None
    assert found.high is not None
    assert found.low == 0 < found.value < found.high


def test_a_longer_answer_is_no_slower_token() -> None:
    longer = {"method": [plain(10, 15), plain(20, 13)], "reference": COUNTED["reference"]}
    same, found = figures(by_hand()), figures(by_hand(decoding=longer))
    assert found["tpot_ms"].value == pytest.approx(same["tpot_ms"].value / 2)  # 13 for 6.5
    assert found["tpot_ratio"].value == pytest.approx(same["tpot_ratio"].value / 2)
    assert found["speed_up_total"].value == pytest.approx(same["speed_up_total"].value * 14 / 7.5)
    each = [
        statistics.geometric_mean([90 / 60, 92 / 64, 91 / 62]) * 15 / 8,
        statistics.geometric_mean([80 / 50, 84 / 52, 82 / 48]) * 13 / 7,
    ]
    assert found["speed_up_mean"].value == pytest.approx(statistics.mean(each))


def test_rates_by_hand() -> None:
    found = figures(by_hand())
    assert found["tokens_per_s"].value == pytest.approx(7.5 * 6 / 336 * 1e9)
    assert found["reference_tokens_per_s"].value == pytest.approx(7.5 * 6 / 519 * 1e9)
    assert found["speed_up_total"].value == pytest.approx(519 / 336)
    assert found["speed_up_total"].value == pytest.approx(
        found["tokens_per_s"].value / found["reference_tokens_per_s"].value
    )
    each = [
        statistics.geometric_mean([90 / 60, 92 / 64, 91 / 62]),
        statistics.geometric_mean([80 / 50, 84 / 52, 82 / 48]),
    ]
    assert found["speed_up_mean"].value == pytest.approx(statistics.mean(each))
    assert found["speed_up_mean"].value > found["speed_up_total"].value
    for name in ("speed_up_total", "speed_up_mean"):
        assert found[name].low < found[name].value < found[name].high
        assert found[name].n == 2


def test_batches_of_several_make_as_many_tokens() -> None:
    cell = {"scenario": "offline", "batch_size": 4}
    one, four = figures(by_hand()), figures(by_hand(cell=cell))
    assert four["tokens_per_s"].value == pytest.approx(4 * one["tokens_per_s"].value)
    assert four["speed_up_total"].value == pytest.approx(one["speed_up_total"].value)
    assert {four[name].reason for name in REST} == {"lengths-differ"}
    alike = {arm: samples[:1] * 2 for arm, samples in COUNTED.items()}
    assert figures(by_hand(cell=cell, decoding=alike))["tpot_ms"].value == pytest.approx(40 / 7e6)


def test_passes_by_hand() -> None:
    found = figures(by_hand())
    assert found["target_calls"].value == 2.5  # 3 and 2
    assert found["acceptance_length"].value == pytest.approx(13 / 5)
    assert found["acceptance_rate"].value == pytest.approx(8 / 16)  # 4 + 4 of 8 + 8
    assert found["acceptance_length"].n == 2
    never = sample([10, 5, 5], [0, 10, 11], 3)
    apart = {"method": [DRAFTED, never], "reference": [plain(10, 8), plain(10, 3)]}
    rate = figures(by_hand(decoding=apart))["acceptance_rate"]
    assert (rate.low, rate.value, rate.high) == (0.0, 4 / 16, 1.0)  # a share, whatever the spread
    spread = figures(make_language_record(accept=2.0, drafts=4))["acceptance_length"]
    assert 1 < spread.low < spread.value < spread.high < 5


def test_the_unmodified_model_makes_a_token_a_pass() -> None:
    found = figures(make_language_record(method="reference"))
    length = found["acceptance_length"]
    assert (length.value, length.low, length.high) == (1.0, 1.0, 1.0)
    assert found["acceptance_rate"].reason == "no-drafts"
    assert found["kv_logical_ratio"].value == found["kv_physical_ratio"].value == 1.0


def test_the_histogram_of_accepted_tokens() -> None:
    record = by_hand()
    assert isinstance(record.decoding, Decoding)
    assert [accepted(each) for each in record.decoding.method] == [[1, 4, 2], [2, 4]]
    assert histogram(record.decoding.method) == {1: 1, 2: 2, 4: 2}
    assert histogram(record.decoding.reference) == {1: 13}
    found = make_language_record(accept=2.5, drafts=6).decoding
    assert isinstance(found, Decoding)
    counts = histogram(found.method)
    assert isinstance(counts, dict)
    assert sum(given * many for given, many in counts.items()) == 6 * 47
    assert sum(counts.values()) == sum(len(each.read) - 1 for each in found.method)
    assert max(counts) > 2


@pytest.mark.parametrize(
    ("read", "cached", "tokens", "given"),
    [
        ([10, 1, 1, 1], [0, 4, 4, 4], 4, [1, 1, 1]),  # a window that slides, a token a pass
        ([10, 4, 4], [0, 4, 4], 6, None),  # a window that slides over drafts
        ([10, 4, 4], [0, 10, 8], 6, None),
        ([10, 4, 4], [0, 10, 15], 9, None),  # more than was read
        ([10, 4, 4], [0, 10, 11], 9, None),  # the last pass would have given 7
        ([10, 4, 4], [0, 10, 13], 4, None),  # and here none
        ([10, 1, 1], [0, 10, 11], 4, None),  # three tokens from two passes of one
        ([10, 1], [0, 10], 1, None),
        ([10], [0], 1, []),
        ([10], [0], 3, []),  # all that there is came with the prompt's pass
    ],
)
def test_a_cache_that_does_not_tell_is_not_believed(
    read: list[int], cached: list[int], tokens: int, given: list[int] | None
) -> None:
    one = Decoded.model_validate(sample(read, cached, tokens))
    assert accepted(one) == given
    if given is None:
        assert histogram([one]) == Missing(reason="growth-not-tokens")
    if given == []:
        assert histogram([one]) == Missing(reason="no-later-pass")


def test_the_cache_by_hand() -> None:
    half = sample([10, 1, 1, 1], [0, 5, 6, 7], 4, held=104)
    counted = {"method": [half, half], "reference": [plain(10, 4), plain(14, 4)]}
    found = figures(by_hand(decoding=counted))
    assert found["kv_logical_bytes"].value == 7 * 8
    assert found["kv_physical_bytes"].value == 104
    assert found["kv_logical_ratio"].value == pytest.approx((7 + 7) / (12 + 16))
    assert found["kv_physical_ratio"].value == pytest.approx(208 / (28 * 8))
    assert found["kv_logical_ratio"].n == 2


def test_a_cache_is_held_against_the_reference_s_with_as_many_tokens_made() -> None:
    # the method is last looked at with 6 of 8 tokens made, when the reference holds 15 rows
    counted = {"method": [DRAFTED], "reference": [plain(10, 8)]}
    assert figures(by_hand(decoding=counted))["kv_logical_ratio"].value == 1.0


def test_an_answer_that_goes_on_fills_no_more_of_the_share() -> None:
    longer = sample([10, *[1] * 7], [0, *range(5, 12)], 8)  # the reference ends after 4
    counted = {"method": [longer], "reference": [plain(10, 4)]}
    found = figures(by_hand(decoding=counted))
    assert found["kv_logical_ratio"].value == pytest.approx(7 / 12)
    assert found["kv_logical_bytes"].value == 11 * 8
    assert found["answer_tokens"].value == 8
    assert found["reference_answer_tokens"].value == 4


@pytest.mark.parametrize(
    ("read", "cached", "joined"),
    [
        ([9, 1, 1, 1], [0, 4, 5, 6], ([10, 1, 1], [0, 5, 6])),  # the question apart
        ([4, 4, 2, 5], [0, 4, 8, 10], ([10, 5], [0, 10])),  # in pieces
        ([6, 6, 1], [0, 6, 9], ([10, 1], [0, 9])),  # some of it twice
        ([10, 1, 1], [0, 10, 11], ([10, 1, 1], [0, 10, 11])),
        ([3, 1, 1], [0, 3, 4], ([3, 1, 1], [0, 3, 4])),  # less than the prompt in all
        ([], [], ([], [])),
    ],
)
def test_passes_that_read_the_prompt_are_taken_for_one(
    read: list[int], cached: list[int], joined: tuple[list[int], list[int]]
) -> None:
    counted = Decoding.model_validate({"method": [sample(read, cached, 3)],
                                       "reference": [plain(10, 3)]})  # fmt: skip
    found = whole_prompts(counted)
    assert isinstance(found, Decoding)
    (one,) = found.method
    assert (one.read, one.cached) == joined
    assert one.logical_bytes == [8 * each for each in joined[1]]
    assert found.reference == counted.reference


def test_a_question_read_apart_is_no_pass_of_the_answer() -> None:
    apart = sample([116, 1, 1], [0, 58, 59], 2)  # as SnapKV and others do
    counted = {"method": [apart], "reference": [plain(117, 2)]}
    found = figures(by_hand(decoding=counted))
    assert found["target_calls"].value == 1
    assert found["acceptance_length"].value == 1
    assert found["kv_logical_ratio"].value == pytest.approx(59 / 117)


def test_the_largest_cache_counts_and_not_the_last() -> None:
    shrinking = sample([10, 1, 1, 1], [0, 9, 4, 4], 4)
    counted = {"method": [shrinking], "reference": [plain(10, 4)]}
    assert figures(by_hand(decoding=counted))["kv_logical_bytes"].value == 9 * 8


def test_a_simulated_method_holds_all_the_same() -> None:
    found = figures(make_language_record(family="kv", kept=0.4, held=1.0))
    assert found["kv_logical_ratio"].value < 0.5
    assert found["kv_physical_ratio"].value > 0.97


def test_ratio_of_totals_covers_the_truth() -> None:
    draw = random.Random(0)
    held = 0
    for _ in range(400):
        below = [draw.randint(4, 40) for _ in range(12)]
        above = [2.5 * each + draw.gauss(0, 4) for each in below]
        found = ratio_of_totals(above, below)
        assert found.value == pytest.approx(sum(above) / sum(below))
        held += found.low <= 2.5 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_one_prompt_has_no_interval() -> None:
    found = ratio_of_totals([3], [2])
    assert (found.value, found.low, found.high) == (1.5, None, None)
    assert found.reason == "too-few-trials"
    assert ratio_of_totals([1, 2], [0, 0]).reason == "not-computable"


def test_a_call_of_one_pass_has_none_of_them() -> None:
    found = figures(make_record())
    assert {(found[name].value, found[name].reason) for name in EVERY} == {(None, "one-pass")}


def test_tokens_that_were_given_were_not_made() -> None:
    found = figures(by_hand(first_token=ONE_PASS))
    for name in (*FIRST, *REST, *RATES, *LENGTHS, *PASSES):
        assert (found[name].value, found[name].reason) == (None, "tokens-given"), name
    assert found["kv_logical_bytes"].value is not None


def test_likelihoods_are_no_answers_that_could_agree() -> None:
    record = by_hand(first_token=ONE_PASS)
    assert figures(record)["agreement"].reason == "tokens-given"
    assert isinstance(record.quality, Quality)
    chosen = {arm: [1] * len(said) for arm, said in record.quality.outputs.items()}
    quality = record.quality.model_copy(update={"outputs": chosen})
    assert figures(record.model_copy(update={"quality": quality}))["agreement"].value == 1


def test_unseen_passes_leave_the_first_token() -> None:
    found = figures(by_hand(decoding={"reason": "unseen-passes", "detail": None}))
    assert found["ttft_ms"].value is None  # five pairs
    assert found["ttft_ms"].reason == "too-few-samples"
    assert found["ttft_ratio"].value is not None
    for name in (*REST, *RATES, *LENGTHS, *PASSES, *CACHE):
        assert (found[name].value, found[name].reason) == (None, "unseen-passes"), name


def test_divergence_is_the_mean_of_its_samples() -> None:
    counted = {**COUNTED, "kl_nats": [0.1, 0.2, 0.6]}
    found = figures(by_hand(decoding=counted, first_token=ONE_PASS))["kl_nats"]
    assert (found.value, found.n) == (pytest.approx(0.3), 3)
    assert found.low == 0  # never below
    assert figures(by_hand())["kl_nats"].reason == "tokens-made"


def test_tokens_before_divergence_are_the_mean_of_all_samples() -> None:
    record = make_language_record()
    assert isinstance(record.quality, Quality)
    assert figures(record)["shared_tokens"].reason == "no-tokens-made"
    shared = [2, 48] * (len(record.quality.scores["method"]) // 2)
    quality = record.quality.model_copy(update={"shared": shared})
    found = figures(record.model_copy(update={"quality": quality}))["shared_tokens"]
    assert (found.value, found.n) == (25, len(shared))


def longer(*ratios: float, blocks: int = 20) -> Record:
    """Prompts of 20, 40, 80, … tokens, each timed so much slower than the reference."""
    prompts = [20 * 2**at for at in range(len(ratios))]
    counted = {arm: [plain(prompt, 4) for prompt in prompts] for arm in ("method", "reference")}
    rng = random.Random(0)
    pairs = [
        (at, int(1e6 * ratio) + rng.randrange(1000), 1_000_000 + rng.randrange(1000))
        for at, ratio in enumerate(ratios)
        for _ in range(2 * blocks)
    ]
    return by_hand(decoding=counted, timing=timing(pairs))


def test_prompts_are_told_apart_by_their_length() -> None:
    found = by_length(longer(1.2, 0.9, 0.5))
    assert isinstance(found, tuple)
    assert [(each.shortest, each.longest, each.prompts) for each in found] == [
        (20, 20, 1), (40, 40, 1), (80, 80, 1)
    ]  # fmt: skip
    assert [each.ratio.value for each in found] == pytest.approx([1.2, 0.9, 0.5], rel=1e-3)
    assert [each.cached for each in found] == [each.beside for each in found]
    assert [each.beside for each in found] == [8 * (prompt + 2) for prompt in (20, 40, 80)]


@pytest.mark.parametrize(
    ("ratios", "tokens"),
    [
        ((1.2, 0.9, 0.5), 40),
        ((0.9, 0.8, 0.5), 20),
        ((0.9, 1.2, 0.5), 80),  # faster again on short ones is no break-even
        ((0.5, 0.9, 1.2), None),
    ],
)
def test_break_even_is_where_it_stays_faster(ratios: Any, tokens: int | None) -> None:
    found = figures(longer(*ratios))["faster_from_tokens"]
    assert found.value == tokens
    assert (found.n, found.reason) == ((3, None) if tokens else (None, "not-faster-on-long"))


def test_break_even_needs_an_interval_and_requests_one_at_a_time() -> None:
    few = figures(longer(0.5, 0.5, blocks=2))["faster_from_tokens"]
    assert few.reason == "too-few-blocks"
    record = longer(0.5, 0.5)
    batched = record.model_copy(update={"cell": record.cell.model_copy(update={"batch_size": 2})})
    assert figures(batched)["faster_from_tokens"].reason == "requests-in-batches"
    counted = {"method": [plain(20, 3), plain(40, 3)], "reference": [plain(20, 4), plain(40, 4)]}
    assert record.timing is not None
    terse = by_hand(decoding=counted, timing=record.timing.model_dump())
    assert figures(terse)["faster_from_tokens"].reason == "answers-shorter"
    unknown = by_hand(decoding=COUNTED, timing=timing([(7, 1, 1)]))
    assert figures(unknown)["faster_from_tokens"].reason == "lengths-not-told"


def test_drafts_read_with_the_prompt_are_no_merit_of_later_passes() -> None:
    """As transformers decodes with drafts: 10 are read with a prompt of 20, and all stand."""
    early = sample([30, 11, 11, 1], [0, 30, 41, 52], 34)
    found = figures(by_hand(decoding={"method": [early], "reference": [plain(20, 34)]}))
    assert found["target_calls"].value == 3
    assert found["acceptance_length"].value == pytest.approx(23 / 3)
    assert found["acceptance_rate"].value == 1
    assert found["answer_tokens"].value == 34
    counted = Decoding.model_validate({"method": [early], "reference": [plain(20, 34)]})
    whole = whole_prompts(counted)
    assert isinstance(whole, Decoding)
    assert first_tokens(whole.method[0]) == 11
    assert accepted(whole.method[0]) == [11, 11, 1]
    alone = sample([30], [0], 11)  # nothing was left to later passes
    found = figures(by_hand(decoding={"method": [alone], "reference": [plain(20, 11)]}))
    assert found["acceptance_length"].reason == "no-later-pass"


def test_more_tokens_than_passes_can_give_are_not_believed() -> None:
    hidden = sample([20, 1, 1], [0, 20, 21], 30)
    found = figures(by_hand(decoding={"method": [hidden], "reference": [plain(20, 30)]}))
    for name in PASSES:
        assert (found[name].value, found[name].reason) == (None, "unseen-passes"), name


def test_rates_take_the_tokens_of_each_request() -> None:
    """Two prompts: the method says half as much on the second, in half the time."""
    counted = {
        "method": [plain(20, 40), plain(20, 20)],
        "reference": [plain(20, 40), plain(20, 40)],
    }
    whole = timing([(0, 1_000, 1_000), (0, 1_000, 1_000), (1, 500, 1_000), (1, 500, 1_000)])
    found = figures(by_hand(decoding=counted, timing=whole))
    assert found["tokens_per_s"].value == pytest.approx((2 * 40 + 2 * 20) / 3_000 * 1e9)
    assert found["reference_tokens_per_s"].value == pytest.approx(160 / 4_000 * 1e9)
    assert found["speed_up_total"].value == pytest.approx(1.0)
    assert found["speed_up_mean"].value == pytest.approx(1.0)


SHORT = {"method": [plain(10, 1)], "reference": [plain(10, 1)]}
NONE = {"method": [sample([], [], 0)], "reference": [sample([], [], 0)]}


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"decoding": SHORT}, "tpot_ms", "one-token"),
        ({"decoding": SHORT}, "acceptance_length", "no-later-pass"),
        ({"decoding": SHORT}, "acceptance_rate", "no-later-pass"),
        ({"decoding": SHORT}, "kv_physical_ratio", "no-later-pass"),
        ({"decoding": NONE}, "tokens_per_s", "not-computable"),
        ({"decoding": NONE}, "speed_up_mean", "not-computable"),
        ({"timing": timing([])}, "tpot_ms", "no-pairs"),
        ({"timing": timing([])}, "tpot_ratio", "no-pairs"),
        ({"timing": timing([])}, "speed_up_total", "no-pairs"),
        ({"timing": timing([])}, "tokens_per_s", "not-computable"),
        ({"first_token": timing([])}, "ttft_ratio", "no-pairs"),
        ({"first_token": timing([(7, 1, 1)])}, "reference_tpot_ms", "no-pairs"),
        ({"first_token": WHOLE, "timing": FIRSTS}, "tpot_ms", "not-computable"),
        ({"first_token": WHOLE, "timing": FIRSTS}, "tpot_ratio", "not-computable"),
        ({"timing": {"reason": "made-up", "detail": None}}, "tpot_ms", "made-up"),
        ({"timing": {"reason": "made-up", "detail": None}}, "speed_up_mean", "made-up"),
    ],
)
def test_what_cannot_be_told_has_a_reason(changes: dict[str, Any], name: str, reason: str) -> None:
    found = figures(by_hand(**changes))[name]
    assert (found.value, found.reason) == (None, reason)


def test_more_passes_than_tokens_accept_no_share() -> None:
    wandering = sample([10, 3, 3, 3], [0, 10, 10, 10], 2)
    found = figures(by_hand(decoding={"method": [wandering], "reference": [plain(10, 2)]}))
    assert found["acceptance_length"].value == pytest.approx(1 / 3)
    assert found["acceptance_rate"].reason == "not-computable"


def test_the_largest_amounts_stay_finite() -> None:
    huge = {"tokens": 2**31 - 1, "read": [2**53 - 1] * 9, "cached": [2**53 - 1] * 9,
            "logical_bytes": [2**53 - 1] * 9, "physical_bytes": [2**53 - 1] * 9}  # fmt: skip
    negative = huge | {"read": [1 - 2**53] * 9, "cached": [1 - 2**53] * 9}
    times = timing([(at % 3, 2**53 - 1, 1) for at in range(12)])
    for one in (huge, negative):
        counted = {"method": [one] * 3, "reference": [one, plain(10, 4)]}
        for metric in derive(by_hand(decoding=counted, timing=times, first_token=times)):
            parts = [part for part in (metric.value, metric.low, metric.high) if part is not None]
            assert all(math.isfinite(part) for part in parts), metric


def test_a_run_that_is_not_ok_has_no_figures_whatever_it_holds() -> None:
    document = by_hand().model_dump(mode="json") | {"status": "invalid", "reason": "recompiled"}
    record = parse(json.dumps(document))
    assert isinstance(record.decoding, Decoding)
    assert {(figures(record)[name].value, figures(record)[name].reason) for name in EVERY} == {
        (None, "recompiled")
    }
    assert by_group(record) == {}


def test_scores_of_each_group_by_hand() -> None:
    record = make_language_record(family="kv", accuracy=0.5)
    assert isinstance(record.quality, Quality)
    rows = list(zip(record.quality.groups, record.quality.scores["method"], strict=True))
    found = by_group(record)
    assert len(found) == 20
    for group, estimate in found.items():
        mine = [score for name, score in rows if name == group]
        assert estimate.value == pytest.approx(statistics.mean(mine))
        assert estimate.n == len(mine) == 10
    assert len({estimate.value for estimate in found.values()}) > 3
    assert by_group(make_record()) == {}
    assert by_group(make_record(status="oom")) == {}
