"""What is left of what a family saves, by which settings go from gentle to hard."""

from __future__ import annotations

from collections.abc import Mapping

from tokonomy.store.metrics import Metric


def spent(family: str, figures: Mapping[str, Metric]) -> float | None:
    """Share of the reference's; None where it was not counted.

    Tokens kept; of decoding passes of the model over those of the reference; of caches bytes, to
    the per cent, since what hides the most can hold a byte more.

    Args:
        family: Its id.
        figures: Of a run, by name.
    """
    name = {"decoding": "acceptance_length", "kv": "kv_logical_ratio"}.get(family, "tokens_kept")
    figure = figures.get(name)
    if figure is None or not figure.value:
        return None
    if family == "decoding":
        return 1 / figure.value
    return round(figure.value, 2) if family == "kv" else figure.value
