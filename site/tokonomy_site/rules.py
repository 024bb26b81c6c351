"""The rules of measuring in words, as they are implemented."""

from __future__ import annotations

from tokonomy.measure import protocol
from tokonomy.stats.estimate import RESAMPLES
from tokonomy.stats.latency import MIN_BLOCKS

RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "General",
        (
            "A figure that could not be observed is absent, with a reason code. It is never zero.",
            "Each run is a process of its own. Loading, preparing and warming up are "
            "recorded apart "
            "from what is timed.",
            "Method and reference share weights, inputs, their order, precision, threads and "
            "execution mode, and run in the same process.",
            "The harness counts, times and scores; nothing a method says of itself enters "
            "a figure.",
            "A run that fails leaves a row with its status and log. Failures are never left out of "
            "a table.",
        ),
    ),
    (
        "Latency",
        (
            "Latency is the time of one whole call on a monotonic clock, so a method pays for its "
            "own scoring, matching and moving.",
            "Warm-up is a declared number of calls and a minimum time, equal for both arms, on "
            "every shape that will be timed.",
            "Both arms are timed in turn in blocks of four calls, "
            "method-reference-reference-method "
            "or the mirror image, drawn at random. A block holds two pairs; whatever going first "
            "costs cancels inside it, and drift of the machine cancels between neighbours.",
            "The latency ratio is the median over blocks of the ratio of the two arms; the "
            "speed-up "
            "is its inverse. The interval comes from resampling blocks "
            f"({RESAMPLES:,} times) and is withheld below {MIN_BLOCKS} blocks.",
            "Timing stops when the interval is narrow enough or at a cap; which of the two is "
            "recorded, and an unconverged interval is labelled so wherever it stands.",
            "No sample is removed for its value. A percentile whose interval cannot be computed is "
            "withheld. Two modes and autocorrelation are looked for.",
            f"Timing goes round up to {protocol.TIMED_BATCHES} different batches. A method that is "
            f"{protocol.FRESH_RATIO:g} times slower on inputs it never saw is invalid, since it "
            "keeps answers.",
        ),
    ),
    (
        "Quality",
        (
            "The whole test split is scored for both arms. A share of right answers has Wilson's "
            "interval.",
            "Retained quality is the method's accuracy over the reference's on the same samples, "
            "with an interval that knows the samples are shared.",
            "Agreement is the share of samples where the method answers what the reference "
            "answers, "
            "right or wrong: a method can keep its accuracy while it changes answers.",
            "Easy samples are those that the reference has right on images made smaller to a "
            "quarter of the tokens; hard ones are those that it has right at full size only.",
        ),
    ),
    (
        "Equal tokens",
        (
            "Each setting is held against two baselines that need no idea: dropping tokens at "
            "random, and making the image smaller.",
            "It beats a baseline where it scores significantly better than the baseline's next "
            "larger setting, which spends at least as many tokens; it loses where it scores "
            "significantly worse than the next smaller one, which spends at most as many. Anything "
            "else is no detectable difference, or not comparable, where the baseline has no such "
            "setting or does worse with more tokens. So a mismatch in tokens works against either "
            "verdict.",
            "Where the baseline's setting was not run on the same device, in the same scenario and "
            "batch, with the same threads and seed, its run that is most alike stands in. Answers "
            "do not depend on these, up to rounding and, where tokens are drawn at random, the "
            "seed; times do, and are never compared so.",
            "The test is McNemar's exact test on the same samples. Its p values are corrected "
            "after Holm over the settings of one method against one baseline in one class, so that "
            "at most one method in twenty that is truly even looks otherwise somewhere; over "
            "methods nothing is corrected.",
        ),
    ),
    (
        "Tokens, arithmetic, memory",
        (
            "Tokens are counted per block by the harness's own hooks in an untimed pass: queries, "
            "keys and MLP rows apart. From these it tells whether tokens were removed, "
            "only masked, "
            "or dropped from keys and values only.",
            "FLOPs are theoretical, counted at operators, a multiply-add as two; operators "
            "that were "
            "not counted are named in the record.",
            "Peak memory is the high-water mark of the process (VmHWM), reset before the method "
            "runs. What is compared is its rise over the size with the model loaded and warmed "
            "up, before the method is prepared, so what the method sets up counts too.",
        ),
    ),
)

UNMEASURED = (
    "Energy: no meter is built in yet, so every energy figure is absent.",
    "GPUs: the figures here come from processors only.",
    "Compiled execution: every figure is of eager execution.",
    "Published accuracies on ImageNet: a claim is shown beside ours only where the same checkpoint "
    "and data were measured.",
)
