"""A method whose module cannot be imported."""

from tokonomy.catalog.cards import MethodCard

CARD = MethodCard(
    id="unimportable",
    title="Unimportable",
    families=("vision",),
    summary="Raises when it is imported.",
    kind="training-free",
    lossless="lossy",
    effect="none",
    alters=(),
    sweep=({}, {}, {}, {}),
)

raise RuntimeError("this module is broken")
