"""What each role of a run is called on pages: why one that is no result stands in no table of them.

Each has its run page, labelled, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping

ROLE_MEANING: Mapping[str, str] = {
    "result": "a result",
    "calibration": "made to test the ruler, so in no table of results",
    "control": "planted: slow or large on purpose, so in no table of results",
    "scripted": "simulated: the device is scripted, so nothing in it was measured",
}
