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
    "wins-and-loses": "both ways",
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
    decided = found.match
    if found.outcome == "not comparable" or decided is None:
        return Verdict(word="not comparable", why=_WHY.get(found.reason or "", "reason not known"))
    if found.outcome == "no difference" and found.lower is not None:
        surely = found.lower.p < rule.ALPHA and found.lower.wins > found.lower.losses
        below = "better" if surely else "not worse"
        why = f"not better than {_test(decided)}; {below} than {_test(found.lower)}"
        return Verdict(word=found.outcome, why=why)
    return Verdict(word=found.outcome, p=decided.p, why=_test(decided))


def _test(match: rule.Match) -> str:
    return (
        f"its setting with {percent(match.tokens_kept)} % of the tokens ({match.wins} samples only "
        f"the method has right, {match.losses} only the baseline, "
        f"{probability(match.p)}{_over(match)})"
    )


def _over(match: rule.Match) -> str:
    return f", corrected over {match.tests} settings" if match.tests > 1 else ""
