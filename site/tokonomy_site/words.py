"""Sentences computed from figures. None is written by hand for a method, so none can go stale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tokonomy.store.metrics import Metric
from tokonomy_site.figures import Form, contains, count, percent, ratio, significant
from tokonomy_site.meanings import LOSSLESS_MEANING

_SMALL = 0.02  # share of tokens or time below which a difference is not worth a sentence


def plural(number: int, noun: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "setting"), plural(1200, "run")
    ('1 setting', '1,200 runs')
    """
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"


def slower(tokens: Metric, flops: Metric, latency: Metric, quoted: str) -> str:
    """Why fewer tokens did not make a run faster; empty where they did or were not counted.

    Args:
        tokens: Share of the reference's MLP tokens worked on.
        flops: Theoretical arithmetic, method over reference.
        latency: Time of a call, method over reference.
        quoted: The same as a sentence has it.
    """
    if latency.value is None or (latency.value < 1 and not contains(latency, 1)):
        return ""
    if tokens.value is None:
        return ""
    if tokens.value > 1 - _SMALL:
        if latency.value < 1 + _SMALL:
            return ""
        return f"removes hardly any tokens and adds work of its own: latency ratio {quoted}"
    gone = f"works on {percent(1 - tokens.value)} % fewer MLP tokens"
    took = "no change in time could be detected: " if contains(latency, 1) else ""
    return f"{gone}, yet {took}latency ratio {quoted}{_surplus(flops, latency)}"


def _surplus(flops: Metric, latency: Metric) -> str:
    """How much of the time the counted arithmetic leaves unexplained."""
    if flops.value is None or latency.value is None:
        return ""
    rest = latency.value - flops.value
    if rest < _SMALL:
        return f"; its counted arithmetic is {ratio(flops.value)} of the reference's as well"
    return (
        f"; its counted arithmetic is {ratio(flops.value)} of the reference's, so what else it "
        f"does costs {ratio(rest)} of a reference call, more than the smaller blocks save"
    )


#: What the time beyond the counted arithmetic can be; said once beside such sentences.
ELSE = (
    "Beyond the counted arithmetic a call spends time on choosing, matching and moving tokens, on "
    "operators that count no arithmetic, and on costs per call that do not shrink with tokens. "
    "Where these exceed what the smaller blocks save, as on small models, fewer tokens are not "
    "faster."
)


ELSE_DRAFTS = (
    "A pass that reads a draft takes longer than one that reads a token, and finding drafts takes "
    "time as well. Where what is accepted does not make up for both, as where little of the text "
    "was said before, drafting is not faster."
)
ELSE_CACHE = (
    "Choosing what to keep takes time, and reading a smaller cache saves some only where the cache "
    "is long. On small models with short prompts a smaller cache is memory saved, not time."
)


def slower_drafts(accepted: Metric, calls: Metric, latency: Metric, quoted: str) -> str:
    """Why drafts did not make a run faster; empty where they did or passes were not counted.

    Args:
        accepted: Tokens of a pass after the prompt's.
        calls: Passes after the prompt's, per answer.
        latency: Time of a call, method over reference.
        quoted: The same as a sentence has it.
    """
    if latency.value is None or (latency.value < 1 and not contains(latency, 1)):
        return ""
    if accepted.value is None or calls.value is None:
        return ""
    if accepted.value < 1 + _SMALL and latency.value < 1 + _SMALL:
        return ""
    took = "no change in time could be detected: " if contains(latency, 1) else ""
    return (
        f"gives {ratio(accepted.value)} tokens a pass, in {significant(calls.value)} passes for an "
        f"answer, yet {took}latency ratio {quoted}"
    )


def slower_cache(kept: Metric, latency: Metric, quoted: str) -> str:
    """Why a smaller cache did not make a run faster; empty where it did or is none.

    Args:
        kept: Bytes cached, method over reference.
        latency: Time of a call, method over reference.
        quoted: The same as a sentence has it.
    """
    if latency.value is None or (latency.value < 1 and not contains(latency, 1)):
        return ""
    if kept.value is None or (kept.value > 1 - _SMALL and latency.value < 1 + _SMALL):
        return ""
    took = "no change in time could be detected: " if contains(latency, 1) else ""
    less = f"caches {percent(kept.value)} % of the reference's bytes"
    return f"{less}, yet {took}latency ratio {quoted}"


def longer(ours: Metric, theirs: Metric) -> str:
    """That answers are longer than the reference's, which takes time; empty where they are not."""
    if ours.value is None or theirs.value is None or ours.value < theirs.value * (1 + _SMALL):
        return ""
    said = f"{significant(ours.value)} tokens for the reference's {significant(theirs.value)}"
    return f"; its answers are longer, {said}, which takes time by itself"


def shorter(answers: Sequence[tuple[Metric, Metric]]) -> str:
    """At how many settings answers are shorter than the reference's; empty where at none.

    Args:
        answers: Tokens of an answer of the method and of the reference, of faster settings.
    """
    less = sum(
        ours.value is not None
        and theirs.value is not None
        and ours.value < theirs.value * (1 - _SMALL)
        for ours, theirs in answers
    )
    return (
        f" At {less} of these its answers are shorter, which saves time by itself." if less else ""
    )


