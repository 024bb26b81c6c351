"""What codes and words mean, as pages say it."""

from __future__ import annotations

#: What stands in place of a number, by status.
STATUS = {
    "ok": "ok",
    "invalid": "invalid",
    "oom": "OOM",
    "timeout": "timeout",
    "crash": "failed",
    "unsupported": "unsupported",
}
STATUS_MEANING = {
    "ok": "The run went through: quality is known, and each other figure is there or has a reason.",
    "invalid": "The run ended, but something observed makes its figures worthless, such as outputs "
    "that are no numbers; they are not shown.",
    "oom": "The run needed more memory than it was allowed.",
    "timeout": "The run took longer than it was allowed and was ended.",
    "crash": "The process ended by an exception, a signal or an exit; the log says how.",
    "unsupported": "The combination makes no sense, for instance a method that needs something the "
    "model does not have. Not a failure.",
}
#: Reasons that arise when figures are computed, besides those that a record holds.
DERIVED = {
    "no-coarse-arm": "The family has no coarse arm to tell easy from hard samples.",
    "no-pairs": "No pair was timed.",
    "no-samples": "There is no sample to compute it from.",
    "reference-scores-nothing": "The reference has no sample right, so there is no ratio.",
    "too-few-samples": "Too few samples for an interval, so it is withheld.",
    "too-few-blocks": "Too few blocks for an interval, so it is withheld.",
    "blocks-alike": "Neighbouring blocks are so alike that an interval takes more of them than "
    "there are, so it is withheld.",
    "unbounded": "The interval has no upper end.",
    "too-few-trials": "Too few windows, prompts or samples for an interval, so it is withheld.",
    "no-trials": "No window was measured.",
    "no-power-field": "The device tells no instantaneous power.",
    "no-device-events": "The device has no events of its own to time a call with, or too few "
    "batches are of one shape.",
    "bound-too-wide": "The counter's ticks and steps leave more than a tenth of a window open, on "
    "average.",
    "idle-above-work": "The device took no less while idle than while working.",
    "not-computable": "It cannot be computed from what was observed.",
    "not-recorded": "The record is older than this figure.",
    "no-outputs": "The record holds no outputs to compare.",
    "scores-not-binary": "Scores are graded, not right or wrong.",
    "requests-in-batches": "Requests are timed several at a time, so prompts of one length cannot "
    "be told apart.",
    "lengths-not-told": "Which prompts were timed cannot be told.",
    "not-faster-on-long": "On the longest prompts that were timed the 95 % interval of the latency "
    "ratio reaches 1 or more.",
    "answers-shorter": "On the longest prompts its answers are shorter than the reference's, which "
    "saves time by itself.",
    "no-tokens-made": "Answers are not made of tokens here.",
    "tokens-given": "The tokens were given to be scored: none was made.",
    "one-token": "No answer went beyond its first token.",
    "lengths-differ": "Answers differ in length, and a call of several takes as long as its "
    "longest one, so time cannot be shared out among tokens.",
    "no-later-pass": "No pass of the model followed the one that read the prompt.",
    "no-drafts": "Each pass after the prompt's read one token, so nothing was drafted.",
    "growth-not-tokens": "The cache does not grow by what a pass gives, as where it forgets, so "
    "passes cannot be told apart.",
}
#: What a card's claim of losslessness says.
LOSSLESS_MEANING = {
    "exact": "the answer is the plain model's own, token for token",
    "distribution": "answers follow the plain model's own probabilities",
    "lossy": "answers may differ from the plain model's",
}
EFFECT_MEANING = {
    "none": "every block works on every token",
    "removed": "tokens leave the blocks, so later blocks work on fewer",
    "masked": "tokens are hidden from attention but still worked on, so nothing is saved",
    "kv-only": "keys and values are dropped, while every token is still worked on as a query",
}
#: What a warning beside a figure's number means.
WARNINGS = {
    "autocorrelated": "Autocorrelated: neighbouring blocks resemble each other more, or less, than "
    "chance allows. The intervals of latency ratio and speed-up are widened for it where blocks "
    "fall on the same side of the median as their neighbours; if the ratio itself wanders, that is "
    "too little.",
    "bimodal": "Bimodal: the method's calls take one of two times, so a median alone says little.",
}
#: What joules are of, in words.
BOUNDARIES = {
    "board": "the whole GPU board with its memory, as its own sensor counts it; not the processor "
    "beside it, nor what the power supply loses",
    "module": "the whole module, which holds more than the GPU; not what the power supply loses",
    "package": "the processor's packages, all cores on them included; not mainboard, disks or what "
    "the power supply loses",
}
