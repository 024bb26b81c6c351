"""Samples of the language tasks, as lm-eval's YAML files ask for them.

A sample has ``prompt`` and ``target``, and ``group``, the part of its task that it belongs to.
Every function gives the splits ``train`` and ``test``, the same ones each time; no two samples of
a split have the same prompt. Texts are cut between words: a model's tokens seldom end elsewhere.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from datasets import Dataset, DatasetDict

from tokonomy.errors import BadData
from tokonomy_tasks.language import generated, text

Sample = dict[str, Any]
Draw = Callable[[random.Random, str], Iterable[Sample]]

_DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LENGTHS = (400, 800, 1600, 3200)  # characters: about 130 to 1,000 tokens of the embedded model
_DRAWS = 100  # for each sample, at most; one in two or three is of use
_TOKENS = 48  # of an answer of the decoding tasks; no token is shorter than a character


def _splits(name: str, count: int, draw: Draw) -> DatasetDict:
    """The first ``count`` samples with prompts of their own that are drawn for each split.

    Those of one group stand together, so that places spread evenly over a split reach every group.
    """

    def drawn(split: str) -> list[Sample]:
        rng, found = random.Random(f"{name} {split}"), dict[str, Sample]()
        for _ in range(_DRAWS * count):
            found |= {each["prompt"]: each for each in draw(rng, split)}
            if len(found) >= count:
                kept = list(found.values())[:count]
                groups = list(dict.fromkeys(each.get("group") for each in kept))
                return sorted(kept, key=lambda each: groups.index(each.get("group")))
        raise BadData(f"{name}: expected {count} samples from Python's own texts; got {len(found)}")

    return DatasetDict({split: Dataset.from_list(drawn(split)) for split in ("train", "test")})


def _excerpt(rng: random.Random, of: Sequence[str], length: int) -> str:
    """So many characters of a text, from the beginning of a line on; any place as likely."""
    starts = [max(0, len(each) - length) for each in of]
    if not any(starts):
        raise BadData(f"Python's own texts: expected one of more than {length} characters")
    chosen = rng.choices(of, starts)[0]
    start = rng.randrange(len(chosen) - length)
    start = chosen.rfind("\n", 0, start) + 1
    return chosen[start : start + length]


def _gap(whole: str, at: int) -> int:
    """Place of the last space right after a word, before ``at``; ``at`` where there is none."""
    found = [match.start() + 1 for match in re.finditer(r"\S (?=\S)", whole[: at + 2])]
    return found[-1] if found else at


def _hay(rng: random.Random, split: str, length: int) -> str:
    """Text to hide something in, of several passages."""
    found = ""
    while len(found) < length:
        found += _excerpt(rng, text.reference(split), min(900, length)) + "\n"
    return found[:length]


def _hidden(
    rng: random.Random, split: str, length: int, depth: float, needles: int
) -> tuple[str, str]:
    """A text of ``length`` characters with codes in it and the question after one; its code."""
    pairs = generated.codes(rng, needles)
    question = f"\n{generated.ask(pairs[0][0])}"
    hidden = [generated.needle(*pair) for pair in pairs]
    hay = _hay(rng, split, length - len(question) - sum(map(len, hidden)))
    places = [depth, *(rng.random() for _ in hidden[1:])]
    prompt, begun = "", 0
    for place, needle in sorted(zip(places, hidden, strict=True)):
        at = len(hay) if place == 1 else hay.find(" ", int(place * len(hay)))
        at = len(hay) if at < 0 else at
        prompt += hay[begun:at] + needle
        begun = at
    return prompt + hay[begun:] + question, f" {pairs[0][1]}"


def recall(needles: int = 1, each: int = 2, **_: Any) -> DatasetDict:
    """A code asked for at the end of a text, over length and depth."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        for length in _LENGTHS:
            for depth in _DEPTHS:
                for _ in range(each):
                    prompt, code = _hidden(rng, split, length, depth, needles)
                    group = f"{length} characters, depth {depth:.0%}"
                    yield {"prompt": prompt, "target": code, "group": group}

    return _splits(f"recall {needles}", len(_LENGTHS) * len(_DEPTHS) * each, draw)


def sums(count: int = 40, **_: Any) -> DatasetDict:
    """A sum after some others that are solved; what one split asks, the other never does."""
    signs = {"+": "sums", "-": "differences", "*": "products"}

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        solved = [generated.sum_of(rng) for _ in range(4)]
        question, answer = generated.sum_of(rng)
        if text.for_test(question) == (split == "test") and question not in dict(solved):
            prompt = "".join("".join(pair) + "\n" for pair in solved) + question
            yield {"prompt": prompt, "target": answer, "group": signs[question.split()[1]]}

    return _splits("sums", count, draw)


