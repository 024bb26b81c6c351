"""Which cells a change touches."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tokonomy.catalog.cards import MethodCard
from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.sources import reached
from tokonomy.catalog.suites import Selection, Suite, read_suite
from tokonomy.families.registry import families, load_family
from tokonomy.submit.affected import (
    FAMILIES,
    SUITES,
    Affected,
    Tree,
    affected,
    narrowed,
    suite_at,
    written,
)
from tokonomy.submit.changes import changed
from tokonomy.submit.scaffold import begin

ROOT = Path(__file__).parents[2]
VISION = "methods/tokonomy_methods/vision"


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *who, *words], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with our packages and suites, committed once."""
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for name in ("harness/tokonomy", "methods/tokonomy_methods", "tasks/tokonomy_tasks", SUITES):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy2(ROOT / "constraints.txt", tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "Begin")
    return tmp_path


def edit(place: Path, path: str, before: str, after: str) -> None:
    text = (place / path).read_text()
    assert before in text
    (place / path).write_text(text.replace(before, after))


def touched(place: Path) -> Affected:
    return affected(Tree(place), "HEAD", changed(place, "HEAD"))


def plan(place: Path, name: str = "quick") -> Suite | None:
    suite = read_suite(place / SUITES / f"{name}.toml")
    return narrowed(suite, touched(place), Tree(place), suite_at(place, "HEAD", name))


def test_what_is_reached_is_what_the_keys_are_made_of() -> None:
    tree = Tree(ROOT)
    for noun in ("method", "task"):
        for entry in catalogue(noun).entries.values():
            if entry.module.startswith(("tokonomy_methods.", "tokonomy_tasks.")):
                assert tree.reaches(entry.module) == set(reached(entry.module)), entry.module
                assert tree.cards[noun, entry.card.id] == (entry.card, entry.module)
    classes = {name: type(load_family(name)).__module__ for name in families()}
    assert dict(FAMILIES) == classes


def test_nothing_changed_touches_nothing(place: Path) -> None:
    (place / "README.md").write_text("words\n")
    assert touched(place) == Affected()
    assert plan(place) is None


def test_a_method_touches_its_own_cells_only(place: Path) -> None:
    edit(place, f"{VISION}/evit.py", "def prepare(", "def prepare(  # changed\n        ")
    found = touched(place)
    assert (found.methods, found.tasks, found.models, found.families) == (
        {"evit"},
        set(),
        set(),
        set(),
    )
    suite = plan(place)
    assert suite is not None
    assert {name for each in suite.select for name in each.methods} == {"evit"}
    assert found.why == {"method evit": f"{VISION}/evit.py"}


def test_a_shared_primitive_touches_every_method_that_reaches_it(place: Path) -> None:
    path = "methods/tokonomy_methods/tokens/match.py"
    edit(place, path, '"""', '"""Changed. ')
    users = {
        name for name, _, module in Tree(place).of("method")
        if "tokonomy_methods.tokens.match" in Tree(place).reaches(module)
    }  # fmt: skip
    assert touched(place).methods == users
    assert {"tome", "pitome"} <= users
    assert not users & {"evit", "reference", "snapkv"}


def test_a_card_alone_touches_nothing_but_settings_it_gained(place: Path) -> None:
    edit(place, f"{VISION}/evit.py", "    summary=", '    title="Other",\n    summary=')
    text = (place / VISION / "evit.py").read_text()
    (place / VISION / "evit.py").write_text(text.replace('    title="EViT",\n', "", 1))
    assert touched(place) == Affected()
    card = Tree(place).cards["method", "evit"][0]
    assert isinstance(card, MethodCard)
    assert card.title == "Other"
    text = (place / VISION / "evit.py").read_text()
    (place / VISION / "evit.py").write_text(
        text.replace("    sweep=(", '    sweep=(\n        {"keep": 0.111},', 1)
    )
    assert touched(place).settings == {"evit": [{"keep": 0.111}]}
    suite = plan(place)
    assert suite is not None
    assert [each.params for each in suite.select if each.methods == ["evit"]] == [
        {"evit": [{"keep": 0.111}]}
    ] * len(suite.select)


