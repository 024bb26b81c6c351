"""How answers came about, told from the model's passes and from the cache before each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise

from tokonomy.store.fields import Missing
from tokonomy.store.observed import Decoded, Decoding

UNTOLD = Missing(reason="growth-not-tokens")


def whole_prompts(counted: Decoding | Missing) -> Decoding | Missing:
    """The same with all passes that read a sample's prompt taken for one, in either arm.

    A method may read the question apart, or a prompt in pieces; the reference reads it in one pass,
    and so tells its length. Drafts that are read with a prompt are left out of what that pass read;
    ``first_tokens`` tells which of them stood.
    """
    if isinstance(counted, Missing):
        return counted
    lengths = [sum(sample.read[:1]) for sample in counted.reference]
    joined = [
        _prompt_alone(_joined(sample, length), length)
        for sample, length in zip(counted.method, lengths, strict=False)
    ]
    return counted.model_copy(update={"method": [*joined, *counted.method[len(joined) :]]})


def _prompt_alone(sample: Decoded, prompt: int) -> Decoded:
    if sum(sample.read[:1]) <= prompt:
        return sample
    return sample.model_copy(update={"read": [prompt, *sample.read[1:]]})


def first_tokens(sample: Decoded) -> int:
    """Tokens that the prompt's pass gave: one, and drafts read with the prompt that stood.

    The sample is of ``whole_prompts``. All tokens, where no pass followed.
    """
    if not sample.read[1:]:
        return sample.tokens
    return 1 + max(0, sample.cached[1] - sample.read[0])


def _joined(sample: Decoded, prompt: int) -> Decoded:
    """Where fewer tokens than the prompt's were read in all, the first pass stands for it."""
    totals = list(accumulate(sample.read))
    end = next((at for at, total in enumerate(totals) if total >= prompt), 0)
    if not end:
        return sample
    columns = {
        name: [getattr(sample, name)[0], *getattr(sample, name)[end + 1 :]]
        for name in ("cached", "logical_bytes", "physical_bytes")
    }
    read = [totals[end], *sample.read[end + 1 :]]
    return sample.model_copy(update={"read": read, **columns})


def accepted(sample: Decoded) -> list[int] | None:
    """Tokens that each pass after the prompt's gave, the model's own one included.

    A pass leaves in the cache what it was given and what stood of the draft, and its last token is
    given to the next; so the cache grows by what a pass gives, and the last pass gave the rest.
    None where that is contradicted, as by a cache that forgets: no pass gives less than one token,
    or more than it read. The sample is of ``whole_prompts``.
    """
    read, rest = sample.read[1:], sample.tokens - first_tokens(sample)
    if rest == len(read) and all(each == 1 for each in read):
        return [1] * len(read)
    grown = [after - before for before, after in pairwise(sample.cached[1:])]
    given = [*grown, rest - sum(grown)]
    fits = len(given) == len(read) and all(
        1 <= each <= most for each, most in zip(given, read, strict=True)
    )
    return given if fits else None


def histogram(samples: Sequence[Decoded]) -> dict[int, int] | Missing:
    """How many passes after the prompt's gave how many tokens, over all samples."""
    found: Counter[int] = Counter()
    for sample in samples:
        given = accepted(sample)
        if given is None:
            return UNTOLD
        found.update(given)
    return dict(sorted(found.items())) if found else Missing(reason="no-later-pass")


def most(sample: Decoded, passes: int | None = None) -> tuple[int, int]:
    """Most logical and physical bytes before any of so many passes after the prompt's, or of all.

    There must be one.
    """
    end = None if passes is None else 1 + passes
    return max(sample.logical_bytes[1:end]), max(sample.physical_bytes[1:end])


def alike(ours: Decoded, theirs: Decoded) -> tuple[tuple[int, int], tuple[int, int]]:
    """Most bytes of both as long as both have made as many tokens, of all passes if not known.

    A longer answer fills a cache; and one whose last pass makes several tokens is not looked at
    after them, while the reference is.
    """
    grown = [_tokens_before(sample) for sample in (ours, theirs)]
    if any(each is None for each in grown):
        return most(ours), most(theirs)
    shared = min(each[-1] for each in grown if each)
    passes = (sum(made <= shared for made in each or ()) for each in grown)
    return most(ours, next(passes)), most(theirs, next(passes))


def _tokens_before(sample: Decoded) -> list[int] | None:
    """Tokens made before each pass after the prompt's; None where that cannot be told."""
    given = accepted(sample)
    return None if given is None else list(accumulate(given[:-1], initial=first_tokens(sample)))
