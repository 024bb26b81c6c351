"""Every reason code that a record can hold, each with a sentence for the reader.

One table for what stopped a run, why a part has no value, and what a flag means; codes are never
reused with another meaning.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import MappingProxyType

_ENDINGS = {
    # crash
    "raise-at-import": "The method's module, or one it imports, could not be imported.",
    "raise-in-prepare": "Preparing the method raised an exception.",
    "raise-in-predict": "Calling the method raised an exception.",
    "raise-in-close": "Undoing the method's changes raised an exception.",
    "raise-in-harness": "The harness itself failed; this says nothing about the method.",
    "signal-other": "The process was ended by a signal without a name.",
    "exited": "The process ended itself before it had a result.",
    "no-result": "The process ended normally and left no result, or one that cannot be read.",
    "supervisor-lost": "The process that starts runs was killed while this one was on.",
    "bad-task": "The task's data could not be opened or do not fit the model.",
    "bad-model": "The model's checkpoint could not be loaded.",
    "device-lost": "The device was lost while something was measured on it.",
    "bad-device": "The device is not there, or cannot be told from another one.",
    # oom, timeout
    "memory-limit": "The processes of the run together exceeded the memory limit and were killed.",
    "out-of-memory": "An allocation failed.",
    "time-limit": "The run did not end within its time limit and was killed.",
    # unsupported
    "impossible-parameter": "This setting is impossible for this model, as the method itself says.",
    "split-too-small": "The task has too few readable samples for one batch of this size.",
    "not-supported": "This combination makes no sense, as the method itself says.",
    "mode-impossible": "The method cannot be compiled or captured as this mode would have it.",
    "reference-impossible": "The unmodified model cannot be compiled or captured in this mode.",
    # invalid
    "not-a-tensor": "An output is not a tensor.",
    "wrong-shape": "An output has the wrong shape.",
    "wrong-dtype": "An output has another number type than the model's.",
    "not-finite": "An output holds NaN or infinity.",
    "invalid-output": "An output is none that the family knows.",
    "input-mutated": "The method changed the inputs it was given.",
    "aliased-output": "An output changed after it was returned: calls share their memory.",
    "rng-changed": "The method changed the state of a global random number generator.",
    "settings-changed": "The method changed process-wide settings, such as the number of threads, "
    "or marks that the harness reads.",
    "compiled-itself": "The method compiled or captured something itself, which is no part of the "
    "mode, so its gain would not be that of fewer tokens.",
    "not-restored": "The model was not left as it was found.",
    "weights-changed": "The method changed weights of the model and did not put them back.",
    "recompiled": "Something was compiled anew after warm-up, so timing met no steady state.",
    "not-deterministic": "The same batch gave different outputs before and after timing.",
    "outputs-differ": "Outputs while timed or counted differ from those of the quality pass.",
    "ignores-input": "The same samples with other contents gave the very same outputs.",
    "inputs-differ": "The arms were not fed the same inputs in the quality pass.",
    "reference-changed": "The method changed what another, untouched instance of the model says.",
    "learns-from-requests": "A request that came again took other passes of the model than before, "
    "so something was kept of it; nothing learnt from one request may serve another.",
    "faster-on-seen": "Inputs met before run much faster than fresh ones: answers are kept.",
    "forked": "A copy of the process came back from the method; only the first may report.",
    "left-processes": "Processes that the method started were still running at its end.",
    "left-threads": "Threads that the method started were still running at its end.",
}
_MISSING = {
    "run-failed": "The run did not end well, so nothing was kept of it.",
    "scripted-device": "The device is played from a script: nothing was measured.",
    "not-asked": "Energy was not asked for.",
    "no-energy-meter": "No energy meter is available on this device.",
    "nvml-library-missing": "The driver's library of measurements (NVML) is not on this machine.",
    "driver-not-loaded": "NVIDIA's driver is not loaded.",
    "driver-version-mismatch": "NVIDIA's driver and its library of measurements (NVML) are of "
    "different versions, as after an update without a restart.",
    "no-gpu": "The driver knows no GPU.",
    "nvml-not-supported": "The device does not support this reading.",
    "nvml-no-permission": "The driver does not let this user read it.",
    "nvml-function-missing": "The driver is too old to have this reading.",
    "nvml-timeout": "The driver did not answer in time.",
    "nvml-error": "The driver answered with an error.",
    "mig-slice": "The device is a slice of a GPU (MIG), and the reading is of the whole GPU.",
    "vgpu": "The device is a virtual GPU, and the reading is of more than its share.",
    "no-energy-counter": "The device counts no energy.",
    "rapl-absent": "The kernel shows no energy counter of a processor package.",
    "rapl-unreadable": "The energy counters of the processor could not be read; mostly only the "
    "administrator may.",
    "counter-reset": "The energy counter went back while energy was measured.",
    "too-few-ticks": "The energy counter moved too seldom to tell the energy of a window.",
    "too-few-calls": "Calls took too long to tell the energy of one from a window.",
    "throughput-disagrees": "Calls took another time while energy was measured than while latency "
    "was, so the joules would be of other work.",
    "no-device-memory": "The device has no memory of its own.",
    "graph-replayed": "What a CUDA graph works on was set aside when it was captured, so a replay "
    "holds next to no memory by this count.",
    "quality-not-applicable": "Task or weights are for costs only: the answers mean nothing.",
    "peak-not-resettable": "The kernel refused to reset the high-water mark of memory.",
    "peak-unreadable": "The kernel did not give the high-water mark of memory.",
    "uncounted-method": "The method does not use the model's own weights: tokens are not seen.",
    "one-pass": "A call reads its whole input in one pass, so there are no tokens to wait for.",
    "tokens-made": "Tokens were made, not given to be scored, so there is nothing to compare "
    "token by token.",
    "logits-not-seen": "Scores do not follow from what the model's own head said.",
    "unseen-passes": "The method does not call the model's own blocks, so passes are not seen.",
    "uncounted-model": "The model's own weights saw no rows, so tokens could not be counted.",
}
_CAUSES = {  # what spoils a measurement, and the reason of a run that cannot be had without
    "suspended": "The machine was suspended while something was measured.",
    "throttled": "The device slowed itself down, for heat or power, while something was measured.",
    "cpu-throttled": "The processor-time quota of the control group was used up.",
    "foreign-process": "Another process was on the device.",
    "clocks-changed": "The device's application clocks were changed while something was measured.",
    "ecc-error": "The device's memory had an error that could not be corrected.",
    "xid-error": "The driver reported a critical error of the device (Xid).",
    "affinity-changed": "The processors that this process may use were changed.",
    "limits-changed": "A limit of clocks or power was changed while something was measured.",
    "device-changed": "The device is no longer of the class under which the run was planned: "
    "its name, number of processors, limit or clocks differ, or are no longer told.",
}
_FLAGS = {
    "answers-flipped": "Some answers differ between the timed and the quality pass, within bounds.",
    "exclusivity-unverified": "It could not be proven that nothing else used the device.",
    "power-capped": "The device ran at its power limit for a part of the time, which lowers its "
    "clocks.",
    "graph-breaks": "A compiled function goes back to Python in places, for one arm at least.",
    "power-disagrees": "Instantaneous power and the energy counter tell different joules.",
    "no-steady-temperature": "The device was not, or not known to be, equally warm in all windows "
    "of energy.",
    "unconverged": "The ratio is rough: its interval is wider than asked, or than the usual 1 % "
    "either way, or is withheld.",
    "short-windows": "Energy was measured in fewer or shorter windows than usual.",
    "reference-slowed": "The reference ran much slower while the method was in place.",
    "slower-on-fresh": "Inputs never met before took longer than those met before.",
    "fresh-not-checked": "Too few inputs were left to see whether answers are kept.",
    "tokens-undercounted": "More arithmetic was done than the counted tokens explain.",
    "directory-changed": "The method changed the working directory.",
}


def _signals() -> dict[str, str]:
    """One code for each signal that can end a process."""
    return {
        f"signal-{number.name}": f"The process was ended by signal {number.name}."
        for number in signal.Signals
    }


REASONS: Mapping[str, str] = MappingProxyType(
    {**_ENDINGS, **_signals(), **_MISSING, **_CAUSES, **_FLAGS}
)
