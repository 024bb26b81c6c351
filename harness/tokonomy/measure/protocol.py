"""The protocol's version and every threshold of it that is ours to choose, each with its reason.

What a suite may choose (pairs, caps, warm-up, threads) is in ``store.record.Measuring``.
"""

from __future__ import annotations

from typing import Final

PROTOCOL: Final = 1
"""Goes into every cell's key; raised whenever numbers before and after do not compare."""

CHECK_EVERY: Final = 10
"""Pairs between two looks at the interval: a look costs about a millisecond of bootstrap."""

TIMED_BATCHES: Final = 16
"""Different batches that timing goes round; no arm meets the same batch twice in a row."""

TIMED_SAMPLES: Final = 64
"""About so many samples in all those batches (at least four batches), to bound their memory."""

LEDGER_SAMPLES: Final = 32
"""Samples whose tokens are counted: token counts of data-dependent methods vary by a few percent,
so the mean of 32 is good to about one."""

STEADY_SAMPLES: Final = 8
"""Counting stops after so many samples if all took exactly the same: then the count is a constant
of the method, or varies on too few samples to move the mean by more than a few percent."""

REFERENCE_SAMPLES: Final = 2
"""Samples counted for the unmodified model, which does the same work on every one."""

SAME: Final = 1e-4
"""Two outputs are the same when they differ by at most this share of the largest logit: far above
float32 rounding in another order, far below what changes an answer."""

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
"""Calls on inputs never seen before, against as many on timed ones."""

FRESH_LEAST: Final = 5
"""Fresh inputs below which the comparison is not made: too few to tell a lookup from noise."""

FRESH_SLOWER: Final = 1.3
"""From this on a reader is told."""

FRESH_RATIO: Final = 3.0
"""A method this much slower on inputs it never saw keeps answers; CPU caches explain a few
percent, a lookup gives tens."""

POLL_S: Final = 0.25
"""Time between two looks at a run's memory: one look costs about 2 ms of another core."""
