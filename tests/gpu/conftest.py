"""Order of the tests on a GPU."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs come first: a run refuses a device on which another process is, as this one.

    It is on the device from the first test that computes there to its own end.
    """
    items.sort(key=lambda item: item.path.name != "test_cells.py")
