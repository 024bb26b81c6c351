"""RAPL over a folder made here, laid out as the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tokonomy.errors import TelemetryError
from tokonomy.measure.rapl import RaplCounter, open_counter
from tokonomy.store.fields import Missing

RANGE = 262_143_328_850


def domain(root: Path, folder: str, name: str, energy: int | str, span: int = RANGE) -> Path:
    place = root / folder
    place.mkdir()
    (place / "name").write_text(f"{name}\n")
    (place / "energy_uj").write_text(f"{energy}\n")
    (place / "max_energy_range_uj").write_text(f"{span}\n")
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sockets, each with parts, and what holds the whole machine."""
    (tmp_path / "intel-rapl").mkdir()
    for socket in (0, 1):
        name = f"intel-rapl:{socket}"
        domain(tmp_path, name, f"package-{socket}", 1000 * (socket + 1))
        domain(tmp_path, f"{name}:0", "core", 77)
        domain(tmp_path, f"{name}:1", "dram", 88)
    domain(tmp_path, "intel-rapl:2", "psys", 999)
    domain(tmp_path, "intel-rapl-mmio:0", "package-0", 1000)
    return tmp_path


def move(root: Path, **joules: int) -> None:
    """Let registers count, given by the number of the socket."""
    for socket, energy_uj in joules.items():
        path = root / f"intel-rapl:{socket.removeprefix('s')}" / "energy_uj"
        path.write_text(f"{int(path.read_text()) + energy_uj}\n")


def opened(root: Path) -> RaplCounter:
    counter = open_counter(root)
    assert isinstance(counter, RaplCounter)
    return counter


def test_packages_add_up_and_nothing_else_does(root: Path) -> None:
    counter = opened(root)
    assert (counter.boundary, counter.meter) == ("package", "rapl-package")
    assert counter.device == "package-0, package-1"
    before = counter.read()
    (root / "intel-rapl:0:0" / "energy_uj").write_text("5000000\n")
    (root / "intel-rapl:2" / "energy_uj").write_text("5000000\n")
    move(root, s0=300, s1=40)
    assert counter.read() - before == 340
    assert counter.power_w() is None


def test_a_new_sum_waits_for_every_socket(root: Path) -> None:
    counter = opened(root)
    before = counter.read()
    move(root, s0=300)
    assert counter.read() == before
    move(root, s0=10, s1=40)
    assert counter.read() - before == 350


def test_a_wrap_is_undone(root: Path) -> None:
    path = root / "intel-rapl:1" / "energy_uj"
    path.write_text(f"{RANGE - 100}\n")
    counter = opened(root)
    before = counter.read()
    move(root, s0=5)
    path.write_text("250\n")
    assert counter.read() - before == 5 + 350


def test_a_register_set_back_is_told(root: Path) -> None:
    (root / "intel-rapl:0" / "energy_uj").write_text("9000000\n")
    counter = opened(root)
    (root / "intel-rapl:0" / "energy_uj").write_text("12\n")
    with pytest.raises(TelemetryError) as caught:
        counter.read()
    assert caught.value.reason == "counter-reset"
    move(root, s0=7, s1=7)
    assert counter.read() >= 0  # and it can be read again


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_only_root_may_read(root: Path) -> None:
    (root / "intel-rapl:0" / "energy_uj").chmod(0)
    assert open_counter(root) == Missing(
        reason="rapl-unreadable", detail="energy_uj: Permission denied"
    )


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("energy_uj", "", "expected a number"),
        ("energy_uj", "-5", "expected a number"),
        ("energy_uj", "1e9", "expected a number"),
        ("energy_uj", "\u0663", "not text"),
        ("energy_uj", "9" * 300, "expected a number"),
        ("energy_uj", str(RANGE + 1), "above its own range"),
        ("max_energy_range_uj", "many", "expected a number"),
        ("name", "package-1", "two domains of one name"),
    ],
)
def test_garbage_gives_a_reason(root: Path, file: str, text: str, why: str) -> None:
    (root / "intel-rapl:0" / file).write_text(text, encoding="utf-8")
    found = open_counter(root)
    assert isinstance(found, Missing)
    assert found.reason == "rapl-unreadable"
    assert why in (found.detail or "")


def test_a_directory_in_place_of_a_file(root: Path) -> None:
    (root / "intel-rapl:0" / "energy_uj").unlink()
    (root / "intel-rapl:0" / "energy_uj").mkdir()
    found = open_counter(root)
    assert isinstance(found, Missing)
    assert (found.reason, found.detail) == ("rapl-unreadable", "energy_uj: Is a directory")


def test_a_file_that_vanishes_while_it_is_read(root: Path) -> None:
    counter = opened(root)
    (root / "intel-rapl:1" / "energy_uj").unlink()
    with pytest.raises(TelemetryError) as caught:
        counter.read()
    assert caught.value.reason == "rapl-unreadable"
    assert "No such file" in caught.value.detail


def test_no_packages(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "psys", 5)
    for folder in (tmp_path, tmp_path / "nowhere"):
        found = open_counter(folder)
        assert isinstance(found, Missing)
        assert found.reason == "rapl-absent"