def next_word(count: int = 60, **_: Any) -> DatasetDict:
    """The last word of an excerpt of the reference text."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        whole = _excerpt(rng, text.reference(split), 500)
        whole = whole[: _gap(whole, len(whole))]
        at = _gap(whole, len(whole))
        prompt, word = whole[:at], whole[at + 1 :]
        if word.isalpha():
            group = "seen before" if word in re.findall(r"\w+", prompt) else "new"
            yield {"prompt": prompt, "target": f" {word}", "group": group}

    return _splits("next word", count, draw)


def code_line(count: int = 40, **_: Any) -> DatasetDict:
    """The rest of a line of a module, up to 40 characters of it."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        whole, _, _ = _excerpt(rng, text.sources(split), 900).rpartition("\n")
        before, _, last = whole.rpartition("\n")
        at = _gap(last, len(last) - len(last.strip()) // 2)
        target = last[at:].rstrip()
        if before.count("\n") > 1 and target.startswith(" ") and 4 <= len(target) <= 32:
            prompt = f"{before}\n{last[:at]}"
            yield {"prompt": prompt, "target": target, "group": "rest of a line"}

    return _splits("code line", count, draw)


def choice(count: int = 50, **_: Any) -> DatasetDict:
    """Which of four passages goes on where an excerpt stops."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        wholes = [_excerpt(rng, text.reference(split), 560) for _ in range(4)]
        cuts = [_gap(whole, 440) for whole in wholes]
        pairs = zip(wholes, cuts, strict=True)
        ends = [whole[cut : _gap(whole, cut + 100)] for whole, cut in pairs]
        alike = any(end.strip() in wholes[0] for end in ends[1:])
        if not alike and all(len(end.split()) > 3 for end in ends):
            order = rng.sample(range(4), 4)
            yield {
                "prompt": wholes[0][: cuts[0]],
                "choices": [ends[place] for place in order],
                "target": order.index(0),
                "group": "four ends",
            }

    return _splits("choice", count, draw)


def passages(count: int = 24, **_: Any) -> DatasetDict:
    """How excerpts of the reference text and of modules go on."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        for group, of in (("reference", text.reference), ("code", text.sources)):
            whole = _excerpt(rng, of(split), 1400)
            at = _gap(whole, 1200)
            target = whole[at : _gap(whole, len(whole))]
            yield {"prompt": whole[:at], "target": target, "group": group}

    return _splits("passages", count, draw)


def continuation(count: int = 24, of: str = "reference", **_: Any) -> DatasetDict:
    """An excerpt to go on with; the second turn goes on after what really follows."""
    source = text.reference if of == "reference" else text.sources

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        whole = _excerpt(rng, source(split), 1100)
        for turn, at in (("first turn", 500), ("second turn", 800)):
            at = _gap(whole, at)
            yield {"prompt": whole[:at], "target": whole[at : at + 250], "group": turn}

    return _splits(f"continuation {of}", count, draw)


def copying(count: int = 24, **_: Any) -> DatasetDict:
    """A passage to be said again; the second turn asks for it once more."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        for of in (text.sources, text.reference):
            passage = _excerpt(rng, of(split), 500)
            at = _gap(passage, 40)
            again, target = generated.AGAIN + passage[:at], passage[at : at + 250]
            yield {"prompt": passage + again, "target": target, "group": "first turn"}
            twice = passage + generated.AGAIN + passage + again
            yield {"prompt": twice, "target": target, "group": "second turn"}

    return _splits("copying", count, draw)


def question(count: int = 24, **_: Any) -> DatasetDict:
    """What words of a passage are followed by; the second turn asks about others."""

    def draw(rng: random.Random, split: str) -> Iterator[Sample]:
        passage = asked = _excerpt(rng, text.reference(split), 700)
        places = [_gap(passage, at) for at in rng.sample(range(100, 480), 2)]
        spans = [(at, _gap(passage, at + 30)) for at in places]
        if any(end <= at or passage.count(passage[at:end]) > 1 for at, end in spans):
            return
        for turn, (at, end) in zip(("first turn", "second turn"), spans, strict=True):
            asked = f"{asked}\n\nWhat does the text say after this:{passage[at:end]}"
            target = passage[end : end + 150]
            yield {"prompt": asked, "target": target, "group": turn}
            asked += target

    return _splits("question", count, draw)


def chrf(doc: Sample, results: list[str]) -> dict[str, float]:
    """Character n-gram F-score of an answer (chrF2, Popović 2015), between 0 and 1.

    An answer is held against as much of the text as it is long, so that the tokenizer, which says
    how far so many tokens reach, has no part in it.
    """
    from sacrebleu import CHRF

    said = results[0][: len(doc["target"])]
    wanted = doc["target"][: max(len(said), _TOKENS)]
    if not said.strip() or not wanted.strip():
        return {"chrf": float(said.strip() == wanted.strip())}
    return {"chrf": min(1.0, CHRF().sentence_score(said, [wanted]).score / 100)}


def likelihood(doc: Sample, results: list[tuple[float, bool]]) -> dict[str, float]:
    """Mean probability of a byte of what follows: 2 to the power of minus the bits per byte."""
    return {"likelihood": math.exp(results[0][0] / len(doc["target"].encode()))}


def begins(doc: Sample, results: list[str]) -> dict[str, float]:
    """Whether an answer begins with what is wanted, as a word of its own."""
    said, wanted = results[0], doc["target"]
    rest = said[len(wanted) : len(wanted) + 1]
    return {
        "begins": float(said.startswith(wanted) and not (rest.isalnum() and wanted[-1:].isalnum()))
    }
