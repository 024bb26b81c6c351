"""Computed sentences, charts and classes against small cases worked by hand."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tokonomy.catalog.cards import Claim
from tokonomy.store.metrics import Metric
from tokonomy_site import words
from tokonomy_site.board import Row
from tokonomy_site.charts import Point, chart, front, stands
from tokonomy_site.claims import named, ours
from tokonomy_site.figures import percent, ratio
from tokonomy_site.groups import group_of, grouped
from tokonomy_site.links import paper, repository, slug
from tokonomy_site.marks import signs
from tokonomy_site.scales import scale
from tokonomy_site.sentences import curves
from tokonomy_site.snapshot import Run

SITE = Path(words.__file__).parent


def test_pages_say_which_interval_decides_and_sittings_where_runs_are_repeated() -> None:
    sources = [*SITE.rglob("*.py"), *SITE.rglob("*.html"), SITE.parents[1] / "README.md"]
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bsurely\b|[Ss]essions,? (which )?differ", text), path


def metric(value: float | None, low: float | None = None, high: float | None = None) -> Metric:
    return Metric(name="latency_ratio", value=value, low=low, high=high, unit="1")


def point(x: float, y: float, name: str = "a") -> Point:
    return Point(
        x=metric(x), y=metric(y), href="#r1", label=name, short=name, series=name,
        style="k0", shape="m0",
    )  # fmt: skip


def test_a_slow_method_is_explained_by_its_own_figures() -> None:
    said = words.slower(metric(0.4), metric(0.45), metric(1.12, 1.10, 1.14), "as quoted")
    assert "60.0 % fewer MLP tokens" in said
    assert "latency ratio as quoted" in said
    assert "0.45 of the reference's" in said
    assert "costs 0.67 of a reference call" in said


def test_a_fast_method_needs_no_excuse() -> None:
    assert words.slower(metric(0.4), metric(0.45), metric(0.6, 0.58, 0.62), "1") == ""
    assert words.slower(metric(0.4), metric(0.45), metric(None), "1") == ""


def test_an_interval_around_one_is_no_change_that_could_be_told() -> None:
    said = words.slower(metric(0.9), metric(0.92), metric(0.99, 0.97, 1.01), "1")
    assert "no change in time could be detected" in said


def test_a_method_that_removes_nothing_is_told_apart() -> None:
    said = words.slower(metric(1.0), metric(1.0), metric(1.3, 1.28, 1.32), "1")
    assert said.startswith("removes hardly any tokens")
    assert words.slower(metric(None), metric(1.0), metric(1.3, 1.28, 1.32), "1") == ""
    assert words.slower(metric(1.0), metric(1.0), metric(1.001, 0.99, 1.01), "1") == ""


def test_arithmetic_that_grew_with_the_time_is_the_reason() -> None:
    said = words.slower(metric(0.9), metric(1.2), metric(1.15, 1.1, 1.2), "1")
    assert "counted arithmetic is 1.20 of the reference's as well" in said


def test_verdicts_are_counted_over_what_can_be_compared() -> None:
    found = ["beats", "beats", "loses", "no difference", "not comparable"]
    said = words.tally(found, "random drop", "tokens")
    assert "beats random drop at 2 of 4 settings" in said
    assert "loses at 1" in said
    assert "1 more setting has no counterpart" in said
    assert "no setting can be compared" in words.tally(["not comparable"], "random drop", "tokens")


def test_a_rise_beyond_both_intervals_is_named() -> None:
    lost, even = metric(0.05, 0.02, 0.08), metric(0.01, -0.01, 0.03)
    falling = [
        ("r 2", metric(0.9), metric(0.86, 0.84, 0.88), even),
        ("r 4", metric(0.7), metric(0.80, 0.78, 0.82), lost),
        ("r 8", metric(0.5), metric(0.70, 0.68, 0.72), lost),
    ]
    assert "falls from 86.0 % to 70.0 %" in words.monotone(falling)
    rising = [*falling, ("r 9", metric(0.4), metric(0.79, 0.77, 0.81), lost)]
    assert "r 9 (79.0 %) above r 8 (70.0 %)" in words.monotone(rising)
    within = [*falling, ("r 9", metric(0.4), metric(0.71, 0.69, 0.73), lost)]
    assert "with no rise" in words.monotone(within)
    assert words.monotone(falling[:2]) == ""


def test_a_loss_that_only_pairing_shows_is_told() -> None:
    lost, even = metric(0.05, 0.02, 0.08), metric(0.01, -0.01, 0.03)
    wide = [(f"r {i}", metric(1 - i / 10), metric(0.8, 0.7, 0.9)) for i in range(3)]
    said = words.monotone([(*wide[0], even), (*wide[1], even), (*wide[2], lost)])
    assert "beyond chance at 1 of 3 settings" in said
    assert "at any of 3 settings" in words.monotone([(*each, even) for each in wide])


def test_settings_that_differ_in_more_than_the_dial_are_on_other_curves() -> None:
    given = [(0.9, "stages"), (0.5, "stages"), (0.9, "input")]
    made = [row_like({"keep": keep, "where": where}) for keep, where in given]
    assert curves(made, "keep") == {"where stages": made[:2], "where input": made[2:]}
    assert curves(made[:2], "keep") == {"": made[:2]}


@pytest.mark.parametrize(
    ("cost", "place"),
    [
        (Metric(name="latency_ratio", value=0.5, low=0.49, high=0.51, unit="1"), "on"),
        (Metric(name="latency_ratio", value=0.5, unit="1", reason="blocks-alike"), "possibly"),
        (Metric(name="latency_ratio", value=0.5, low=0.49, unit="1"), "possibly"),
        (Metric(name="tokens_kept", value=0.5, unit="1"), "on"),
    ],
)
def test_a_place_is_certain_of_exact_figures_and_of_intervals_only(
    cost: Metric, place: str
) -> None:
    quality = Metric(name="accuracy", value=0.8, low=0.79, high=0.81, unit="1")
    other = replace(point(0.9, 0.8), x=metric(0.9, 0.89, 0.91), y=quality)
    drawn = replace(point(0.5, 0.8), x=cost, y=quality._replace(low=0.80, high=0.82))
    assert stands([drawn, other])[id(drawn)] == place


def test_a_quality_without_an_interval_may_be_anything() -> None:
    known = Metric(name="accuracy", value=0.8, low=0.79, high=0.81, unit="1")
    cheap = replace(point(0.5, 0.9), x=metric(0.5, 0.5, 0.5), y=known._replace(low=None, high=None))
    dear = replace(point(0.9, 0.8), x=metric(0.9, 0.9, 0.9), y=known)
    found = stands([cheap, dear])
    assert (found[id(cheap)], found[id(dear)]) == ("on", "possibly")


def test_a_method_without_a_card_is_of_a_kind_that_is_not_known() -> None:
    runs = [replace(run_like(model="m", task="t"), method=name) for name in
            ("reference", "free", "learnt", "strange")]  # fmt: skip
    kinds = {"reference": "reference", "free": "offline-calibrated", "learnt": "trained"}
    found = {group.training: [run.method for run in each]
             for group, each in grouped(runs, kinds).items()}  # fmt: skip
    assert found == {
        "none": ["free", "reference"],
        "trained": ["learnt", "reference"],
        "not known": ["strange", "reference"],
    }
    assert list(grouped(runs[:1], kinds)) == [group_of(runs[0], "none")]


def test_a_sign_beside_a_mark_has_room_of_its_own() -> None:
    points = [replace(point(0.5 + i / 9, 0.5 + i / 9, f"method {i}"), sign="\u2020")
              for i in range(4)]  # fmt: skip
    drawn = chart(points, title="", x_title="", y_title="", x_form=ratio, y_form=percent)
    assert drawn is not None
    assert drawn.labels
    for label in drawn.labels:
        left = label.x if label.anchor == "start" else label.x - 6.3 * len(label.text)
        right = left + 6.3 * len(label.text)
        for mark in (mark for marks in drawn.marks.values() for mark in marks):
            beside = right <= mark.x + 4 or left >= mark.x + 11
            assert beside or label.y + 2 <= mark.y - 13 or label.y - 10 >= mark.y + 4


def test_the_front_holds_what_nothing_beats() -> None:
    points = [point(1.0, 0.9, "ref"), point(0.5, 0.8), point(0.6, 0.7), point(0.5, 0.6)]
    assert [(p.x.value, p.y.value) for p in front(points)] == [(0.5, 0.8), (1.0, 0.9)]


def test_the_step_line_rises_at_each_point_and_ends_at_the_edge() -> None:
    drawn = chart(
        [point(0.5, 0.8), point(1.0, 0.9)], title="t", x_title="x", y_title="y",
        x_form=ratio, y_form=percent, one=True,
    )  # fmt: skip
    assert drawn is not None
    (a, b) = drawn.marks["a"]
    assert a.x < b.x
    assert a.y > b.y  # higher quality is further up
    path = f"M{a.x:g} {drawn.y.start:g}V{a.y:g}H{b.x:g}V{b.y:g}H{drawn.x.end:g}"
    assert drawn.front == path
    assert drawn.one == b.x


def test_a_chart_needs_two_points_that_have_both_figures() -> None:
    lonely = [point(0.5, 0.8), point(1.0, 0.9)]
    lonely[1] = Point(**{**{n: getattr(lonely[1], n) for n in Point.__slots__}, "y": metric(None)})
    assert chart(lonely, title="", x_title="", y_title="", x_form=ratio, y_form=percent) is None


def test_labels_cover_neither_marks_nor_each_other() -> None:
    points = [point(0.5 + i / 50, 0.5 + i / 40, f"method {i}") for i in range(12)]
    drawn = chart(points, title="", x_title="", y_title="", x_form=ratio, y_form=percent)
    assert drawn is not None
    assert len(drawn.labels) > 2
    boxes = []
    for label in drawn.labels:
        left = label.x if label.anchor == "start" else label.x - 6.3 * len(label.text)
        boxes.append((left, label.y - 10, left + 6.3 * len(label.text), label.y + 2))
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1


def test_a_label_leaves_the_axis_its_title() -> None:
    title, seen = "words of an axis", 0
    for up in (0.8, 0.9, 0.95, 0.99, 1.0):
        points = [point(0.5, up, "front"), point(0.9, 0.2, "beaten"), point(0.7, 1.0, "")]
        drawn = chart(points, title="", x_title="", y_title=title, x_form=ratio, y_form=percent)
        assert drawn is not None
        for label in drawn.labels:
            left = label.x if label.anchor == "start" else label.x - 6.3 * len(label.text)
            beside = left > drawn.x.start + 4 + 6.3 * len(title)
            assert beside or label.y - 10 >= drawn.y.end + 4
            seen += 1
    assert seen > 2


@pytest.mark.parametrize("values", [[0.5, 0.5], [0.01, 30.0], [0.0, 1.0], [-0.2, 0.3]])
def test_an_axis_holds_its_values_and_has_ticks(values: list[float]) -> None:
    axis = scale(values, start=0, end=100, form=ratio, logs=True)
    assert all(0 <= axis.place(value) <= 100 for value in values)
    assert 2 <= len(axis.ticks) <= 12
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


def test_marks_are_distinct_in_shape_and_colour_together() -> None:
    found = signs([f"m{i}" for i in range(36)])
    assert len({(sign.style, sign.shape) for sign in found.values()}) == 39


@pytest.mark.parametrize(
    "arxiv", ['2210.09461" onclick=', "javascript:alert(1)", "../x", "", None, "2210.094"]
)
def test_only_arxiv_ids_become_addresses(arxiv: str | None) -> None:
    assert paper(arxiv) is None
    assert paper("2210.09461") == "https://arxiv.org/abs/2210.09461"


@pytest.mark.parametrize("name", ["a", "a/b/c", "a/b?x", "//evil", "a b/c", None])
def test_only_repositories_become_addresses(name: str | None) -> None:
    assert repository(name) is None
    assert repository("facebookresearch/ToMe") == "https://github.com/facebookresearch/ToMe"


@pytest.mark.parametrize(
    "name", ["../../etc", "A/B", "", "x" * 300, "con\x00", "é", "a" + "-a" * 60]
)
def test_any_name_becomes_a_plain_and_distinct_file_name(name: str) -> None:
    made = slug(name)
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in made)
    assert 0 < len(made) <= 60
    assert made != slug(name + "x")


def test_a_claim_meets_a_run_only_at_the_same_model_data_and_setting() -> None:
    stated = Claim(
        model="DeiT-S", dataset="ImageNet-1k val", setting="r=13", metric="top-1 accuracy",
        value=79.4, unit="%", source="README",
    )  # fmt: skip
    assert not named(stated.model, "textures-vit")
    assert not named(stated.model, "hf:facebook/deit-base-patch16-224")
    here = run_like(model="hf:facebook/deit-small-patch16-224", task="imagefolder:imagenet-1k/val")
    assert ours(stated, [here]) is here
    assert ours(stated, [replace(here, params={"r": 8})]) is None
    assert ours(replace(stated, metric="throughput"), [here]) is None
    assert ours(stated, [replace(here, task_ref="textures")]) is None


def row_like(params: dict[str, object]) -> Row:
    run = replace(run_like(model="m", task="t"), params=params)
    return Row(id=str(params), run=run, title="x", setting=str(params), seeds=0)


def run_like(model: str, task: str) -> Run:
    texts = dict.fromkeys((field.name for field in fields(Run) if field.type == "str"), "x")
    given = texts | {"model_ref": model, "task_ref": task, "params": {"r": 13}}
    numbers = {"seed", "samples", "embedded", "batch_size", "threads", "protocol"}
    accuracy = Metric(name="accuracy", value=0.79, low=0.78, high=0.8, unit="1")
    empty = {"reason": None, "flags": (), "verdicts": {}, "figures": {"accuracy": accuracy}}
    return Run(**(given | dict.fromkeys(numbers, 1) | empty))
