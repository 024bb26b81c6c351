"""The texts that every Python holds, their splits, and what is made from a seed."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from tokonomy.errors import BadData
from tokonomy_tasks.language import generated, text

KINDS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "reference": text.reference,
    "sources": text.sources,
}


def paragraphs(split: str) -> list[str]:
    """Paragraphs of the reference, without their line breaks."""
    found = [part for each in text.reference(split) for part in re.split(r"\n\s*\n", each)]
    return [" ".join(part.split()) for part in found]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_text_in_ten_or_so_is_for_testing(kind: str) -> None:
    train, test = KINDS[kind]("train"), KINDS[kind]("test")
    assert 0.05 < len(test) / len(train + test) < 0.2
    assert not set(train) & set(test)
    assert len(set(train + test)) == len(train + test)
    assert sum(map(len, test)) > 30_000


def test_no_paragraph_is_in_both_splits_or_twice_in_one() -> None:
    train, test = paragraphs("train"), paragraphs("test")
    assert not set(train) & set(test)
    assert Counter(train + test).most_common(1)[0][1] == 1
    seen = " ".join(train)
    assert not [each for each in test if len(each) > 60 and each in seen]
    words = [each.split() for each in test]
    rows = [" ".join(each[at : at + 12]) for each in words for at in range(len(each) - 11)]
    assert sum(row in seen for row in rows) < 0.03 * len(rows)  # sentences that come again


def test_modules_are_the_library_s_own_and_not_its_tests() -> None:
    found = text.sources("train") + text.sources("test")
    assert any("class Decimal" in each or "def namedtuple" in each for each in found)
    assert not [each for each in found if "import unittest" in each and "class Test" in each]
    assert min(map(len, found)) >= 200


def test_a_split_is_train_or_test() -> None:
    for kind in KINDS.values():
        with pytest.raises(BadData, match="split is 'train' or 'test'; got 'validation'"):
            kind("validation")


def test_texts_and_samples_are_the_same_in_every_process() -> None:
    code = (
        "import hashlib; from tokonomy_tasks.language import generated, samples, text\n"
        "found = [f(s) for f in (text.reference, text.sources) for s in ('train', 'test')]\n"
        "found += [samples.choice()['test'].to_list(), samples.recall(6)['train'].to_list()]\n"
        "found += [generated.NAMES, generated.CODES]\n"
        "print(hashlib.sha256(repr(found).encode()).hexdigest())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert said[0] == said[1]


def test_names_and_codes_are_words_of_their_own() -> None:
    assert len(set(generated.NAMES + generated.CODES)) == 512
    assert all(len(word) == 4 and word.isalpha() for word in generated.NAMES + generated.CODES)
    pairs = generated.codes(random.Random(0), 200)
    names, codes = zip(*pairs, strict=True)
    assert len(set(names)) == len(set(codes)) == 200


def test_sums_are_right() -> None:
    rng = random.Random(0)
    for _ in range(300):
        question, answer = generated.sum_of(rng)
        left, sign, right, _ = question.split()
        made = {
            "+": int(left) + int(right),
            "-": int(left) - int(right),
            "*": int(left) * int(right),
        }
        assert answer == f" {made[sign]}"
