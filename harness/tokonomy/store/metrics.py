"""The derived figures: what each is called, its unit, which way is better, what it says.

One table for the command line, the site and the README.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tokonomy.stats.estimate import Estimate

Better = Literal["higher", "lower"]


class Metric(NamedTuple):
    """One derived figure of one run; a tuple, because a store hands out hundreds of thousands.

    Attributes:
        name: A key of ``METRICS``.
        value: None where it cannot be told.
        low: Lower end of the 95 % interval, where it has one.
        high: Upper end.
        unit: As in ``METRICS``.
        n: Independent units behind it; None where counting makes no sense.
        reason: Code for a missing value or interval.
        text: The value of a figure that is a name (``effect``), the warning that its number calls
            for (``autocorrelated``, ``bimodal``), or what joules and watts are of (``board``,
            ``module``, ``package``); those of different boundaries never compare.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: int | None = None
    reason: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a figure means.

    Attributes:
        title: Short human name.
        unit: ``"1"`` for shares and ratios.
        better: Direction, None where neither is.
        counted: What its ``n`` counts.
        doc: One line: what it is and how it comes about.
    """

    title: str
    unit: str
    better: Better | None
    counted: str | None
    doc: str


def _row(title: str, unit: str, better: Better | None, counted: str | None, doc: str) -> Meaning:
    return Meaning(title=title, unit=unit, better=better, counted=counted, doc=doc)


METRICS: dict[str, Meaning] = {
    "accuracy": _row(
        "Accuracy",
        "1",
        "higher",
        "samples",
        "Mean score over the whole split; Wilson interval for 0/1 scores.",
    ),
    "reference_accuracy": _row(
        "Reference accuracy",
        "1",
        "higher",
        "samples",
        "The same of the unmodified model, on the same samples.",
    ),
    "retained": _row(
        "Retained quality",
        "1",
        "higher",
        "samples",
        "Accuracy over reference accuracy, with a paired interval.",
    ),
    "accuracy_drop": _row(
        "Accuracy lost",
        "1",
        "lower",
        "samples",
        "Reference accuracy minus accuracy, with a paired interval.",
    ),
    "accuracy_drop_p": _row(
        "p of the loss",
        "1",
        None,
        "samples",
        "Exact two-sided McNemar p that method and reference score alike.",
    ),
    "agreement": _row(
        "Agreement",
        "1",
        "higher",
        "samples",
        "Share of samples where the output is the reference's own, right or wrong.",
    ),
    "shared_tokens": _row(
        "Tokens before divergence",
        "tokens",
        "higher",
        "samples",
        "With how many tokens an answer begins as the reference's does; all that it has where the "
        "two are the same.",
    ),
    "accuracy_easy": _row(
        "Accuracy, easy samples",
        "1",
        "higher",
        "samples",
        "Over samples the reference has right at a quarter of the tokens.",
    ),
    "accuracy_hard": _row(
        "Accuracy, hard samples",
        "1",
        "higher",
        "samples",
        "Over samples the reference has right at full size only.",
    ),
    "latency_p50_ms": _row(
        "Latency, median",
        "ms",
        "lower",
        "calls",
        "End-to-end time of one call, the method's own cost included.",
    ),
    "latency_p90_ms": _row(
        "Latency, 90th percentile",
        "ms",
        "lower",
        "calls",
        "Withheld below 36 calls, where its interval has no upper end.",
    ),
    "latency_p99_ms": _row(
        "Latency, 99th percentile",
        "ms",
        "lower",
        "calls",
        "Withheld below 368 calls, where its interval has no upper end.",
    ),
    "reference_latency_p50_ms": _row(
        "Reference latency, median",
        "ms",
        "lower",
        "calls",
        "The unmodified model, timed in turn with the method.",
    ),
    "latency_ratio": _row(
        "Latency ratio",
        "1",
        "lower",
        "ABBA blocks",
        "Median over ABBA blocks of method/reference latency.",
    ),
    "speed_up": _row("Speed-up", "1", "higher", "ABBA blocks", "Inverse of the latency ratio."),
    "throughput": _row(
        "Throughput",
        "samples/s",
        "higher",
        "calls",
        "Samples of all timed calls over their total time.",
    ),
    "reference_throughput": _row(
        "Reference throughput", "samples/s", "higher", "calls", "The same of the unmodified model."
    ),
    "ratio_autocorrelation": _row(
        "Autocorrelation",
        "1",
        None,
        "ABBA blocks",
        "Lag-1 autocorrelation of the blocks' log ratios; where signs of neighbours agree beyond "
        "chance, the ratio's interval is widened. Marked autocorrelated beyond what 1 % of quiet "
        "series show.",
    ),
    "latency_separation": _row(
        "Two-mode separation",
        "1",
        None,
        "calls",
        "Share of the variance of the method's latency that a split in two explains; above 0.88 "
        "there are two modes, and it is marked bimodal.",
    ),
    "device_latency_p50_ms": _row(
        "Device latency, median",
        "ms",
        "lower",
        "calls",
        "Time of a call between two events on the device itself, all its work queued beforehand, "
        "on batches of the same shape as those beside it.",
    ),
    "launch_gap_ms": _row(
        "Launch gap",
        "ms",
        "lower",
        "calls",
        "Median of a call's end-to-end time less the time that a call on a batch of the same shape "
        "takes on the device when all its work is queued beforehand: what launching costs.",
    ),
    "pairs_spoiled": _row(
        "Spoiled pairs",
        "pairs",
        None,
        None,
        "Pairs that were timed again because something was observed that spoils them.",
    ),
    "peak_memory_bytes": _row(
        "Peak memory",
        "B",
        "lower",
        None,
        "High-water mark of the process while the method ran (VmHWM).",
    ),
    "memory_over_baseline_bytes": _row(
        "Memory over baseline",
        "B",
        "lower",
        None,
        "Peak minus what was resident before the method was prepared.",
    ),
    "allocated_peak_bytes": _row(
        "Peak allocated",
        "B",
        "lower",
        None,
        "High-water mark of device memory held by tensors while the method ran; withheld where "
        "CUDA graphs are replayed, which work on memory that was set aside before.",
    ),
    "allocated_over_baseline_bytes": _row(
        "Allocated over baseline",
        "B",
        "lower",
        None,
        "The same minus what tensors held before the method was prepared.",
    ),
    "reserved_peak_bytes": _row(
        "Peak reserved",
        "B",
        "lower",
        None,
        "High-water mark of device memory that the allocator took from the driver.",
    ),
    "device_peak_bytes": _row(
        "Memory of the device",
        "B",
        "lower",
        None,
        "Memory in use on the whole device right after the method ran, as the driver counts: a "
        "lower bound of its peak.",
    ),
    "tokens_kept": _row(
        "Tokens kept",
        "1",
        "lower",
        "samples",
        "Tokens in the blocks' MLPs over those of the reference, all blocks.",
    ),
    "tokens_mean": _row(
        "Tokens per block",
        "tokens",
        "lower",
        "samples",
        "Mean tokens in a block's MLP per sample, counted by the harness.",
    ),
    "flops": _row(
        "FLOPs",
        "FLOP",
        "lower",
        "samples",
        "Theoretical, per sample; a multiply-add counts as two.",
    ),
    "flops_ratio": _row(
        "FLOPs ratio", "1", "lower", "samples", "FLOPs over those of the reference, theoretical."
    ),
    "effect": _row(
        "Effect",
        "",
        None,
        "samples",
        "What the harness saw happen to tokens: none, removed, masked or kv-only.",
    ),
    "ttft_ms": _row(
        "Time to first token (TTFT)",
        "ms",
        "lower",
        "calls",
        "Median time of calls that ask for the first token only: reading the prompt, and a token.",
    ),
    "reference_ttft_ms": _row(
        "Reference TTFT",
        "ms",
        "lower",
        "calls",
        "The same of the unmodified model, timed in turn with the method.",
    ),
    "ttft_ratio": _row(
        "TTFT ratio",
        "1",
        "lower",
        "ABBA blocks",
        "Median over ABBA blocks of method/reference time to the first token.",
    ),
    "tpot_ms": _row(
        "Time per output token (TPOT)",
        "ms",
        "lower",
        "batches",
        "Median whole call less median call for the first token, batch by batch, over the mean "
        "tokens counted after the first; batches of several requests need answers of one length.",
    ),
    "reference_tpot_ms": _row(
        "Reference TPOT",
        "ms",
        "lower",
        "batches",
        "The same of the unmodified model.",
    ),
    "tpot_ratio": _row(
        "TPOT ratio",
        "1",
        "lower",
        "batches",
        "Method over reference time per further token: geometric mean over the timed batches.",
    ),
    "tokens_per_s": _row(
        "Tokens per second",
        "tokens/s",
        "higher",
        "calls",
        "Throughput times the mean tokens counted in an answer.",
    ),
    "reference_tokens_per_s": _row(
        "Reference tokens per second",
        "tokens/s",
        "higher",
        "calls",
        "The same of the unmodified model.",
    ),
    "speed_up_total": _row(
        "Speed-up of totals",
        "1",
        "higher",
        "batches",
        "Tokens per second over those of the reference, all timed calls, with an interval over "
        "the batches timed.",
    ),
    "speed_up_mean": _row(
        "Speed-up, mean over prompts",
        "1",
        "higher",
        "batches",
        "Mean over the batches timed of tokens per second over those of the reference; one prompt "
        "is a batch where batches are of one.",
    ),
    "answer_tokens": _row(
        "Tokens of an answer",
        "tokens",
        None,
        "samples",
        "Mean tokens, counted in the outputs; a longer answer makes a longer call.",
    ),
    "reference_answer_tokens": _row(
        "Tokens of the reference's answer",
        "tokens",
        None,
        "samples",
        "The same of the unmodified model, on the same samples.",
    ),
    "target_calls": _row(
        "Passes after the prompt",
        "passes",
        "lower",
        "samples",
        "Mean passes of the model for an answer, those that read the prompt apart.",
    ),
    "acceptance_length": _row(
        "Acceptance length",
        "tokens",
        "higher",
        "samples",
        "Tokens of a pass after the prompt's, the model's own included: those after the first "
        "over passes, all samples together; 1 for the unmodified model.",
    ),
    "acceptance_rate": _row(
        "Tokens read that stand",
        "1",
        "higher",
        "samples",
        "Tokens beyond one a pass in the answer over those beyond one a pass that were read: "
        "drafts that were accepted, where all that is read are drafts. Of a tree at most one "
        "branch can be, so it does not compare with that of a chain.",
    ),
    "kv_logical_bytes": _row(
        "Cache",
        "B",
        "lower",
        "samples",
        "Keys and values cached in all blocks at batch 1: the most before any pass after the "
        "prompt's, mean over samples.",
    ),
    "kv_physical_bytes": _row(
        "Memory of the cache",
        "B",
        "lower",
        "samples",
        "Memory that the cached tensors hold on to, such as that a view is of; the most, as above.",
    ),
    "kv_logical_ratio": _row(
        "Cache kept",
        "1",
        "lower",
        "samples",
        "Bytes of keys and values cached over those of the reference with as many tokens made.",
    ),
    "kv_physical_ratio": _row(
        "Memory of the cache kept",
        "1",
        "lower",
        "samples",
        "Memory of the cache over that of the reference; what is only hidden from attention "
        "saves none.",
    ),
    "kl_nats": _row(
        "Divergence",
        "nats",
        "lower",
        "samples",
        "Of what the method thinks of the next token from what the reference thinks "
        "(Kullback-Leibler), mean over the tokens given; 0 where they think alike.",
    ),
    "faster_from_tokens": _row(
        "Faster from",
        "tokens",
        "lower",
        "prompts",
        "Break-even: prompts of so many tokens from which on, longer ones included, the interval "
        "of the latency ratio lies below 1 and answers are as long; prompts are taken together "
        "between powers of two.",
    ),
    "energy_j": _row(
        "Energy",
        "J",
        "lower",
        "windows",
        "Per sample, gross: of continuous calls between two ticks of the counter; its boundary "
        "says of what.",
    ),
    "reference_energy_j": _row(
        "Reference energy", "J", "lower", "windows", "The same of the unmodified model."
    ),
    "energy_ratio": _row(
        "Energy ratio",
        "1",
        "lower",
        "pairs of windows",
        "Method over reference: geometric mean over windows measured next to each other.",
    ),
    "energy_net_j": _row(
        "Energy over idle",
        "J",
        "lower",
        "windows",
        "Energy per sample minus what the idle device takes in that time, model loaded; idle is "
        "the mean of before and after, and half their difference widens the interval.",
    ),
    "power_w": _row(
        "Power", "W", None, "windows", "Mean over the method's windows: joules over seconds."
    ),
    "energy_bound": _row(
        "Energy bound",
        "1",
        "lower",
        "windows",
        "Largest relative error of a window that the counter's ticks and steps leave open.",
    ),
    "energy_residual": _row(
        "Power against counter",
        "1",
        None,
        "windows",
        "Integrated instantaneous power over the counter's joules, minus 1, over all windows.",
    ),
    "load_s": _row(
        "Load time", "s", "lower", None, "Loading the model; libraries and files are warm."
    ),
    "prepare_s": _row(
        "Preparation time",
        "s",
        "lower",
        None,
        "Calibrating and patching before the first call; not in the latency.",
    ),
    "wall_s": _row("Wall time", "s", "lower", None, "The whole run inside its process, both arms."),
}

WITH_INTERVAL = frozenset({
    "accuracy", "reference_accuracy", "retained", "accuracy_drop", "agreement",
    "shared_tokens", "kl_nats", "accuracy_easy", "accuracy_hard",
    "latency_p50_ms", "latency_p90_ms", "latency_p99_ms",
    "reference_latency_p50_ms", "latency_ratio", "speed_up", "device_latency_p50_ms", "ttft_ms",
    "reference_ttft_ms", "ttft_ratio", "tpot_ms", "reference_tpot_ms", "tpot_ratio",
    "speed_up_total", "speed_up_mean", "acceptance_length", "acceptance_rate", "energy_j",
    "reference_energy_j", "energy_ratio", "energy_net_j",
})  # fmt: skip
"""Figures that come with a 95 % interval where there are enough data for one."""


def figure(
    name: str,
    value: float | None = None,
    low: float | None = None,
    high: float | None = None,
    *,
    n: int | None = None,
    reason: str | None = None,
    text: str | None = None,
) -> Metric:
    """A figure in the unit of ``METRICS``; one that is not finite is withheld."""
    if not all(math.isfinite(part) for part in (value, low, high) if part is not None):
        value, low, high, reason = None, None, None, "not-computable"
    return Metric(name, value, low, high, METRICS[name].unit, n, reason, text)


def present(name: str, value: float | None, n: int | None = None) -> Metric:
    """A plain figure without an interval."""
    return figure(name, value, n=n, reason="not-computable" if value is None else None)


def estimated(name: str, estimate: Estimate, scale: float = 1.0) -> Metric:
    """A figure with its interval; ``scale`` brings it to the unit of ``METRICS``."""
    ends = (None if part is None else part * scale for part in
            (estimate.value, estimate.low, estimate.high))  # fmt: skip
    return figure(name, *ends, n=estimate.n, reason=estimate.reason)


def absent(name: str, reason: str) -> Metric:
    """A figure that is missing."""
    return figure(name, reason=reason)
