"""How to read the table of a class: notes on the columns that it has, and on no others."""

from __future__ import annotations

from tokonomy.store.metrics import METRICS
from tokonomy_site.cells import CAPPED, DOUBTED, SIGNS
from tokonomy_site.columns import Layout
from tokonomy_site.families import CACHE, DECODING, family

_SIDE_BY_SIDE = (
    "Every row was timed against the unmodified model, call by call in turn, so a speed-up is "
    "never taken from two different moments. The second line under accuracy, retained, speed-up "
    "and latency is the 95 % interval, where there is one. Latencies of different rows were taken "
    "at different moments: how rows compare is in the speed-up."
)
_QUALITY = (
    "Easy samples are those that the unmodified model still gets right on images made smaller to a "
    "quarter of the tokens; hard ones it gets right at full size only, so there a method must show "
    "its worth.",
    "The two columns at equal tokens hold the method against random selection and against plain "
    "down-sampling of the image where those spend as many tokens or the next setting up or down, "
    "sample by sample, with McNemar's exact test, corrected over a method's settings. "
    "No difference means that none could be detected, not that there is none.",
    "Of a baseline with several variants, such as dropping at the input or in stages, every one "
    "has to be beaten. Not comparable: the baseline has no setting as large, or as small, as this "
    "one; or this one beats the larger and loses to the smaller.",
)
_NO_QUALITY = (
    "Quality is not applicable: with this task or these weights outputs mean nothing, so only "
    "costs are measured, and there is no front."
)
_MEMORY = (
    "Memory is the rise of the process's high-water mark over its size with the model loaded. "
)
_TOKENS = (
    "FLOPs are theoretical. Tokens and effect are counted by the harness, not told by the method."
)
_EQUAL = (
    "Lossless says what the method's card claims of its answers and, below it, how many of them "
    "were seen to be the plain model's, as texts; a claim that is not met is tagged. Exact: token "
    "for token the same, which holds in fp32; at lower precision a pass over several tokens can "
    "round a near tie the other way."
)
_SCORE = (
    "Score is the task's own metric, between 0 and 1 for each sample, in per cent. An exact method "
    "has the plain model's score; a lossy one can keep it while it changes answers, so agreement "
    "stands beside it."
)
_PASSES = (
    "Accepted is how many tokens a pass of the model gives after those that read the prompt, "
    "its own one included, all passes of all samples together: 1 for the plain model. Passes are "
    "counted by the harness at the model's last block."
)
_RATES = (
    "Speed-up is the inverse of the median ratio of whole calls, prompt included. In tokens/s it "
    "is that of all tokens over the time of all calls, with an interval over the prompts, so "
    "prompts that differ widen it. A call lasts as long as its answer: where answers differ in "
    "length the two speed-ups do. A run's page has the mean over prompts as well."
)
_PARTS = (
    "TTFT is the time to the first token, from calls that ask for no more; TPOT the time of each "
    "token after it, the rest of a whole call over the tokens counted. It takes the mean tokens of "
    "the samples counted for those timed, which is exact where all answers are of one length."
)
_CACHED = (
    "Cached is how many bytes of keys and values the cache holds when it is largest, over those of "
    "the reference with as many tokens made. Held is the memory that these tensors hold on to: "
    "what is only hidden from attention, or cut out of a tensor that stays, saves none. The second "
    "line has MiB, or says so: none saved, or all held where less is cached. What a method keeps "
    "beside the cache, such as scores, is in the memory of the process only.",
    "Where tokens are given to be scored, the reference reads them in one pass, while a method "
    "that decides after every token, or whose blocks hold different numbers of rows, reads them "
    "one by one: its time is mostly that.",
    "A row tagged simulated hides keys and values instead of dropping them: its score is that of "
    "the method, its memory and times are those of a full cache.",
)
_LONGER = (
    "Faster from is the break-even: prompts of so many tokens from which on, longer ones included, "
    "the interval of the latency ratio lies below 1 and answers are no shorter. None says that it "
    "does not on the longest that were timed, withheld that there were too few calls to tell. A "
    "run's page has time and cache by the length of the prompt."
)
_SAME = (
    "Same is with how many tokens an answer begins as the plain model's does, all that it has "
    "where both are the same."
)
_DIVERGES = (
    "Diverges is the Kullback-Leibler divergence of what the method thinks of the next token from "
    "what the plain model thinks, mean over the tokens given: 0 where they think alike. It is "
    "taken from what the model's own head says, where the method's scores follow from that."
)
_AT_EQUAL = (
    "At equal cache a method is held against rows kept at random, sample by sample, with McNemar's "
    "exact test, corrected over its settings: it beats them where it is better than random rows "
    "that cache at least as many bytes, and loses where it is worse than those that cache at most "
    "as many, give or take one in a hundred, both asked with the same question apart. What caches "
    "as much as the plain model is not compared. Of random rows in several variants it has to "
    "beat every one. "
    "No difference means that none could be detected, not that there is none."
)
_DEVICE = (
    "Device memory is the highest use of the whole device that its driver counted; below it, the "
    "highest that tensors took."
)
_ENERGY = (
    "Energy is what the device's own counter says, gross, per sample, of one boundary ({}): sound "
    "for comparing rows, while absolute joules carry the sensor's bias. A row measured at another "
    "boundary has no figure in these columns."
)
_REST = (
    "Below the link to a run stands n: samples scored / ABBA blocks of four calls timed.",
    "A stale row was measured with code that has changed since; a disputed one is "
    "doubted, as its run says. These are drawn, but on no front. "
    "A word in place of a number says why there is none and leads to the run.",
)
_RANK = (
    "A rank is a range, by {quality} and below it by {cost}: of n rows of the class, one that a "
    "are better than and that is better than b ranks from 1 + a to n \u2212 b, where better means "
    "that the 95 % intervals do not overlap; what is exact is its own interval, what is withheld "
    "may lie anywhere. Intervals of costs are those within one run: how sittings differ is not in "
    "them, so a second sitting of the same cells can give other ranges, and other fronts. "
    "Stale and doubted rows have no rank."
)
_COST_RANK = _RANK.replace("by {quality} and below it by {cost}", "by {cost}")


def notes(kind: Layout) -> tuple[str, ...]:
    """How to read a class's table: of its columns only."""
    return (
        _SIDE_BY_SIDE,
        *(_family(kind)),
        *((_DEVICE,) if kind.device_memory else ()),
        *((_ENERGY.format(kind.boundary), SIGNS[DOUBTED]) if kind.boundary else ()),
        *_REST,
        _ranked(kind),
    )


def _ranked(kind: Layout) -> str:
    """How ranks come about."""
    spec = family(kind.family).ranked
    quality, cost = (METRICS[name].title.lower() for name in (spec.quality, spec.cost))
    return (_RANK if kind.scored else _COST_RANK).format(quality=quality, cost=cost)


def _family(kind: Layout) -> tuple[str, ...]:
    """On quality and costs, in the family's own terms."""
    unscored = () if kind.scored else (_NO_QUALITY,)
    rates = (_RATES, _PARTS) if kind.made else ()
    costs = (SIGNS[CAPPED], _MEMORY.strip())
    if kind.family == DECODING:
        return (*(unscored or (_EQUAL, _SCORE)), _PASSES, *rates, *costs)
    if kind.family == CACHE:
        quality = unscored or (_SCORE, _DIVERGES if kind.heard else _SAME, _AT_EQUAL)
        return (*quality, *_CACHED, *rates, _LONGER, *costs)
    return (*(unscored or _QUALITY), SIGNS[CAPPED], _MEMORY + _TOKENS)
