"""A card that is not a literal; must be reported, and must not be run."""

from tokonomy.catalog.cards import MethodCard

raise RuntimeError("this file was run while listing")
CARD = MethodCard(id="outside-broken", title=open("/etc/hostname").read())
