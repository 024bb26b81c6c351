"""The protocol's version and every threshold of it that is ours to choose, each with its reason.

What a suite may choose (pairs, caps, warm-up, threads) is in ``store.cell.Measuring``.
"""

from __future__ import annotations

from typing import Final

PROTOCOL: Final = 1
"""Goes into every cell's key; raised whenever numbers before and after do not compare."""

CHECK_EVERY: Final = 10
"""Pairs between two looks at the interval and at what spoils pairs, neither of them timed: the
first costs 0.05 ms at 40 pairs and 0.2 ms at 400, and up to ``LOOKS`` times that where the interval
is narrow, since it was not kept; the second up to some milliseconds on a GPU, whose driver is asked
about twenty things; and what is spoiled costs no more than these pairs."""

HOLD_CYCLES: Final = 4
"""Cycles that a GPU is held for each nanosecond that asking for a call of that shape took: no GPU's
clock exceeds 3 GHz, so the wait is longer than that by a third at least."""

LOOKS: Final = 3
"""Looks in a row at which the interval is narrow enough before sampling ends, so that one narrow by
luck does not end it. With one look, coverage of simulated sessions depends more on the noise (95 to
98 % at the level that reaches 95) than with three (95 to 97 %)."""

TIMED_SAMPLES: Final = 64
"""At most so many samples in all timed batches (at least four batches), to bound their memory."""

LEDGER_SAMPLES: Final = 32
"""Samples whose tokens are counted, at most two for each timed batch: token counts that depend on
the data vary by a few percent, so the mean of 32 is good to about one."""

STEADY_SAMPLES: Final = 8
"""Counting stops after so many samples if all took exactly the same: then the count is a constant
of the method, or varies on too few samples to move the mean by more than a few percent."""

REFERENCE_SAMPLES: Final = 2
"""Samples counted for the unmodified model where it does the same work on each; else as many as of
the method."""

SAME: Final = 1e-4
"""Two outputs are the same when they differ by at most this share of the largest logit (for half
precision, by eight of its rounding steps): far above float32 rounding in another order, far below
what changes an answer."""

AGREE: Final = 0.01
"""Logits of a sample in two passes agree when they differ by at most this share of its largest (for
half precision, by eight of its rounding steps). A batch of another size is multiplied in another
order, which moves float32 logits by a millionth; only where that decides which token a method drops
do they move further."""

DIFFERING: Final = 0.25
"""Share of the distinct samples of a pass whose logits may fail to agree with the quality pass:
near ties between tokens are rare, and a method that answers otherwise while timed or counted does
so on nearly all."""

DIFFERING_LEAST: Final = 3
"""Samples that must differ before that share is looked at: a batch or two hold very few."""

PLAIN_CALLS: Final = 5
"""Calls of the unmodified model before a method is prepared: warm pages, and how long it takes."""

PLAIN_S: Final = 0.3
"""Seconds after which those calls end early, at three or more."""

SLOWED: Final = 1.5
"""A reference slower by this while the method is in place than without it, in its fastest calls,
is looked at again right before and right after the method is undone. Shared caches explain some
ten percent, and other work on the machine seldom slows the fastest tenth of the calls."""

UNSEEN: Final = 1.6
"""Arithmetic above the reference's share of tokens times this was done with other weights than the
model's: what methods add of their own is within a third of the blocks they run in."""

FRESH_CALLS: Final = 10
"""Calls on inputs never seen before, each between two calls on a timed one; fewer where timing goes
round fewer batches."""

FRESH_LEAST: Final = 5
"""Fresh inputs below which the comparison is not made: too few to tell a lookup from noise."""

MEMORY_CALLS: Final = 2
"""Batches that are altered and asked twice, to see whether they take the same passes again."""

FRESH_SLOWER: Final = 1.3
"""From this on a reader is told."""

FRESH_RATIO: Final = 3.0
"""A method this much slower on inputs it never saw keeps answers; CPU caches explain a few
percent, a lookup gives tens."""

POLL_S: Final = 0.25
"""Time between two looks at a run's memory: one look costs about 2 ms of another core."""

LEAST_TICKS: Final = 20
"""Ticks of the energy counter seen below which a window gives no figure: then what a tick at either
end leaves open is more than a tenth of it."""

LEAD_S: Final = 2.0
"""Seconds of the same work before a window may begin, and of rest before idle power is measured:
what lags behind the work then tells of this work alone. It is twice the longest lag that is known,
NVML's power averaged over one second; energy counters move ten times a second or more."""

