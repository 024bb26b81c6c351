"""How long the checker takes over 500 submissions, and whether its time grows with their number."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from tokonomy.submit.scaffold import begin
from tokonomy.submit.static import METHODS, check

COUNTS = (125, 250, 500)
FAMILIES = ("vision", "decoding", "kv")


def submissions(folder: Path, count: int) -> Path:
    """A checkout with as many methods, each with its test, as they are begun."""
    for number in range(count):
        begin("method", FAMILIES[number % len(FAMILIES)], f"begun-{number}", folder)
    return folder


@pytest.mark.parametrize("count", COUNTS)
def test_checking_submissions(benchmark: Any, tmp_path: Path, count: int) -> None:
    """Seconds for all of them, in a checkout of nothing else."""
    place = submissions(tmp_path, count)
    found = benchmark.pedantic(check, (place, [place / METHODS]), rounds=1, iterations=1)
    assert found == []
    benchmark.extra_info["ms_for_one"] = 1e3 * benchmark.stats["mean"] / count


def test_time_grows_with_the_number_and_not_with_its_square(tmp_path: Path) -> None:
    """Twice as many take less than three times as long; squared, it would be four times."""
    spent = []
    for count in (COUNTS[0], 2 * COUNTS[0], 4 * COUNTS[0]):
        place = submissions(tmp_path / str(count), count)
        begun = perf_counter()
        check(place, [place / METHODS])
        spent.append(perf_counter() - begun)
    assert spent[2] < 9 * spent[0], spent
