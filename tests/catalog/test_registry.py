import json
import subprocess
import sys
from pathlib import Path

import pytest

from tokonomy.catalog.registry import catalogue, unknown
from tokonomy.catalog.sources import reached, source_hash
from tokonomy.errors import BadParameter, UnknownId

PLUGIN = Path(__file__).parents[1] / "plugins" / "outside"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the test package installed in it, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", str(folder), str(PLUGIN)],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def tokonomy(*words: str, path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from tokonomy.cli import main; main()", *words],
        env={"PYTHONPATH": str(path), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("noun", ["method", "task", "model"])
def test_every_shipped_card_is_the_card_of_its_class(noun: str) -> None:
    registry = catalogue(noun)
    assert registry.broken == ()
    assert registry.cards
    for name, card in registry.cards.items():
        assert registry.load(name).card == card


def test_an_unknown_id_is_answered_with_near_matches() -> None:
    with pytest.raises(UnknownId, match=r"no task 'digit'; did you mean digits\?"):
        catalogue("task").card("digit")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(BadParameter, match="has no parameter 'rr'; it has"):
        catalogue("method").build("tome", {"rr": 3})


def test_a_package_from_outside_is_listed_and_its_faults_are_reported(outside: Path) -> None:
    done = tokonomy("list", "methods", "--json", path=outside)
    ids = [card["id"] for card in json.loads(done.stdout)]
    assert done.returncode == 0
    assert {"outside-half", "outside-unimportable", "tome", "reference"} <= set(ids)
    assert len(ids) == len(set(ids))
    warnings = done.stderr.splitlines()
    assert len(warnings) == 3
    assert any("not_there" in line for line in warnings)
    assert any("thief" in line and "already taken" in line for line in warnings)
    assert any("broken" in line and "literals only" in line for line in warnings)
    assert "this file was run" not in done.stderr


def test_a_method_and_a_task_from_outside_are_measured(outside: Path, tmp_path: Path) -> None:
    done = tokonomy(
        "run", "--method", "outside-half", "--task", "outside-gradients", "--set", "keep=0.5",
        "--measure", "max_s=0.1", "--db", str(tmp_path / "x.sqlite"), "--json", path=outside,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = tokonomy("results", "show", "--db", str(tmp_path / "x.sqlite"), "--json", path=outside)
    runs = {run["method"]: run for run in json.loads(shown.stdout)}
    assert set(runs) == {"outside-half", "reference"}
    assert {run["status"] for run in runs.values()} == {"ok"}
    assert runs["outside-half"]["metrics"]["tokens_kept"]["value"] == pytest.approx(33 / 65)


def test_a_suite_package_that_is_gone_is_reported(outside: Path) -> None:
    done = tokonomy("list", "suites", path=outside)
    assert done.returncode == 0
    assert "quick" in done.stdout
    assert "no_such_package_at_all" in done.stderr


def test_listing_does_not_import_torch() -> None:
    code = (
        "import sys, tokonomy.catalog.registry as r\n"
        "import tokonomy.cli, tokonomy.cli.catalog\n"
        "[r.catalogue(noun).cards for noun in r.NOUNS]\n"
        "print([m for m in ('torch', 'transformers', 'pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_source_hash_follows_shared_modules_and_ignores_cards(tmp_path: Path) -> None:
    package = tmp_path / "hashed_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shared.py").write_text("X = 1\n")
    (package / "method.py").write_text("from hashed_package.shared import X\nCARD = 'a'\n")
    sys.path.insert(0, str(tmp_path))
    try:
        first = source_hash("hashed_package.method")
        assert set(reached("hashed_package.method")) >= {"hashed_package.shared"}
        (package / "method.py").write_text("from hashed_package.shared import X\nCARD = 'b'\n")
        assert source_hash("hashed_package.method") == first
        (package / "shared.py").write_text("X = 2\n")
        assert source_hash("hashed_package.method") != first
        last = source_hash("hashed_package.method")
        (package / "__init__.py").write_text('"""Words."""\n')
        assert source_hash("hashed_package.method") == last
        (package / "__init__.py").write_text('"""Words."""\nimport hashed_package.shared\n')
        assert source_hash("hashed_package.method") != last
    finally:
        sys.path.remove(str(tmp_path))


def test_a_method_reaches_the_code_that_runs_the_model() -> None:
    modules = reached(catalogue("method").entry("tome").module)
    assert "tokonomy.families.vision.attention" in modules
    assert "tokonomy_methods.tokens.merge" in modules
    assert not any(name.startswith("tokonomy.cli") for name in modules)


def test_a_long_list_of_what_is_known_is_cut() -> None:
    said = unknown("task", "zzzz", (f"name-{number:04d}" for number in range(5000)))
    assert "name-0000" in said
    assert said.endswith(" and 4,960 more")
    assert len(said) < 600
