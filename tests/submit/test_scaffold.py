"""What `tokonomy new` writes passes the checker, the types and the tests as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checkouts import MAIN, ROOT, call, copied
from tokonomy.errors import UsageError
from tokonomy.submit.scaffold import SHAPES, begin, checkout
from tokonomy.submit.static import check
from tokonomy.submit.trial import CONTRACTS


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked and new files of the repository."""
    return copied(tmp_path_factory.mktemp("checkout"))


def test_all_that_is_begun_passes_what_is_asked_of_it(copy: Path) -> None:
    made: list[str] = []
    for noun, family in SHAPES:
        done = call(copy, "-c", MAIN, "new", noun, family, f"begun-{noun}-{family}")
        assert done.returncode == 0, done.stderr
        made += [line.removeprefix("written: ") for line in done.stdout.splitlines()]
    assert check(copy, [copy / name for name in made]) == []
    done = call(copy, "-m", "ruff", "check", *(name for name in made if name.endswith(".py")))
    assert done.returncode == 0, done.stdout
    done = call(copy, "-m", "ruff", "format", "--check", *(n for n in made if n.endswith(".py")))
    assert done.returncode == 0, done.stdout
    own = [name for name in made if name.startswith("tests/")]
    rest = [path for kind, path in CONTRACTS.items() if kind != "vision"]  # see CONTRIBUTING's test
    done = call(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "begun", *own, *rest)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) > 60
    done = call(copy, "-c", MAIN, "run", "--method", "reference", "--task", "begun-task-vision",
                "--measure", "max_s=0.1")  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tome", "is taken"),
        ("My-Pruner", "an id is of a-z"),
        ("../pruner", "an id is of a-z"),
        ("-pruner", "an id is of a-z"),
        ("a" * 41, "at most 40 characters"),
        ("planted-slow-too", "means something else"),
        ("class", "means something else"),
    ],
)
def test_an_id_that_cannot_be_is_refused(copy: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        begin("method", "vision", name, copy)


def test_nothing_is_written_where_a_file_is_there(tmp_path: Path) -> None:
    there = tmp_path / "tests" / "methods" / "test_my_pruner.py"
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    with pytest.raises(UsageError, match="is there already; nothing was written"):
        begin("method", "vision", "my-pruner", tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [there]
    assert there.read_text() == "mine"


def test_outside_of_a_checkout_there_is_nothing_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in no checkout"):
        checkout(tmp_path)
    assert checkout(ROOT / "tests" / "methods") == ROOT
