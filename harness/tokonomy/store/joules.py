"""Energy figures from the windows of a record.

Intervals are over windows, which are independent measurements. What the counter leaves open in a
window is told apart, as ``energy_bound``; where that is much, there are no joules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tokonomy.stats.estimate import Estimate
from tokonomy.stats.means import mean, mean_ratio
from tokonomy.store.fields import Arm, Missing
from tokonomy.store.metrics import Metric, absent, estimated, present
from tokonomy.store.observed import Energy, Trial

ENERGY = (
    "energy_j",
    "reference_energy_j",
    "energy_ratio",
    "energy_net_j",
    "power_w",
    "energy_bound",
    "energy_residual",
)
JOULES = ENERGY[:4]
ARMS: tuple[Arm, ...] = ("method", "reference")
_J = 1e-6  # joules in a microjoule

BOUND_MOST = 0.1
"""Joules are withheld where either arm's windows leave more open than this on average: the error of
their mean may be as large, and is in no interval. The shortest windows are 20 ticks, of which both
ends together leave a tenth open if nothing is known of where in a tick they lie."""


def joules(energy: Energy) -> Iterator[Metric]:
    """Every figure of ``ENERGY``, in its order; joules and watts say of what they are."""
    found = {metric.name: metric for metric in _figures(energy)}
    if any(_bound(of(energy, arm)) > BOUND_MOST for arm in ARMS):
        found |= {name: absent(name, "bound-too-wide") for name in JOULES}
    return iter(found.values())


def _figures(energy: Energy) -> Iterator[Metric]:
    method, reference = of(energy, "method"), of(energy, "reference")
    size, whose = energy.batch_size, energy.boundary
    for name, trials in (("energy_j", method), ("reference_energy_j", reference)):
        yield _labelled(estimated(name, mean(each_uj(trials)), _J / size), whose)
    yield estimated("energy_ratio", _ratio(method, reference))
    yield _labelled(_net(energy, method), whose)
    yield _labelled(present("power_w", _power_w(method), len(method)), whose)
    yield present("energy_bound", max(t.bound for t in energy.trials), len(energy.trials))
    apart = residual(energy)
    if apart is None:
        yield absent("energy_residual", "no-power-field")
    else:
        yield present("energy_residual", apart, len(energy.trials))


def of(energy: Energy, arm: Arm) -> list[Trial]:
    """The windows of one arm, in order."""
    return [trial for trial in energy.trials if trial.arm == arm]


def each_uj(trials: Sequence[Trial]) -> list[float]:
    """Energy of one call in each window, microjoules."""
    return [trial.energy_uj / trial.calls for trial in trials]


def _bound(trials: Sequence[Trial]) -> float:
    """Mean over windows of what the counter leaves open, which bounds the error of their mean."""
    return sum(trial.bound for trial in trials) / max(1, len(trials))


def residual(energy: Energy) -> float | None:
    """Integrated power over the counter, minus 1, over every window that has both."""
    both = [(t.integrated_uj, t.energy_uj) for t in energy.trials if t.integrated_uj is not None]
    counted = sum(energy_uj for _, energy_uj in both)
    return sum(integrated for integrated, _ in both) / counted - 1 if counted else None


def _labelled(metric: Metric, boundary: str) -> Metric:
    """With its boundary, where there is a number to label."""
    return metric if metric.value is None else metric._replace(text=boundary)


def _ratio(method: Sequence[Trial], reference: Sequence[Trial]) -> Estimate:
    """Method over reference: the arms' first windows, their second, ..., each pair one ratio.

    The two of a pair were measured next to each other, so what drifts cancels.
    """
    pairs = min(len(method), len(reference))
    return mean_ratio(each_uj(method[:pairs]), each_uj(reference[:pairs]))


def _net(energy: Energy, method: Sequence[Trial]) -> Metric:
    """Energy above what the idle device takes in the same time.

    Idle power may have been anywhere between before and after; the interval is wider by that.
    """
    idle_w = []
    for idle in (energy.idle_before, energy.idle_after):
        if isinstance(idle, Missing):
            return absent("energy_net_j", idle.reason)
        idle_w.append(idle.power_w)
    mean_w = sum(idle_w) / len(idle_w)
    above = [(t.energy_uj - mean_w * t.span_ns * 1e-3) / t.calls for t in method]
    found = mean(above)
    open_w = abs(idle_w[0] - idle_w[1]) / 2
    open_uj = open_w * 1e-3 * sum(t.span_ns / t.calls for t in method) / max(1, len(method))
    if found.value is not None and found.value <= 0:
        return absent("energy_net_j", "idle-above-work")
    if found.low is not None and found.high is not None:
        found = replace(found, low=max(0.0, found.low - open_uj), high=found.high + open_uj)
    return estimated("energy_net_j", found, _J / energy.batch_size)


def _power_w(trials: Sequence[Trial]) -> float | None:
    span_ns = sum(trial.span_ns for trial in trials)
    return sum(trial.energy_uj for trial in trials) * 1e3 / span_ns if span_ns else None
