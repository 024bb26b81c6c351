"""Verdicts at equal tokens, computed once for all pages from the store's own rule."""

from __future__ import annotations

from collections.abc import Iterable

from tokonomy.store import verdict as rule
from tokonomy_site.figures import percent, probability
from tokonomy_site.snapshot import Verdict

_WHY = {
    "tokens-not-counted": "tokens not counted",
    "scores-not-binary": "scores not right or wrong",
    "no-baseline-run": "baseline not run",
    "baseline-on-other-samples": "baseline saw other samples",
    "no-baseline-with-as-many-tokens": "none as large",
    "no-baseline-with-as-few-tokens": "none as small",
    "baseline-worse-with-more-tokens": "baseline not monotone",
}


def verdicts(arms: Iterable[rule.Arm | None]) -> dict[str, dict[str, Verdict]]:
    """Verdicts by run and baseline.

    Args:
        arms: Of the newest record of each cell.
    """
    return {
        run: {baseline: _verdict(found) for baseline, found in by_baseline.items()}
        for run, by_baseline in rule.verdicts(arms).items()
    }


def _verdict(found: rule.Verdict) -> Verdict:
    if found.outcome == "not comparable":
        return Verdict(word=found.outcome, why=_WHY.get(found.reason or "", "reason not known"))
    decided = found.match if found.outcome in ("beats", "loses") else None
    why = (
        _test(decided)
        if decided
        else f"not better than {_test(found.upper)}; not worse than " + (_test(found.lower))
    )
    return Verdict(word=found.outcome, p=decided.p if decided else None, why=why)


def _test(match: rule.Match | None) -> str:
    if match is None:
        return "any setting"
    return (
        f"its setting with {percent(match.tokens_kept)} % of the tokens ({match.wins} samples only "
        f"the method has right, {match.losses} only the baseline, "
        f"{probability(match.p)}{_over(match)})"
    )


def _over(match: rule.Match) -> str:
    return f", corrected over {match.tests} settings" if match.tests > 1 else ""
