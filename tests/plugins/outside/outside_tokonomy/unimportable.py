"""A good card on a file that cannot be imported; listed, and an error when used."""

from tokonomy.catalog.cards import MethodCard

CARD = MethodCard(
    id="outside-unimportable",
    title="Cannot be imported",
    families=("vision",),
    summary="Needs a module that is not there.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("nothing",),
    sweep=({}, {}, {}, {}),
)
