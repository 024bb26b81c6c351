"""Our language tasks: what they ask, and that it can be answered."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadData
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.requests import Requests
from tokonomy_tasks.language import generated, samples, text

DECODING = Decoding()
SHIPPED = (
    "code-line", "decode-code", "decode-copy", "decode-question", "decode-recall", "decode-sums",
    "decode-text", "docs-choice", "docs-likelihood", "next-word", "recall", "recall-many", "sums",
)  # fmt: skip
CARDS = {name: catalogue("task").card(name) for name in SHIPPED}
TURNS = ("decode-code", "decode-copy", "decode-question", "decode-text")
RECALL = {"recall": (1, 2), "recall-many": (6, 2), "decode-recall": (6, 1)}


def docs(name: str, split: str = "test") -> list[dict[str, Any]]:
    return [each.doc for each in DECODING.open(name, split).samples]


def best(data: Requests, at: int) -> Any:
    """What a model that knows everything would answer, as lm-eval would hand it to the metric."""
    doc = data.samples[at].doc
    match data.samples[at].asked[0].request_type, doc["target"]:
        case "generate_until", str(target):
            return [target]
        case _, int(place):
            return [(-1.0 if at == place else -9.0, at == place) for at in range(4)]
        case _:
            return [(-0.0, True)]


@pytest.mark.parametrize("name", sorted(CARDS))
def test_prompts_are_distinct_and_of_one_split(name: str) -> None:
    found = {split: [doc["prompt"] for doc in docs(name, split)] for split in ("train", "test")}
    assert all(len(each) == len(set(each)) >= 20 for each in found.values())
    assert not set(found["train"]) & set(found["test"])


@pytest.mark.parametrize("name", sorted(set(CARDS) - {"sums", "decode-sums"}))
@pytest.mark.parametrize("split", ["train", "test"])
def test_texts_asked_about_are_those_of_the_split(name: str, split: str) -> None:
    """Every line of some length, but for needles in it and the question."""
    known = "\n".join((*text.reference(split), *text.sources(split)))
    for doc in docs(name, split):
        body = re.sub(r" The code of \w+ is( \w+\.)?", "", doc["prompt"])
        body = re.sub(r"\n\nWhat does the text say after this:.*", "", body)
        lines = [line for line in body.split("\n")[:-1] if len(line) > 30]
        assert lines
        assert sum(line in known for line in lines) >= len(lines) - 8  # cut where texts are joined


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_right_answer_scores_one_and_no_answer_little(name: str) -> None:
    data = DECODING.open(name)
    (task,), (metric,) = data.tasks.values(), data.metrics.values()
    for at, sample in enumerate(data.samples):
        assert task.process_results(sample.doc, best(data, at))[metric] == 1.0
        if sample.asked[0].request_type == "generate_until":
            assert task.process_results(sample.doc, [""])[metric] == 0.0
            assert task.process_results(sample.doc, [" of the"])[metric] < 0.5


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_sample_has_a_group_and_lm_eval_is_asked_what_it_says(name: str) -> None:
    data = DECODING.open(name)
    assert all(data.groups)
    assert len(data.groups) == len(data) == len(data.samples)
    for sample in data.samples:
        assert {request.arguments[0] for request in sample.asked} == {sample.doc["prompt"]}
        if sample.asked[0].request_type == "loglikelihood" and isinstance(
            sample.doc["target"], str
        ):
            assert sample.asked[0].arguments[1] == sample.doc["target"]


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_model_s_own_tokenizer_can_part_prompt_and_target(name: str) -> None:
    """A prompt ends with a word and what follows begins with a space, or nothing is cut at all."""
    for doc in docs(name):
        follows = doc.get("choices", [doc["target"]])
        assert not doc["prompt"][-1].isspace()
        assert all(each[0] == " " and not each[1].isspace() for each in follows)


@pytest.mark.parametrize(("name", "needles", "each"), [(n, *v) for n, v in RECALL.items()])
def test_codes_are_where_they_are_said_to_be(name: str, needles: int, each: int) -> None:
    for doc in docs(name):
        prompt, length, depth = doc["prompt"], *map(int, re.findall(r"\d+", doc["group"]))
        body, _, asked = prompt.rpartition("\n")
        name_asked = re.fullmatch(r" The code of (\w+) is", asked)
        assert name_asked
        assert len(prompt) == length
        needle = generated.needle(name_asked[1], doc["target"].strip())
        assert prompt.count(asked) == 2
        assert body.count(needle) == 1
        hidden = re.findall(r" The code of \w+ is \w+\.", body)
        assert len(hidden) == len(set(hidden)) == needles
        whole = len(body) - sum(map(len, hidden))
        before = body[: body.index(needle)]
        place = len(before) - sum(len(other) for other in hidden if other in before)
        assert -1 <= place - depth / 100 * whole < 60  # at the next end of a word
        if depth in (0, 100):
            assert body.startswith(before) if depth == 0 else body.endswith(needle)
    groups = Counter(doc["group"] for doc in docs(name))
    assert len(groups) == 4 * 5
    assert set(groups.values()) == {each}


def test_a_sum_is_not_among_those_that_are_solved() -> None:
    for split in ("train", "test"):
        for doc in docs("sums", split) + docs("decode-sums", split):
            *solved, question = doc["prompt"].split("\n")
            assert len(solved) == 4
            assert not [line for line in solved if line.startswith(question)]
            left, sign, right, _ = question.split()
            made = {"+": int(left) + int(right), "-": int(left) - int(right),
                    "*": int(left) * int(right)}[sign]  # fmt: skip
            assert doc["target"] == f" {made}"
            assert text.for_test(question) == (split == "test")


def test_the_next_word_is_the_one_that_follows() -> None:
    for doc in docs("next-word"):
        assert any(doc["prompt"] + doc["target"] + " " in each for each in text.reference("test"))
        seen = doc["target"].strip() in re.findall(r"\w+", doc["prompt"])
        assert doc["group"] == ("seen before" if seen else "new")


def test_the_rest_of_a_line_is_the_one_that_follows() -> None:
    for doc in docs("code-line"):
        whole = doc["prompt"] + doc["target"]
        assert any(re.search(re.escape(whole) + r"[ \t]*\n", each) for each in text.sources("test"))
        assert 4 <= len(doc["target"]) <= 32


def test_one_of_four_ends_is_right() -> None:
    found = docs("docs-choice")
    for doc in found:
        goes_on = [any(doc["prompt"] + choice in each for each in text.reference("test"))
                   for choice in doc["choices"]]  # fmt: skip
        assert goes_on == [place == doc["target"] for place in range(4)]
        assert max(map(len, doc["choices"])) <= 100
    places = Counter(doc["target"] for doc in found)
    assert set(places) == set(range(4))
    longest = sum(
        len(doc["choices"][doc["target"]]) == max(map(len, doc["choices"])) for doc in found
    )
    assert longest < len(found) / 2  # length gives nothing away


@pytest.mark.parametrize("name", TURNS)
def test_turns_come_in_pairs_and_the_second_goes_on_from_the_first(name: str) -> None:
    found = docs(name)
    half = len(found) // 2
    for first, second in zip(found[:half], found[half:], strict=True):
        assert (first["group"], second["group"]) == ("first turn", "second turn")
        shared = first["prompt"][: -len(first["prompt"]) // 5]
        assert second["prompt"].startswith(shared)
        assert len(second["prompt"]) > len(first["prompt"])
        assert min(len(first["target"]), len(second["target"])) > 48


def test_what_is_to_be_said_again_was_said() -> None:
    for doc in docs("decode-copy"):
        passage, _, begun = doc["prompt"].rpartition(generated.AGAIN)
        assert begun + doc["target"] in passage


def test_what_the_text_says_is_in_the_text() -> None:
    for doc in docs("decode-question"):
        passage, _, words = doc["prompt"].rpartition("What does the text say after this:")
        assert passage.split("\n\nWhat does the text")[0].count(words) == 1
        assert words + doc["target"] in passage


def test_answers_that_are_short_or_long_are_held_against_as_much() -> None:
    target = "".join(f" word{number}" for number in range(40))
    for length in (48, 120, len(target), 10_000):
        assert samples.chrf({"target": target}, [(target * 99)[:length]])["chrf"] == 1.0
    assert samples.chrf({"target": target}, [target[:8]])["chrf"] < 0.3  # ended too early
    assert samples.chrf({"target": target}, [""])["chrf"] == 0.0
    assert samples.chrf({"target": target}, [" other things altogether"])["chrf"] < 0.2


@pytest.mark.parametrize(
    ("said", "score"),
    [(" 19", 1), (" 19\n", 1), (" 19, or", 1), (" 190", 0), (" 1", 0), ("19", 0), (" 19a", 0)],
)
def test_an_answer_begins_with_the_whole_word(said: str, score: int) -> None:
    assert samples.begins({"target": " 19"}, [said]) == {"begins": score}


def test_a_python_without_texts_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "reference", lambda _: ("short",))
    with pytest.raises(BadData, match="expected one of more than 500 characters"):
        samples.next_word()
    monkeypatch.setattr(text, "reference", lambda _: ("one two " * 100,))
    with pytest.raises(BadData, match="expected 60 samples from Python's own texts; got"):
        samples.next_word()


def test_cards_say_what_the_files_say() -> None:
    for name, card in CARDS.items():
        data = DECODING.open(name)
        file = Path(samples.__file__).with_name(f"{name.replace('-', '_')}.yaml")
        assert list(data.tasks) == [file.stem]
        assert card.models == ("docs-lm",)
        assert card.chance == {"docs-choice": 0.25, **dict.fromkeys(RECALL, 0.004)}.get(name)
