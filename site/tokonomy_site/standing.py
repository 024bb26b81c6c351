"""What a run is for. Only results stand in tables of results, charts, fronts and counts of them.

A planted control is slow or large on purpose, calibration times the reference against itself, and
on a scripted device nothing was measured at all: each has its run page, labelled, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tokonomy.store.calibration import SUITE
from tokonomy.store.record import Record
from tokonomy.store.scripted import scripted

Role = Literal["result", "calibration", "control", "scripted"]

_PLANTED = "planted-"  # begins the id of a control, for records whose method is not installed here

ROLE_MEANING: Mapping[str, str] = {
    "result": "a result",
    "calibration": "made to test the ruler, so in no table of results",
    "control": "planted: slow or large on purpose, so in no table of results",
    "scripted": "simulated: the device is scripted, so nothing in it was measured",
}


def role(record: Record, kinds: Mapping[str, str]) -> Role:
    """What a run is for.

    Args:
        record: What it left.
        kinds: Kind of each method that is installed.
    """
    method = record.cell.method.id
    if scripted(record):
        return "scripted"
    if kinds.get(method) == "control" or method.startswith(_PLANTED):
        return "control"
    return "calibration" if record.suite == SUITE else "result"
