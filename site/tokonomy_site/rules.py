"""The rules of measuring in words, as they are implemented."""

from __future__ import annotations

from tokonomy.measure import protocol
from tokonomy.stats.latency import LEVEL, MIN_BLOCKS
from tokonomy.store import joules
from tokonomy.store.cell import EnergyPlan, Measuring

_PLAN = EnergyPlan()

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
            "Each arm has an instance of the model of its own. An instance that lies in gaps which "
            "earlier work left in the processor's memory can be slower by some tenths of a per "
            "cent, so both are loaded while the gaps are held, where the C library gives account "
            "of them (the record's software says so; older records do not). What a method adds of "
            "its own lies where it falls.",
            "The latency ratio is the median over blocks of the ratio of the two arms; the "
            "speed-up "
            "is its inverse. The interval comes from how many blocks lie on either side, which "
            "chance alone decides where the arms are the same; it is widened where neighbouring "
            f"blocks are alike, and withheld below {MIN_BLOCKS} blocks or where the widening asks "
            "for more blocks than there are.",
            f"The interval is to hold 95 % and is made at a nominal level of {100 * LEVEL:.1f} %: "
            "timing stops once it is narrow, so some sessions end because it was narrow by luck, "
            "which costs a few points. What is added was chosen by looking at simulated sessions "
            "under noise models that are marked so below; others were held out and added after.",
            f"Timing stops when the interval is narrow enough at {protocol.LOOKS} looks in a row, "
            "or at a cap; which of the two is recorded. An interval that met a cap, or that as "
            "computed now is withheld or wider than asked, or wider than what is asked by default "
            f"({100 * Measuring().half_width:g} % either way), is labelled unconverged wherever it "
            "stands.",
            "On a GPU a call ends when the device is done: the host waits for it before it reads "
            "its clock. After each pair both arms are called once more, on another batch of the "
            "same shape, with the device held until all of a call's work is queued; two events "
            "around that give the device's own time, and what the first call took beyond it is "
            "the launch gap.",
            "No sample is removed for its value. A percentile whose interval cannot be computed is "
            "withheld. Two modes and autocorrelation are looked for.",
            f"Timing goes round up to {Measuring().batches} different batches. A method that is "
            f"{protocol.FRESH_RATIO:g} times slower on inputs it never saw is invalid, since it "
            "keeps answers.",
        ),
    ),
    (
        "Answers made token by token",
        (
            "A whole call reads the prompt and makes every token; calls that ask for the first "
            "token only are timed in the same way, on the same prompts. TTFT is their median; TPOT "
            "is the rest of a whole call over the tokens after the first, prompt by prompt.",
            "Tokens are counted in the outputs, alike for both arms, never told by a method; an "
            "end counts, what fills up a batch does not. They are counted untimed and one request "
            "at a time: those that are timed one at a time, otherwise others of the split.",
            "Passes are counted at the model's last block. Acceptance length is tokens after the "
            "first over passes after the prompt's, all samples together, the model's own token "
            "of each pass included; the plain model has 1. It carries over between machines, which "
            "a speed-up does not. How many tokens each pass gave is read from the cache's growth, "
            "and not told where the cache does not grow so.",
            "Speed-up is told in three ways: the inverse of the median ratio of calls, by which "
            "timing stops; tokens per second over all calls; and the mean over prompts. Prompts "
            "differ, so the last two have intervals over prompts.",
            "Nothing learnt from one request may speed up the next: each starts from the state "
            "that preparing the method left. Requests never met are asked twice; a run in which "
            "the second takes other passes of the model is invalid.",
            "Agreement is of answers as texts, before any filter of the task. A method that is "
            "said to be exact and whose answers are not all the reference's is marked so. With "
            "how many tokens each answer begins as the reference's is recorded too, and, where "
            "tokens are given to be scored, how far what both think of the next one lies apart.",
            "Bytes of the cache are those of keys and values, and of the memory that their "
            "tensors hold on to, looked at before each pass; the most after the prompt counts. "
            "What is hidden from attention and stays in memory is simulated: it tells quality, "
            "not costs.",
        ),
    ),
    (
        "Modes of execution",
        (
            "The mode (eager, compiled or CUDA graphs) is declared, is part of the comparability "
            "class and is the same for both arms.",
            "Every shape is compiled or captured before it is timed, into a cache that is empty "
            "when the run begins; what that takes is recorded apart. Outputs must be those of the "
            "plain function.",
            "Something compiled anew after warm-up makes a run invalid. A method that cannot be "
            "compiled or captured is unsupported in that mode, with its reason; one that goes back "
            "to Python in places is flagged; one that compiles or captures itself where the mode "
            "does not is invalid.",
            "A graph's copy of inputs and outputs is part of its time.",
        ),
    ),
    (
        "What makes a measurement invalid",
        (
            "Before anything is measured on a GPU, nothing else may be on it, by its list of "
            "processes and by memory in use and utilisation, since process ids may be hidden in a "
            "container. What cannot be proven is flagged as unverified; what is seen refuses the "
            "run.",
            "A sample is thrown away only for a cause that was observed: slowing for heat or an "
            "outside limit, another process, an uncorrectable memory error, a critical driver "
            "error, changed power limits or application clocks, a suspended machine, a used-up "
            "processor quota, changed processors. Clocks locked to a range cannot be seen. All "
            "pairs since the last quiet look are then timed again; the spoiled ones stay in the "
            "record with their cause.",
            f"Where more than {100 * protocol.SPOILED_SHARE:.0f} % of the pairs are spoiled, at "
            f"more than {protocol.SPOILED_LOOKS} looks, the run is invalid: those that escaped "
            "would be picked by chance.",
            "A GPU's own power limit under load is no such cause: it is part of what a method "
            "gains or loses. It is recorded and flagged.",
            "A GPU is known by its UUID or bus id, never by its number; where that is ambiguous, "
            "nothing is measured. One whose power limit or application clocks are not those it "
            "came with is of another class.",
        ),
    ),
    (
        "Energy",
        (
            "Energy is read from the device's own counter in a pass apart from latency, over "
            f"windows of continuous calls: at least {_PLAN.trials} of each arm, in turn, each at "
            f"least {_PLAN.window_s:g} s and {_PLAN.min_ticks} ticks of the counter unless the "
            "run's settings say otherwise, in which case its joules are flagged. Each begins only "
            f"after {protocol.LEAD_S:g} s of the same calls, so that what lags behind tells "
            "nothing of the other arm; in shorter windows that lead is "
            f"{100 * protocol.LEAD_SHARE:.0f} % of them.",
            "The output of one call in each window of the method, at a moment drawn, must be what "
            "it answered while timed.",
            "A window runs from one tick of the counter to another. What ticks, their steps and "
            "the time of reading leave open is stated as a bound of each window; below "
            f"{protocol.LEAST_TICKS} ticks there is no figure, nor where more than "
            f"{100 * joules.BOUND_MOST:.0f} % is open on average.",
            "Gross joules per sample come first. Idle-adjusted ones take away what the idle device "
            f"needs in that time, model loaded, measured for {_PLAN.idle_s:g} s before and after; "
            "half the difference of these two widens the interval.",
            "The ratio is the geometric mean over windows measured next to each other, so drift "
            "cancels. Intervals are over windows.",
            f"Calls in the energy pass must take as long as in the latency pass, within "
            f"{100 * protocol.THROUGHPUT:.0f} %, {protocol.THROUGHPUT_NS / 1000:g} \u00b5s or "
            "the interval of the latter; otherwise the joules are of other work and are withheld.",
            "Instantaneous power, integrated over the same windows, is held against the counter: "
            f"the difference is stored, and flagged beyond {100 * protocol.RESIDUAL:.0f} %.",
            f"Both arms run until the temperature stands (at most {_PLAN.settle_s:g} s); windows "
            f"that begin more than {protocol.STEADY_C:g} degrees apart are flagged.",
            "Joules are of a boundary: the GPU's board, its module, or the processor's packages. "
            "Sensors are good to 5 to 10 % of a wall meter, so rows of one boundary compare, and "
            "absolute joules carry its name. Boundaries are never mixed.",
            "A processor's energy comes from its package counters, of which several sockets add up "
            "and parts of a package are never added; where the kernel does not let them be read "
            "there is no figure. Nothing is ever estimated from a rated power.",
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
            "setting or where both would be so. So a mismatch in tokens works against either "
            "verdict.",
            "A baseline that can be had in several ways, such as dropping at the input or in "
            "stages, is as good as its best: a win is one over every variant's next larger "
            "setting, a loss is one to any variant's next smaller one, its p multiplied by the "
            "number of variants.",
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
            "On a GPU there are three more peaks: held by tensors, reserved by the allocator, and "
            "in use on the whole device as its driver counts, read right after the call and so a "
            "lower bound. Each has its own baseline.",
        ),
    ),
)
