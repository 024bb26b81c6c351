"""Which cells a change touches."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tokonomy.catalog.cards import MethodCard
from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.sources import reached
from tokonomy.catalog.suites import Selection, Suite, read_suite, swept
from tokonomy.families.registry import families, load_family
from tokonomy.submit.affected import (
    SUITES,
    Affected,
    affected,
    narrowed,
    spots,
    suite_at,
    unnamed,
    written,
)
from tokonomy.submit.changes import changed
from tokonomy.submit.scaffold import begin
from tokonomy.submit.tree import FAMILIES, Tree

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
    (place / path).write_text(text.replace(before, after, 1))


def touched(place: Path) -> Affected:
    return affected(place, "HEAD", changed(place, "HEAD"))


def plan(place: Path, name: str = "quick") -> Suite | None:
    """The part of a suite that lies there which is touched."""
    suite, found = read_suite(place / SUITES / f"{name}.toml"), touched(place)
    besides = unnamed([suite], found).get(suite.id, ())
    return narrowed(suite, found, suite_at(place, "HEAD", name), besides)


def test_what_is_reached_is_what_the_keys_are_made_of() -> None:
    tree = Tree(ROOT)
    for noun in ("method", "task"):
        for entry in catalogue(noun).entries.values():
            if entry.module.startswith(("tokonomy_methods.", "tokonomy_tasks.")):
                assert set(tree.reaches(entry.module)) == set(reached(entry.module)), entry.module
                assert tree.cards[noun, entry.card.id] == (entry.card, entry.module)
    classes = {name: type(load_family(name)).__module__ for name in families()}
    assert dict(FAMILIES) == classes


def test_nothing_changed_touches_nothing(place: Path) -> None:
    (place / "README.md").write_text("words\n")
    assert not touched(place).told
    assert plan(place) is None


def test_a_method_touches_its_own_cells_only(place: Path) -> None:
    edit(place, f"{VISION}/evit.py", "def prepare(", "def prepare(  # changed\n        ")
    assert touched(place).told == {"method evit": f"{VISION}/evit.py"}
    suite = plan(place)
    assert suite is not None
    whole = read_suite(place / SUITES / "quick.toml")
    assert [each.methods for each in suite.select] == [["evit"]] * len(whole.select)
    assert [each.tasks for each in suite.select] == [each.tasks for each in whole.select]
    assert not any(each.params for each in suite.select)


def test_a_shared_primitive_touches_every_method_that_reaches_it(place: Path) -> None:
    path = "methods/tokonomy_methods/tokens/match.py"
    edit(place, path, '"""', '"""Changed. ')
    users = {
        name for name, _ in Tree(place).of("method")
        if path in Tree(place).files("method", name)
    }  # fmt: skip
    assert touched(place).ids("method") == users
    assert {"tome", "pitome"} <= users
    assert not users & {"evit", "reference", "snapkv"}


def test_a_card_alone_touches_nothing_but_settings_it_gained(place: Path) -> None:
    edit(place, f"{VISION}/evit.py", "    summary=", '    title="Other",\n    summary=')
    text = (place / VISION / "evit.py").read_text()
    (place / VISION / "evit.py").write_text(text.replace('    title="EViT",\n', "", 1))
    assert not touched(place).told
    card = Tree(place).cards["method", "evit"][0]
    assert isinstance(card, MethodCard)
    assert card.title == "Other"
    text = (place / VISION / "evit.py").read_text()
    (place / VISION / "evit.py").write_text(
        text.replace("    sweep=(", '    sweep=(\n        {"keep": 0.111},', 1)
    )
    assert touched(place).told == {"method evit": "its card asks for other cells"}
    suite = plan(place)
    assert suite is not None
    was = {str(each) for each in swept(card, "ends")}
    now = [each for each in swept(Tree(place).cards["method", "evit"][0], "ends")]
    gained = [dict(each) for each in now if str(each) not in was]
    assert {"keep": 0.111} in gained
    assert len(gained) < len(now)
    assert [each.methods for each in suite.select] == [["evit"]] * len(suite.select)
    assert [each.params for each in suite.select] == [{"evit": gained}] * len(suite.select)


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
    assert touched(place).ids("task") == {"recall"}
    suite = plan(place, "language-quick")
    assert suite is not None
    assert {ref for each in suite.select for ref in each.tasks} == {"recall"}
    git(place, "commit", "-aqm", "Data")
    (place / "tasks/tokonomy_tasks/models/weights/docs-lm/model.safetensors").write_bytes(b"other")
    (place / "tasks/tokonomy_tasks/models/weights/docs-draft/figures.json").write_text("{}")
    assert touched(place).ids("model") == {"docs-lm"}
    suite = plan(place, "language-quick")
    assert suite is not None
    whole, tree = read_suite(place / SUITES / "language-quick.toml"), Tree(place)
    cells = {spot for each in whole.select for spot in spots(whole, each, tree)}
    found = {spot for each in suite.select for spot in spots(suite, each, tree)}
    assert found == {spot for spot in cells if spot.model == "docs-lm"} > set()


def test_a_family_the_protocol_and_what_computes_touch_all_they_serve(place: Path) -> None:
    path = "harness/tokonomy/families/vision/tokens.py"
    edit(place, path, '"""', '"""Changed. ')
    assert touched(place).ids("family") == {"vision"}
    assert plan(place) == read_suite(place / SUITES / "quick.toml")
    assert plan(place, "language-quick") is None
    git(place, "commit", "-aqm", "Family")
    edit(place, "harness/tokonomy/measure/protocol.py", "PROTOCOL: Final = ", "PROTOCOL: Final = 9")
    assert touched(place).everything == "the version of the protocol was changed"
    assert plan(place, "language-quick") == read_suite(place / SUITES / "language-quick.toml")
    git(place, "commit", "-aqm", "Protocol")
    edit(place, "constraints.txt", "torch==", "torch==9.")
    assert "library" in touched(place).everything


@pytest.mark.parametrize("name", ["gpu-vision", "sentinels"])
def test_what_is_shared_adds_nothing_that_no_suite_names(place: Path, name: str) -> None:
    edit(place, "harness/tokonomy/families/vision/data.py", '"""', '"""Changed. ')
    edit(place, "methods/tokonomy_methods/tokens/match.py", '"""', '"""Changed. ')
    assert touched(place).ids("task") >= {"digits", "imagefolder"}
    suite, part, tree = read_suite(place / SUITES / f"{name}.toml"), plan(place, name), Tree(place)
    assert part is not None
    cells = {spot for each in suite.select for spot in spots(suite, each, tree)}
    assert {spot for each in part.select for spot in spots(part, each, tree)} == {
        spot for spot in cells if spot.family == "vision"
    }


def test_what_is_brought_with_a_change_of_everything_is_measured(place: Path) -> None:
    begin("task", "vision", "begun", place)
    begin("task", "vision", "bare", place)
    path = place / "tasks/tokonomy_tasks/vision/bare.py"
    text = path.read_text()
    path.write_text(re.sub(r"    models=\(.*\n", "    models=(),\n", text))
    assert path.read_text() != text
    for change in (None, ("constraints.txt", "torch==", "torch==9.")):
        if change:
            edit(place, *change)
        suite = plan(place)
        assert suite is not None
        assert suite.select[-1].tasks == ["begun"]  # the other needs a model of one's own
        assert len(suite.select) == (3 if change else 1)


@pytest.mark.parametrize(("right", "wrong"), [
    ('"evit", ', '"evvit", '), ('tasks = ["textures"]', 'tasks = ["texture"]'),
    ('family = "vision"', 'family = "visoin"'),
])  # fmt: skip
def test_a_suite_that_names_what_is_not_there_is_left_to_be_refused(
    place: Path, right: str, wrong: str
) -> None:
    edit(place, f"{SUITES}/quick.toml", right, wrong)
    suite = plan(place)
    assert suite is not None
    assert suite.select[-1] == read_suite(place / SUITES / "quick.toml").select[-1]


def test_what_does_not_enter_a_key_touches_nothing(place: Path) -> None:
    edit(place, "harness/tokonomy/run/executor.py", '"""', '"""Changed. ')
    assert not touched(place).told


@pytest.mark.parametrize(("family", "name"), [("vision", "quick"), ("kv", "language-quick")])
def test_what_is_new_is_measured_wherever_its_family_is(
    place: Path, family: str, name: str
) -> None:
    begin("method", family, "new-method", place)
    suite = plan(place, name)
    assert suite is not None
    whole = read_suite(place / SUITES / f"{name}.toml")
    of_family = [each for each in whole.select if whole.family_of(each) == family]
    every = [each for each in of_family if each.methods == ["all"]]  # a suite that names it
    assert [each.tasks for each in suite.select] == [each.tasks for each in every or of_family]
    assert all(each.methods == ["new-method"] for each in suite.select)
    begin("task", family, "new-task", place)
    suite = plan(place, name)
    assert suite is not None
    task = [each for each in suite.select if each.tasks == ["new-task"]]
    assert [each.methods for each in task] == [of_family[0].methods]


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


def test_only_what_a_list_or_a_sweep_gained_is_measured(place: Path) -> None:
    path = f"{SUITES}/quick.toml"
    edit(place, path, '["random-drop", "downsample"', '["atc", "random-drop", "downsample"')
    suite = plan(place)
    assert suite is not None
    assert [(each.tasks, each.methods) for each in suite.select] == [(["textures"], ["atc"])]
    git(place, "commit", "-aqm", "One more")
    edit(place, path, 'tasks = ["textures"]', 'tasks = ["digits", "textures"]')
    edit(place, path, 'scenarios = ["offline:8"]', 'scenarios = ["offline:8", "offline:16"]')
    suite = plan(place)
    assert suite is not None
    assert [(each.tasks, each.scenarios) for each in suite.select] == [
        (["digits"], ["offline:8", "offline:16"]), (["textures"], ["offline:16"]),
    ]  # fmt: skip


def test_a_family_that_a_card_gains_is_measured(place: Path) -> None:
    begin("method", "kv", "gaining", place)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "Method")
    path = "methods/tokonomy_methods/kv/gaining.py"
    edit(place, path, "CARD = MethodCard(", "CARD = MethodCard(  # words")
    assert plan(place) is None
    edit(place, path, 'families=("kv",)', 'families=("kv", "vision")')
    assert touched(place).told == {"method gaining": "its card asks for other cells"}
    assert plan(place, "language-quick") is None
    suite = plan(place)
    assert suite is not None
    assert [(each.tasks, each.methods) for each in suite.select] == [(["digits"], ["gaining"])]


def test_a_method_that_no_suite_names_is_measured_where_its_family_is(place: Path) -> None:
    suite = read_suite(place / SUITES / "language-quick.toml")
    named = {name for each in suite.select for name in each.methods}
    methods = dict(Tree(place).of("method"))
    caches = [name for name, card in methods.items() if card.families == ("kv",)]
    other = next(name for name in caches if methods[name].kind != "control" and name not in named)
    module = Tree(place).cards["method", other][1].rpartition(".")[2]
    path = place / f"methods/tokonomy_methods/kv/{module}.py"
    path.write_text(path.read_text() + "\nCHANGED = 1\n")
    part = plan(place, "language-quick")
    assert part is not None
    assert {name for each in part.select for name in each.methods} == {other}
    assert len(part.select) == sum(suite.family_of(each) == "kv" for each in suite.select) > 0


@pytest.mark.parametrize("text", ["CARD", "docstring"])
def test_code_beside_a_card_or_in_a_package_touches(place: Path, text: str) -> None:
    if text == "CARD":
        path = place / VISION / "evit.py"
        lines = path.read_text().split("\n")
        end = next(number for number, line in enumerate(lines) if line == ")")
        lines[end] += "; CHANGED = 1"
        path.write_text("\n".join(lines))
        assert touched(place).ids("method") == {"evit"}
        return
    (place / VISION / "__init__.py").write_text('"""Other words."""\n')
    assert not touched(place).told
    (place / VISION / "__init__.py").write_text('"""Words."""\nimport tokonomy_methods.odd\n')
    vision = {name for name, card in Tree(place).of("method") if card.families == ("vision",)}
    found = touched(place).ids("method")
    assert {"evit", "tome"} <= found
    assert found <= vision | {"reference", "random-drop", "downsample"}


def test_a_plan_holds_the_keys_that_changed_and_no_others(place: Path, tmp_path: Path) -> None:
    """Held against what the harness itself expands, before and after many changes at once."""
    weights = "tasks/tokonomy_tasks/models/weights"
    shutil.copytree(ROOT / weights, place / weights, dirs_exist_ok=True)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "Weights")
    names = ("quick", "language-quick")
    files = [str(place / SUITES / f"{name}.toml") for name in names]
    (old,) = keys(place, *files)
    edit(place, f"{VISION}/evit.py", "def prepare(", "def prepare(  # changed\n        ")
    edit(place, f"{VISION}/tome.py", "    sweep=(", '    sweep=(\n        {"r": 5},')
    edit(place, f"{SUITES}/quick.toml", '["random-drop", "down', '["atc", "random-drop", "down')
    edit(place, f"{SUITES}/language-quick.toml", '  "tova",\n', "")
    text = '"""Changed. '
    edit(place, "methods/tokonomy_methods/decoding/prompt_lookup.py", '"""', text)
    (place / weights / "docs-draft" / "figures.json").write_text("{}")
    begin("method", "vision", "begun", place)
    parts = []
    for name in names:
        part = plan(place, name)
        assert part is not None
        parts.append(str(tmp_path / f"{name}.json"))
        Path(parts[-1]).write_text(written(part))
    new, found = keys(place, *files, "+", *parts)
    asked = {key: who for key, who in found.items() if who != "reference"}
    expected = {key: who for key, who in new.items() if key not in old}
    assert {"evit", "tome", "atc", "prompt-lookup", "begun"} == set(expected.values())
    assert asked == expected