def equal(agreement: Metric) -> str:
    """How many answers are the reference's own; empty where they were not compared.

    >>> equal(Metric(name="agreement", value=0.75, n=8))
    '6 of 8 answers equal'
    """
    if agreement.value is None or not agreement.n:
        return ""
    return f"{count(agreement.value * agreement.n)} of {count(agreement.n)} answers equal"


def broken(claim: str, agreement: Metric) -> bool:
    """Whether a method that claims to be exact was seen not to be."""
    return claim == "exact" and agreement.value is not None and agreement.value < 1


def lossless(claim: str, settings: Sequence[tuple[str, Metric]]) -> str:
    """What a method claims of its answers, and how many were seen to be the reference's.

    Args:
        claim: As on the card; empty without one.
        settings: Name and agreement of each setting.
    """
    known = [each for each in settings if equal(each[1])]
    if not known:
        return ""
    said = f"It claims: {claim}, {LOSSLESS_MEANING[claim]}. " if claim in LOSSLESS_MEANING else ""
    if claim == "distribution":
        return f"{said}A run does not test that: what is drawn need not be the likeliest."
    name, worst = min(known, key=lambda each: each[1].value or 0.0)
    if worst.value == 1:
        every = "At its setting" if len(known) == 1 else f"At each of {len(known)} settings"
        return f"{said}{every} every answer is the reference's: {equal(worst)}."
    whole = sum(each.value == 1 for _, each in known)
    verdict = "The claim is not met: at" if broken(claim, worst) else "At"
    return (
        f"{said}{verdict} {whole} of {plural(len(known), 'setting')} every answer is the "
        f"reference's; fewest at {name or 'its setting'}, {equal(worst)}."
    )


def spread(figure: str, values: Sequence[Metric], form: Form) -> str:
    """A figure over the settings, from the least to the most; empty without any.

    Args:
        figure: Words with ``{}`` for the figure.
        values: Of each setting.
        form: Writes it.
    """
    known = sorted(each.value for each in values if each.value is not None)
    if not known:
        return ""
    ends = dict.fromkeys(form(value) for value in (known[0], known[-1]))
    return figure.format(" to ".join(ends))


def tally(verdicts: Sequence[str], baseline: str, equal: str) -> str:
    """At how many settings a method beats a baseline that spends as much.

    Args:
        verdicts: One word per setting, as in ``Verdict.word``.
        baseline: The baseline's name in a sentence.
        equal: What both spend.
    """
    known = [v for v in verdicts if v != "not comparable"]
    apart = len(verdicts) - len(known)
    rest = f" {plural(apart, 'more setting has', 'more settings have')} no counterpart."
    if not known:
        return f"At equal {equal} with {baseline}: no setting can be compared."
    beats, loses = known.count("beats"), known.count("loses")
    even = len(known) - beats - loses
    return (
        f"At equal {equal} it beats {baseline} at {beats} of {plural(len(known), 'setting')}, "
        f"loses at {loses}, and no difference could be detected at {even}."
        + (rest if apart else "")
    )


class Waning(NamedTuple):
    """What a setting spends, in words: itself, less of it, and that it gets less."""

    what: str
    less: str
    falls: str


TOKENS = Waning("tokens", "fewer tokens", "tokens fall")
CACHE = Waning("the cache", "a smaller cache", "the cache shrinks")


def monotone(
    settings: Sequence[tuple[str, Metric, Metric, Metric]], waning: Waning = TOKENS
) -> str:
    """Whether quality falls as what is spent falls.

    Args:
        settings: Name, share kept of what is spent, quality and loss of quality against the
            reference, of each setting; the interval of the loss is that of a paired difference.
        waning: What is spent, in words.
    """
    known = [s for s in settings if s[1].value is not None and s[2].value is not None]
    known.sort(key=lambda s: -(s[1].value or 0.0))
    if len(known) < 3:
        return ""
    rises = [
        f"{b[0]} ({percent(b[2].value or 0.0)} %) above {a[0]} ({percent(a[2].value or 0.0)} %)"
        for a, b in pairwise(known)
        if _above(b[2], a[2])
    ]
    first, last = known[0][2], known[-1][2]
    if rises:
        return (
            f"Quality does not fall evenly with {waning.what}: with {waning.less}, "
            + "; ".join(rises)
            + ", beyond both intervals."
        )
    if _above(first, last):
        return (
            f"Quality falls from {percent(first.value or 0.0)} % to {percent(last.value or 0.0)} % "
            f"as {waning.falls}, with no rise beyond the intervals on the way."
        )
    lost = sum(1 for s in known if s[3].low is not None and s[3].low > 0)
    if not lost:
        return (
            "No loss of quality against the reference could be told from chance at any of "
            f"{len(known)} settings."
        )
    return (
        f"Quality goes from {percent(first.value or 0.0)} % to {percent(last.value or 0.0)} % as "
        f"{waning.falls}, with no rise beyond the intervals on the way; sample by sample, the loss "
        f"against the reference is beyond chance at {lost} of {len(known)} settings."
    )


def _above(a: Metric, b: Metric) -> bool:
    """Whether ``a`` lies above ``b`` with intervals apart."""
    if a.low is None or b.high is None:
        return (a.value or 0.0) > (b.value or 0.0)
    return a.low > b.high