LEAD_SHARE: Final = 0.4
"""Share of the least length of a window that this takes at most; of the usual 5 s it is all 2 s."""

LEAST_CALLS: Final = 4
"""Whole calls that a window of energy has time for, however long they take."""

READS_PER_TICK: Final = 50
"""Reads of the counter in one of its ticks while an end of a window is looked for: the end is then
known to a fiftieth of a tick, a thousandth of the shortest window. Only about a tick of each window
is read so."""

READ_DENSE: Final = 10
"""While an end is looked for, reads begin at least so many times their own cost apart."""

READ_SPARSE: Final = 100
"""In between they do so many times their cost apart: reading takes 1 % of the time at most."""

READ_LEAST_NS: Final = 1_000_000
"""Least time between two reads while an end is looked for; Python itself takes some 20 us each."""

SPARSE_LEAST_NS: Final = 5_000_000
"""The same in between: 0.4 % of the time."""

SPARSE_PER_TICK: Final = 4
"""Reads of a tick in between at most: more would show nothing new. Where reads are dear or ticks
short there are fewer and ticks go by unseen, so how many a window held is told by its length."""

BLURRED: Final = 4
"""A tick at the end of a window is passed over where it is known only to this many times the time
between two reads, because the thread that reads was held up; at most ``BLURRED_MOST`` in a row."""

BLURRED_MOST: Final = 5
"""Then it is taken as it is, and the bound says so."""

PROBE_S: Final = 3.0
"""Longest time for finding the period of a counter; the slowest known takes 0.1 s a tick."""

PROBE_PAUSE_S: Final = 0.0002
"""Between two reads meanwhile: a fifth of the shortest tick that is known (RAPL's 1 ms)."""

PROBE_TICKS: Final = 8
"""Ticks after which its period is known well enough to choose how often to read."""

WINDOW_LATE: Final = 4
"""A window is given up after so many times what it should take: the counter has stopped."""

SPOILED_MOST: Final = 3
"""Times that one window is measured again; what spoils it four times in a row is no accident."""

SETTLE_LOOKS: Final = 6
"""Looks at the temperature in the longest time for settling: 5 s apart by default, as windows."""

SETTLED_C: Final = 1.0
"""The device is settled when its temperature moves less than this between two looks: sensors show
whole degrees."""

STEADY_C: Final = 3.0
"""Windows that begin at temperatures further apart than this are flagged: leakage of a chip grows
by a few tenths of a percent per degree, so that this is about 1 % of its power."""

RESIDUAL: Final = 0.05
"""Integrated power and counter that differ by more are flagged; sensors are good to 5 to 10 %."""

THROUGHPUT: Final = 0.03
"""Calls in the energy pass take as long as in the latency pass within this, or within the 95 %
interval of the latter where that is wider; otherwise the joules are of other work."""

THROUGHPUT_NS: Final = 10_000
"""Or within this: a call of the latency pass follows checks that leave the caches cold, those in a
row do not, and that is worth some microseconds however short the call."""

TRACE_BINS: Final = 600
"""Bins of a power trace: one for each pixel of a chart, and a few kilobytes in a record."""

TRACE_STEP_NS: Final = 10_000_000
"""First width of a bin; it doubles as the trace grows."""

IDLE_BYTES: Final = 64 * 2**20
"""Device memory that may be in use while nobody is on the device: drivers keep a few MiB for
themselves, and a context of CUDA takes about 100 MiB at least."""

ALONE_S: Final = 2.0
"""Longest wait for a device to look unused: utilisation is of up to the last second, and a process
that has just ended is listed a little longer."""

OTHERS_LOOK_S: Final = 0.1
"""Length of the look at what others do on the processors before a run: ten of the kernel's ticks,
and a few percent of a short run."""

OTHERS_CPUS: Final = 0.25
"""Processors that others may keep busy in that look before it is said: an idle system's services
take some hundredths of one, one busy program takes a whole one."""

SPOILED_LOOKS: Final = 3
"""Looks between pairs that may find something amiss before their share counts, so that one accident
at the start of a short pass does not end it."""

SPOILED_SHARE: Final = 0.5
"""Share of all timed pairs that may be spoiled; beyond it what spoils them is the machine's usual
state, and pairs that escaped it would be picked by chance."""