def keys(place: Path, *suites: str) -> list[dict[str, str]]:
    """Methods by key, as the harness that lies there expands lists of suites, parted by ``+``."""
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from tokonomy.catalog.suites import read_suite\n"
        "from tokonomy.run.plan import expand\n"
        "found = [{}]\n"
        "for each in sys.argv[1:]:\n"
        "    if each == '+':\n"
        "        found.append({})\n"
        "        continue\n"
        "    for job in expand(read_suite(Path(each))):\n"
        "        found[-1][job.cell.key] = job.cell.method.id\n"
        "print(json.dumps(found))\n"
    )
    path = os.pathsep.join(str(place / each) for each in ("harness", "methods", "tasks"))
    done = subprocess.run(
        [sys.executable, "-c", code, *suites], cwd=place, capture_output=True, text=True,
        check=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


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
    assert "evit" not in touched(place).ids("method")
    suite = plan(place)  # it still names what is gone, and is to be refused for that
    assert suite is not None
    assert [each.methods for each in suite.select if "evit" in each.methods] == [
        read_suite(place / SUITES / "quick.toml").select[1].methods
    ]


def test_what_a_task_calls_from_its_yaml_touches_it(place: Path) -> None:
    path = "tasks/tokonomy_tasks/language/samples.py"
    edit(place, path, '"""', '"""Changed. ')
    found = touched(place)
    assert {"recall", "decode-copy"} <= found.ids("task")
    assert found.told["task recall"] == path


def test_links_and_folders_named_as_modules_are_no_reason_to_fail(place: Path) -> None:
    (place / VISION / "gone.py").symlink_to("nowhere.py")
    (place / VISION / "folder.py").mkdir()
    (place / VISION / "folder.py" / "x.py").write_text("X = 1\n")
    assert not touched(place).ids("method")
