"""Sentences made from a seed: codes to be recalled, sums, passages to be said again."""

from __future__ import annotations

import random
from itertools import product

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


def _words() -> list[str]:
    """Every word of two open syllables, in an order of its own."""
    words = ["".join(part) for part in product(_CONSONANTS, _VOWELS, _CONSONANTS, _VOWELS)]
    random.Random("words").shuffle(words)
    return words


#: Names that codes are asked by, and the codes.
NAMES, CODES = (lambda words: (tuple(words[:256]), tuple(words[256:512])))(_words())


def ask(name: str) -> str:
    """The beginning of a needle, which is the question too; the code follows after a space."""
    return f" The code of {name} is"


def needle(name: str, code: str) -> str:
    """A sentence to be recalled later."""
    return f"{ask(name)} {code}."


def codes(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Names, all different, each with a code of its own."""
    return list(zip(rng.sample(NAMES, count), rng.sample(CODES, count), strict=True))


def sum_of(rng: random.Random) -> tuple[str, str]:
    """A sum, difference or product and what it makes, e.g. ``("12 + 7 =", " 19")``."""
    sign = rng.choice("+-*")
    highest = 12 if sign == "*" else 99
    left, right = rng.randint(0, highest), rng.randint(0, highest)
    made = {"+": left + right, "-": left - right, "*": left * right}[sign]
    return f"{left} {sign} {right} =", f" {made}"


#: Between a passage and its repetition.
AGAIN = "\n\nThe same again:\n\n"
