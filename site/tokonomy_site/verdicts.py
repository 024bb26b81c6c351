"""Verdicts at equal spending, computed once for all pages from the store's own rule."""

from __future__ import annotations

from collections.abc import Iterable

from tokonomy.store import verdict as rule
from tokonomy.store.contests import Arm
from tokonomy_site.families import family
from tokonomy_site.figures import percent, probability
from tokonomy_site.snapshot import Verdict

_WHY = {
    "share-not-counted": "not counted",
    "nothing-saved": "saves nothing",
    "scores-not-binary": "scores not right or wrong",
    "no-baseline-run": "baseline not run",
    "baseline-on-other-samples": "baseline saw other samples",
    "no-baseline-as-large": "none as large",
    "no-baseline-as-small": "none as small",
    "wins-and-loses": "both ways",
}


def verdicts(arms: Iterable[Arm | None]) -> dict[str, dict[str, Verdict]]:
    """Verdicts by run and baseline.

    Args:
        arms: Of the record that stands for each cell.
    """
    present = [each for each in arms if each is not None]
    equal = {each.run_id: family(each.group[0]).equal for each in present}
    return {
        run: {baseline: _verdict(found, equal[run]) for baseline, found in by_baseline.items()}
        for run, by_baseline in rule.verdicts(present).items()
    }


def _verdict(found: rule.Verdict, equal: str) -> Verdict:
    decided = found.match
    if found.outcome == "not comparable" or decided is None:
        return Verdict(word="not comparable", why=_WHY.get(found.reason or "", "reason not known"))
    if found.outcome == "no difference" and found.lower is not None:
        wins = found.lower.p < rule.ALPHA and found.lower.wins > found.lower.losses
        below = "better" if wins else "not worse"
        why = f"not better than {_test(decided, equal)}; {below} than {_test(found.lower, equal)}"
        return Verdict(word=found.outcome, why=why)
    return Verdict(word=found.outcome, p=decided.p, why=_test(decided, equal))


def _test(match: rule.Match, equal: str) -> str:
    return (
        f"its setting with {percent(match.share)} % of the {equal} ({match.wins} samples only "
        f"the method has right, {match.losses} only the baseline, "
        f"{probability(match.p)}{_over(match)})"
    )


def _over(match: rule.Match) -> str:
    return f", corrected over {match.tests} settings" if match.tests > 1 else ""
