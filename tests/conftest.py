"""Settings for every test: nothing is fetched, and torch keeps to one thread."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)
