"""A few items of a task's test split to look at, as small PNG images inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cache

from PIL import Image

from tokonomy.catalog.cards import TaskCard
from tokonomy.catalog.registry import catalogue
from tokonomy.errors import TokonomyError

#: Per task the classes whose licence lets their items be shown: all of the digits (CC BY 4.0), of
#: the photographs those that their origin puts under CC0.
SHOWN = {
    "digits": tuple("0123456789"),
    "textures": ("brick", "camera", "cell", "chelsea", "coffee", "grass", "gravel", "retina"),
}
NOTES = {
    "digits": "The first test image of each class, as stored (CC BY 4.0).",
    "textures": "The first test tile of each photograph that its origin puts under CC0, as stored; "
    "the other photographs are not shown.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One item.

    Attributes:
        data: The image as a data URL.
        alt: What it shows.
        label: Its class.
    """

    data: str
    alt: str
    label: str


def some(card: TaskCard) -> list[Sample]:
    """The first item of each class that may be shown; none where the task cannot be opened."""
    return list(_some(card.id)) if card.id in SHOWN else []


@cache
def _some(task: str) -> tuple[Sample, ...]:
    try:
        images = catalogue("task").build(task, {}).samples("test")
    except (TokonomyError, ImportError, OSError):
        return ()
    firsts: dict[int, int] = {}
    for index, label in enumerate(images.labels):
        firsts.setdefault(label, index)
    chosen = [firsts[i] for i in sorted(firsts) if images.classes[i] in SHOWN[task]]
    return tuple(
        Sample(
            data=_png(Image.fromarray(images.read(index))),
            alt=f"Sample {images.ids[index]}",
            label=images.classes[images.labels[index]],
        )
        for index in chosen
    )


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
