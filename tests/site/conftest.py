"""One built site for all tests of it, and a real browser that is kept off the network."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experts import expert_records
from records import build_store, language_records, make_lab, make_record
from tokonomy.catalog.registry import catalogue
from tokonomy.store.database import open_store
from tokonomy_site.build import build

RUNS = 220


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of made-up runs."""
    return build_store(tmp_path_factory.mktemp("store") / "tokonomy.sqlite", RUNS)


@pytest.fixture(scope="session")
def site(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site made from it."""
    out = tmp_path_factory.mktemp("site") / "dist"
    build(str(database), None, out)
    return out


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a made-up GPU, calibration records, and runs that are no results."""
    folder = tmp_path_factory.mktemp("lab")
    calibrated = make_lab(folder)
    build(str(folder / "tokonomy.sqlite"), None, folder / "dist", calibrated)
    return folder / "dist"


#: Methods of language models: what their cards say of families, losslessness and effect.
CARDS = {
    "made-exact": ("decoding", "exact", "none"),
    "made-draft": ("decoding", "exact", "none"),
    "failed-draft": ("decoding", "lossy", "none"),
    "made-drop": ("kv", "lossy", "kv-only"),
    "made-mask": ("kv", "lossy", "masked"),
    "made-cut": ("kv", "lossy", "kv-only"),
}
_CARD = """\
from tokonomy.catalog.cards import MethodCard

CARD = MethodCard(
    id={name!r}, title={name!r}, families=({family!r},), summary="Made up.", kind="training-free",
    lossless={lossless!r}, effect={effect!r}, alters=(),
    sweep={sweep},
)
"""


@contextmanager
def spoken(folder: Path) -> Iterator[dict[str, str]]:
    """Cards of language methods are installed while this lasts; gives their sources' hashes."""
    package, info = folder / "spoken_methods", folder / "spoken_methods-0.1.dist-info"
    for each in (package, info):
        each.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spoken-methods\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[tokonomy.methods]\nspoken = spoken_methods\n")
    (package / "__init__.py").touch()
    for name, (family, lossless, effect) in CARDS.items():
        dial, values = ("keep", (0.75, 0.5, 0.25, 0.1)) if family == "kv" else ("tokens", range(4))
        sweep = tuple({dial: value} for value in values)
        card = _CARD.format(name=name, family=family, lossless=lossless, effect=effect, sweep=sweep)
        (package / f"{name.replace('-', '_')}.py").write_text(card)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    catalogue.cache_clear()
    try:
        known = catalogue("method")
        yield {name: known.source_hash(name) for name in (*CARDS, "reference")}
    finally:
        sys.path.remove(str(folder))
        catalogue.cache_clear()


@pytest.fixture(scope="session")
def tongues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of language models, of both families, beside one run of vision."""
    folder = tmp_path_factory.mktemp("tongues")
    with spoken(folder / "plugin") as sources:
        with open_store(folder / "a.sqlite") as store:
            store.add_all(language_records(sources))
            store.add(make_record())
        build(str(folder / "a.sqlite"), None, folder / "dist")
    return folder / "dist"


@pytest.fixture(scope="session")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a class of a made-up GPU that limits, axes and comparisons can be tried on."""
    folder = tmp_path_factory.mktemp("expert")
    with open_store(folder / "a.sqlite") as store:
        store.add_all(expert_records())
    build(str(folder / "a.sqlite"), None, folder / "dist")
    return folder / "dist"
