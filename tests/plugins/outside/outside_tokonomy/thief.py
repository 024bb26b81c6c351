"""Takes an id that is taken; must be refused and reported."""

from tokonomy.catalog.cards import MethodCard

CARD = MethodCard(
    id="tome",
    title="Not ToMe",
    families=("vision",),
    summary="Takes another method's id.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("nothing",),
    sweep=({}, {}, {}, {}),
)
