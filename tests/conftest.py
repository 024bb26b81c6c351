"""Settings for every test: nothing is fetched, and torch keeps to one thread."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client

import pytest
import torch

FIRST = (
    "test_contributing.py", "test_faults.py", "test_browser.py", "test_energy.py",
    "test_misbehaviour.py", "test_language_pages.py", "test_run.py", "test_calibrate.py",
)  # fmt: skip
"""Files that take more than a minute: begun first, so that none is left to one worker alone."""


collect_ignore = ["submit/submissions"]  # their tests are part of what is submitted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all others keep their order."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(FIRST)))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)
