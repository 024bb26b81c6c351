"""Verdicts at equal tokens, from records whose outcome is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from records import make_language_record, make_record
from tokonomy.store.contests import arm
from tokonomy.store.observed import Quality
from tokonomy.store.record import Record
from tokonomy.store.verdict import Verdict, verdicts

N = 200


def run(method: str, keep: float, right: int, seed: int = 0, **changes: object) -> Record:
    """A run that has the first ``right`` of 200 samples right; ``keep`` sets its tokens."""
    record = make_record(method=method, keep=keep, samples=N, pairs=10, seed=seed, **changes)
    assert isinstance(record.quality, Quality)
    quality = record.quality.model_dump()
    quality["scores"]["method"] = [float(at < right) for at in range(N)]
    return record.model_copy(update={"quality": Quality.model_validate(quality)})


def judged(*records: Record) -> Verdict:
    """The verdict of the first record against random drop."""
    return verdicts(map(arm, records))[records[0].run_id]["random-drop"]


@pytest.mark.parametrize(
    ("method", "upper", "lower", "outcome"),
    [
        (150, 140, 130, "beats"),
        (150, 145, 130, "no difference"),  # 5 of 5 disagreements: p = 0.0625
        (150, 144, 130, "beats"),  # 6 of 6: p = 0.03125
        (150, 170, 160, "loses"),
        (150, 170, 155, "no difference"),
        (150, 170, 150, "no difference"),
        (150, 150, 150, "no difference"),
        (150, 100, 180, "not comparable"),
    ],
)
def test_outcomes(method: int, upper: int, lower: int, outcome: str) -> None:
    records = [run("tome", 0.5, method), run("random-drop", 0.6, upper),
               run("random-drop", 0.4, lower), run("random-drop", 0.9, 0),
               run("random-drop", 0.1, N)]  # fmt: skip
    found = judged(*records)
    assert found.outcome == outcome
    assert found.upper.run_id == records[1].run_id
    assert found.lower.run_id == records[2].run_id
    assert found.lower.share < found.share < found.upper.share
    expected = stats.binomtest(max(method - upper, 0), max(abs(method - upper), 1)).pvalue
    assert found.upper.p == found.upper.p_alone  # one setting
    assert found.upper.p == pytest.approx(expected if method != upper else 1.0)
    assert found.upper.difference.value == pytest.approx((method - upper) / N)
    assert found.upper.difference.n == N
    assert (found.reason is None) == (outcome != "not comparable")
    assert found.match is (found.lower if outcome == "loses" else found.upper)


def test_caches_are_held_against_random_rows_to_the_per_cent() -> None:
    method, random, smaller = (
        make_language_record(method=name, family="kv", kept=kept, accuracy=accuracy)
        for name, kept, accuracy in (
            ("snapkv", 0.25, 0.8), ("random-cache", 0.25, 0.1), ("random-cache", 0.1, 0.05)
        )
    )  # fmt: skip
    found = verdicts(map(arm, [method, random, smaller]))[method.run_id]
    assert set(found) == {"random-cache"}
    judged = found["random-cache"]
    assert judged.outcome == "beats"
    assert judged.upper is not None
    assert judged.upper.run_id == random.run_id
    assert judged.share == pytest.approx(judged.upper.share, rel=0.01)
    decoding = make_language_record(method="prompt-lookup")
    assert verdicts([arm(decoding)]) == {decoding.run_id: {}}


def test_caches_are_compared_on_equal_terms_and_where_something_is_saved() -> None:
    random = make_language_record(
        method="random-cache", family="kv", kept=0.25, params={"keep": 0.25, "question": 0}
    )
    for method, params, kept, reason in (
        ("snapkv", {"keep": 0.25, "question": 1}, 0.25, "no-baseline-run"),
        ("snapkv", {"keep": 0.25}, 0.25, None),  # 0 is what it is where it is not said
        ("adakv", {"keep": 0.25, "question": 0}, 1.0, "nothing-saved"),
    ):
        other = make_language_record(method=method, family="kv", kept=kept, params=params)
        found = verdicts(map(arm, [other, random]))[other.run_id]["random-cache"]
        assert found.reason == reason, method


def test_equal_tokens_serve_both_sides() -> None:
    method, equal = run("tome", 0.5, 150), run("random-drop", 0.5, 120)
    found = judged(method, equal)
    assert found.outcome == "beats"
    assert found.upper == found.lower
    assert found.upper.share == pytest.approx(found.share)


@pytest.mark.parametrize(
    ("other", "outcome", "reason"),
    [
        ([], "not comparable", "no-baseline-run"),
        ([("random-drop", 0.4, 150)], "not comparable", "no-baseline-as-large"),
        ([("random-drop", 0.6, 150)], "not comparable", "no-baseline-as-small"),
        ([("random-drop", 0.4, 180)], "loses", None),
        ([("random-drop", 0.6, 120)], "beats", None),
        ([("downsample", 0.5, 150)], "not comparable", "no-baseline-run"),
    ],
)
def test_a_missing_side(
    other: list[tuple[str, float, int]], outcome: str, reason: str | None
) -> None:
    found = judged(run("tome", 0.5, 150), *(run(*each) for each in other))
    assert (found.outcome, found.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cell": {"precision": "bf16"}}, "no-baseline-run"),
        ({"task": "digits"}, "no-baseline-run"),
        ({"status": "oom"}, None),
    ],
)
def test_only_ok_runs_of_the_same_group_count(
    changes: dict[str, object], reason: str | None
) -> None:
    method = run("tome", 0.5, 150)
    if reason is None:
        other = make_record(method="random-drop", keep=0.5, samples=N, status="oom")
        assert arm(other) is None
        reason = "no-baseline-run"
    else:
        other = run("random-drop", 0.5, 100, **changes)
    assert judged(method, other).reason == reason


def test_other_samples_are_not_compared() -> None:
    method, other = run("tome", 0.5, 150), run("random-drop", 0.5, 100)
    task = other.cell.task.model_copy(update={"data_hash": "0" * 64})
    moved = other.model_copy(update={"cell": other.cell.model_copy(update={"task": task})})
    assert judged(method, moved).reason == "baseline-on-other-samples"
    assert judged(method, other).outcome == "beats"


def test_other_unreadable_samples_are_not_compared() -> None:
    """One unreadable sample in each run, but not the same: sample i is not the same sample."""
    records = []
    for method, right, bad in (("tome", 150, "a"), ("random-drop", 100, "b")):
        record = run(method, 0.5, right)
        assert isinstance(record.quality, Quality)
        quality = record.quality.model_copy(update={"unreadable": [bad]})
        records.append(record.model_copy(update={"quality": quality}))
    assert judged(*records).reason == "baseline-on-other-samples"


def test_p_is_corrected_over_the_settings_of_a_method() -> None:
    baseline = run("random-drop", 0.5, 140)
    settings = [run("tome", 0.5, right, seed=seed)
                for seed, right in enumerate((146, 147, 140))]  # fmt: skip
    found = verdicts(map(arm, [baseline, *settings, run("evit", 0.5, 146)]))
    upper = [found[each.run_id]["random-drop"].upper for each in settings]
    assert [match.tests for match in upper] == [3, 3, 3]
    assert [match.p_alone for match in upper] == pytest.approx([2 / 2**6, 2 / 2**7, 1.0])
    assert [match.p for match in upper] == pytest.approx([4 / 2**6, 6 / 2**7, 1.0])
    outcomes = [found[each.run_id]["random-drop"].outcome for each in settings]
    assert outcomes == ["no difference", "beats", "no difference"]
    alone = run("tome", 0.5, 146)
    assert judged(alone, baseline).outcome == "beats"
    other_class = run("tome", 0.5, 140, scenario="offline")
    assert judged(alone, baseline, other_class).upper.tests == 1


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ((140, 130), (140, 130), "beats"),
        ((140, 130), (150, 130), "no difference"),  # one variant is as good
        ((170, 158), (160, 100), "loses"),  # 8 of 8 disagreements: p = 0.0078, times two
        ((170, 156), (160, 100), "no difference"),  # 6 of 6: p = 0.031, times two
        ((140, 130), (160, 158), "loses"),
    ],
)
def test_a_baseline_is_as_good_as_its_best_variant(
    first: tuple[int, int], second: tuple[int, int], outcome: str
) -> None:
    """Each variant has a setting with more tokens and one with fewer."""
    others = [
        run("random-drop", keep, right, params={"keep": keep, "where": where})
        for where, rights, keeps in (("a", first, (0.6, 0.4)), ("b", second, (0.7, 0.3)))
        for right, keep in zip(rights, keeps, strict=True)
    ]
    assert judged(run("tome", 0.5, 150), *others).outcome == outcome


def test_settings_that_differ_in_the_dial_are_no_variants() -> None:
    """The next larger one decides, and not a still larger one that scores better."""
    others = [run("random-drop", keep, right, params={"keep": keep})
              for keep, right in ((0.4, 130), (0.6, 140), (0.7, 160))]  # fmt: skip
    assert judged(run("tome", 0.5, 150), *others).outcome == "beats"


def test_graded_scores_are_not_compared() -> None:
    method = run("tome", 0.5, 150)
    assert isinstance(method.quality, Quality)
    graded = method.quality.model_copy(
        update={"scores": method.quality.scores | {"method": [0.5] * N}}
    )
    found = judged(method.model_copy(update={"quality": graded}), run("random-drop", 0.5, 100))
    assert (found.outcome, found.reason) == ("not comparable", "scores-not-binary")


def test_of_equal_tokens_the_same_setup_is_chosen() -> None:
    method = run("tome", 0.5, 150, seed=3, scenario="offline")
    others = [run("random-drop", 0.5, 100, seed=seed, scenario=scenario)
              for seed in (0, 3) for scenario in ("stream", "offline")]  # fmt: skip
    for order in (others, others[::-1]):
        assert judged(method, *order).upper.run_id == others[3].run_id
    assert judged(method, *others[:3]).upper.run_id in (others[1].run_id, others[2].run_id)


def test_a_gpu_of_another_class_is_another_setup() -> None:
    """Both are ``cuda:0``; of runs that are alike otherwise the one on the same kind is chosen."""
    kinds = {name: {"device": "cuda:0", "device_class": f"cuda: {name}"} for name in "AB"}
    others = [run("random-drop", 0.5, right, cell=kinds[name])
              for name, right in (("A", 100), ("B", 110))]  # fmt: skip
    for name, other in zip("AB", others, strict=True):
        method = run("tome", 0.5, 150, cell=kinds[name])
        assert judged(method, *others).upper.run_id == other.run_id
    settings = [run("tome", 0.5, 150, seed=seed, cell=cell)
                for cell in kinds.values() for seed in (0, 1)]  # fmt: skip
    found = verdicts(map(arm, [*settings, others[0]]))
    assert [found[each.run_id]["random-drop"].upper.tests for each in settings] == [2] * 4


def test_a_baseline_is_not_judged_by_itself() -> None:
    first, second = run("random-drop", 0.5, 150), run("downsample", 0.5, 100)
    found = verdicts(map(arm, [first, second]))
    assert set(found[first.run_id]) == {"downsample"}
    assert found[first.run_id]["downsample"].outcome == "beats"
    assert found[second.run_id]["random-drop"].outcome == "loses"


def test_false_alarms_stay_at_the_level() -> None:
    """Method and baseline of one accuracy, equal tokens: at most 5 % get a verdict."""
    rng = np.random.default_rng(0)
    plain = run("tome", 0.5, 0), run("random-drop", 0.5, 0)
    template = [arm(record) for record in plain]
    decided = 0
    for _ in range(400):
        arms = []
        for each in template:
            fields = {name: getattr(each, name) for name in each.__slots__}
            arms.append(type(each)(**fields | {"scores": rng.random(N) < 0.8}))
        found = verdicts(arms)[plain[0].run_id]["random-drop"]
        decided += found.outcome in ("beats", "loses")
    assert decided / 400 < 0.07