def test_a_task_its_data_and_weights_touch_their_cells(place: Path) -> None:
    edit(
        place,
        "tasks/tokonomy_tasks/vision/digits.py",
        "def is_test(",
        "def is_test(  # changed\n    ",
    )
    suite = plan(place)
    assert suite is not None
    assert {ref for each in suite.select for ref in each.tasks} == {"digits"}
    git(place, "commit", "-aqm", "Task")
    path = place / "tasks/tokonomy_tasks/language/recall.yaml"
    path.write_text(path.read_text() + "# changed\n")
    assert touched(place).tasks == {"recall"}
    suite = plan(place, "language-quick")
    assert suite is not None
    assert {ref for each in suite.select for ref in each.tasks} == {"recall"}
    git(place, "commit", "-aqm", "Data")
    (place / "tasks/tokonomy_tasks/models/weights/docs-lm/model.safetensors").write_bytes(b"other")
    (place / "tasks/tokonomy_tasks/models/weights/docs-draft/figures.json").write_text("{}")
    assert touched(place).models == {"docs-lm"}
    suite = plan(place, "language-quick")
    assert suite is not None
    assert {model for each in suite.select for model in each.models} == {"docs-lm"}


def test_a_family_the_protocol_and_what_computes_touch_all_they_serve(place: Path) -> None:
    path = "harness/tokonomy/families/vision/tokens.py"
    edit(place, path, '"""', '"""Changed. ')
    assert touched(place).families == {"vision"}
    assert plan(place) == read_suite(place / SUITES / "quick.toml")
    assert plan(place, "language-quick") is None
    git(place, "commit", "-aqm", "Family")
    edit(place, "harness/tokonomy/measure/protocol.py", "PROTOCOL: Final = ", "PROTOCOL: Final = 9")
    assert touched(place).everything == "the version of the protocol was changed"
    assert plan(place, "language-quick") == read_suite(place / SUITES / "language-quick.toml")
    git(place, "commit", "-aqm", "Protocol")
    edit(place, "constraints.txt", "torch==", "torch==9.")
    assert "library" in touched(place).everything


def test_what_does_not_enter_a_key_touches_nothing(place: Path) -> None:
    edit(place, "harness/tokonomy/run/executor.py", '"""', '"""Changed. ')
    assert touched(place) == Affected()


@pytest.mark.parametrize(("family", "name"), [("vision", "quick"), ("kv", "language-quick")])
def test_what_is_new_is_measured_wherever_its_family_is(
    place: Path, family: str, name: str
) -> None:
    begin("method", family, "new-method", place)
    suite = plan(place, name)
    assert suite is not None
    whole = read_suite(place / SUITES / f"{name}.toml")
    of_family = [each for each in whole.select if whole.family_of(each) == family]
    assert [each.tasks for each in suite.select] == [each.tasks for each in of_family]
    assert all(each.methods == ["new-method"] for each in suite.select)
    begin("task", family, "new-task", place)
    suite = plan(place, name)
    assert suite is not None
    assert suite.select[-1].tasks == ["new-task"]
    assert suite.select[-1].methods == of_family[0].methods


def test_a_suite_that_asks_for_more_is_measured_there(place: Path) -> None:
    path = f"{SUITES}/language-quick.toml"
    text = (place / path).read_text()
    (place / path).write_text(
        text + '\n[[select]]\nfamily = "kv"\ntasks = ["recall-many"]\nmethods = ["tova"]\n'
    )
    suite = plan(place, "language-quick")
    assert suite is not None
    assert suite.select == [Selection(family="kv", tasks=["recall-many"], methods=["tova"])]
    (place / path).write_text(text.replace("max_pairs = 24", "max_pairs = 25"))
    assert plan(place, "language-quick") == read_suite(place / path)


def test_what_is_written_is_a_suite_again(place: Path, tmp_path: Path) -> None:
    edit(place, f"{VISION}/evit.py", "def prepare(", "def prepare(  # changed\n        ")
    suite = plan(place)
    assert suite is not None
    (tmp_path / "plan.json").write_text(written(suite))
    assert read_suite(tmp_path / "plan.json") == suite


def test_files_that_are_gone_or_broken_are_no_reason_to_fail(place: Path) -> None:
    (place / VISION / "evit.py").unlink()
    (place / VISION / "tome.py").write_text("def begun(:\n")
    (place / VISION / "odd.py").write_bytes(b"CARD = \xff\n")
    found = touched(place)
    assert "evit" not in found.methods


def test_what_a_task_calls_from_its_yaml_touches_it(place: Path) -> None:
    path = "tasks/tokonomy_tasks/language/samples.py"
    edit(place, path, '"""', '"""Changed. ')
    found = touched(place)
    assert {"recall", "decode-copy"} <= found.tasks
    assert found.told["task recall"] == path


def test_links_and_folders_named_as_modules_are_no_reason_to_fail(place: Path) -> None:
    (place / VISION / "gone.py").symlink_to("nowhere.py")
    (place / VISION / "folder.py").mkdir()
    (place / VISION / "folder.py" / "x.py").write_text("X = 1\n")
    assert touched(place).methods == frozenset()
