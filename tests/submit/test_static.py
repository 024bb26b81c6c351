"""Each rule of the checker is broken by a file of its own; what ships breaks none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tokonomy.store.record import parse
from tokonomy.store.statements import digest
from tokonomy.submit import static
from tokonomy.submit.findings import Topic
from tokonomy.submit.reading import METHODS, RECORDS, STATEMENTS, TASKS
from tokonomy.submit.rules import RULES
from tokonomy.submit.scaffold import begin
from tokonomy.submit.static import REVIEWED, check

ROOT = Path(__file__).parents[2]
VISION = f"{METHODS}/vision/my_pruner.py"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with one method and one task that keep every rule."""
    begin("method", "vision", "my-pruner", tmp_path)
    begin("task", "vision", "my-images", tmp_path)
    assert check(tmp_path, [tmp_path]) == []
    return tmp_path


def edited(place: Path, before: str, after: str, name: str = VISION) -> list[tuple[str, str]]:
    """What is found after one edit, as rule and text."""
    text = (place / name).read_text()
    assert before in text
    (place / name).write_text(text.replace(before, after))
    return [(each.rule, each.text) for each in check(place, [place / name])]


EDITS = [
    ("card-literal", 'id="my-pruner"', 'id="my-" + "pruner"'),
    ("card-literal", 'id="my-pruner"', 'id="planted-pruner"'),
    ("card-text", 'title="My pruner"', 'title="My <b>pruner</b>"'),
    ("card-text", 'title="My pruner"', 'title="My\\x1b[31m pruner"'),
    ("card-text", 'title="My pruner"', 'title="[My](javascript:x) pruner"'),
    ("card-text", 'title="My pruner"', f'title="{"pruner" * 101}"'),
    ("card-links", "sweep=(", 'paper="javascript:x",\n    sweep=('),
    ("card-links", "sweep=(", 'code="https://example.org/a", code_licence="MIT",\n    sweep=('),
    ("card-differences", "differences=(", 'code="a/b", code_licence="MIT", alters=(), needs=('),
    ("licence-named", "sweep=(", 'code="a/b",\n    sweep=('),
    ("licence-own", '"""My pruner', '# Copyright (c) 2024 somebody\n"""My pruner'),
    ("parameters-frozen", "@implements(CARD)\n", ""),
    ("parameters-frozen", "frozen=True, ", ""),
    ("parameters-default", "keep: float = 0.7", "keep: float"),
    ("parameters-default", "keep: float = 0.7", "keep: float = 0.7\n    more: int = 1"),
    ("parameters-swept", '{"keep": 0.3}', '{"kept": 0.3}'),
    ("parameters-swept", '{"keep": 0.3}', '{"keep": 0.9}'),
    ("imports-allowed", "from torch import Tensor", "import socket\nfrom torch import Tensor"),
    ("imports-allowed", "from torch import Tensor",
     "from time import time\nfrom torch import Tensor"),
    ("imports-allowed", "from torch import Tensor",
     "from tokonomy.run import plan\nfrom torch import Tensor"),
    ("imports-allowed", "from torch import Tensor", "import os.path\nfrom torch import Tensor"),
    ("imports-run", "from torch import Tensor", "import pickle\nfrom torch import Tensor"),
    ("imports-run", "from torch import Tensor", "import importlib\nfrom torch import Tensor"),
    ("imports-run", "patches.norm(dim=-1)", "sys.modules['os']"),
    ("imports-run", "patches.norm(dim=-1)", "().__class__.__subclasses__()"),
    ("imports-run", "patches.norm(dim=-1)", 'open("weights")'),
    ("imports-run", "patches.norm(dim=-1)", 'eval("patches")'),
    ("imports-run", "patches.norm(dim=-1)", 'torch.load("weights.pt")'),
    ("imports-run", "patches.norm(dim=-1)", "load(trust_remote_code=True)"),
    ("contract-prepare", "def prepare(self, model: VisionModel, context: Context) -> Predict:",
     "def prepare(self, model, context):"),
    ("contract-prepare", "def prepare(", "def arrange("),
    ("layout-name", 'id="my-pruner"', 'id="other-pruner"'),
    ("layout-folder", 'families=("vision",)', 'families=("kv",)'),
    ("layout-text", "patches.norm(dim=-1)", "patches.norm(dim=-1"),
    ("layout-text", "replace this line", "replace this \u202e line"),
    ("claims-sourced", "sweep=(",
     'claims=(Claim(model="m", dataset="d", setting="s", metric="x", value=1.0, unit="", '
     'source=""),),\n    sweep=('),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "before", "after"), EDITS)
def test_a_broken_rule_is_found(place: Path, rule: str, before: str, after: str) -> None:
    found = edited(place, before, after)
    assert rule in {name for name, _ in found}, found


def test_a_task_without_samples_is_found(place: Path) -> None:
    name = f"{TASKS}/vision/my_images.py"
    found = edited(place, "def samples(self, split: str) -> ImageSet:", "def data(self):", name)
    assert [rule for rule, _ in found] == ["contract-samples"]


YAML = f"{TASKS}/language/my_questions.yaml"
NAMED = [
    ("!function my_questions.data", "!function os.system", "imports-allowed", 2),
    ("!function my_questions.data", "!function\n  os.system", "imports-allowed", 2),
    ("!function my_questions.data", '!function "os.path.join"', "imports-allowed", 2),
    ("!function my_questions.data", "!function /tmp/my_questions.data", "imports-allowed", 2),
    ("!function my_questions.data", "!function ..my_questions.data", "imports-allowed", 2),
    ("!function my_questions.data", "!function my_questions.__import__", "imports-allowed", 2),
    ("!function my_questions.data", "!functio%6e os.system", "imports-allowed", 2),
    ("!function my_questions.data", "!!python/name:os.system", "imports-run", 2),
    ("task: my_questions", '"incl\\u0075de": /tmp/other.yaml', "imports-allowed", 1),
    ("doc_to_text: prompt", "doc_to_text: '{{ x.__class__ }}'", "imports-run", 6),
    ("task: my_questions", "dataset_kwargs: {trust_remote_code: true}", "imports-run", 1),
    ("task: my_questions", "dataset_kwargs: {data_files: [a.json, /etc/a]}", "imports-run", 1),
    ("task: my_questions", "dataset_kwargs: {data_files: {test: ../a.json}}", "imports-run", 1),
    ("task: my_questions", "dataset_kwargs: {data_dir: 'https://example.org/'}", "imports-run", 1),
    ("task: my_questions", "dataset_path: ./of", "imports-run", 1),
    ("task: my_questions", "dataset_path: pandas", "imports-run", 1),
    ("task: my_questions", "use_prompt: my.yaml:x", "imports-allowed", 1),
    ("doc_to_text: prompt", "doc_to_text: '{{ x | map(attribute=y) }}'", "imports-run", 6),
    ("doc_to_text: prompt", 'doc_to_text: \'{{ cycler["_" ~ "_init_"] }}\'', "imports-run", 6),
    ("doc_to_text: prompt", "doc_to_text: '{{ cycler[\"\\x5f_init_\\x5f\"] }}'", "imports-run", 6),
    ("doc_to_text: prompt", 'doc_to_text: "{\\x7B x() }}"', "imports-run", 6),
    ("doc_to_text: prompt", 'doc_to_text: "{{ x }} {% if x() %}{% endif %}"', "imports-run", 6),
    ("doc_to_text: prompt", 'doc_to_text: "{{{ x }}{ x() }}"', "imports-run", 6),
    ("metric: begins", "metric: path/to/any.py", "imports-run", 14),
    ("metric: begins", "metric: any.py", "imports-run", 14),
    ("metric: begins", "metric: tests", "imports-run", 14),
    ("metric: begins", "metric: [begins]", "imports-run", 14),
    ("metric: begins", "metric: begins\n    hf_evaluate: true", "imports-run", 15),
    ("task: my_questions", "task: &a to/any.py\nx: [{metric: *a}]", "imports-run", 1),
    ("task: my_questions", "x: &a {metric: a.py, of: *a}\ny: *a", "imports-run", 1),
    ("task: my_questions", "x: [{metric: begins,\n\ufeffmetric: a.py}]", "imports-run", 2),
    ("task: my_questions", "task: [", "layout-text", 3),
    ("task: my_questions", "task: " + "[" * 150_000, "layout-text", 1),
    ("task: my_questions", "task: \u202e", "layout-text", 1),
]


@pytest.mark.parametrize(("before", "after", "rule", "line"), NAMED)
def test_what_a_yaml_names_is_held_to_the_rules(
    tmp_path: Path, before: str, after: str, rule: str, line: int
) -> None:
    begin("task", "kv", "my-questions", tmp_path)
    path = tmp_path / YAML
    assert check(tmp_path, [tmp_path]) == []
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    found = [(each.path, each.rule, each.line) for each in check(tmp_path, [path])]
    assert (YAML, rule, line) in found


def test_a_yaml_that_shows_fields_is_found_sound(tmp_path: Path) -> None:
    begin("task", "kv", "my-questions", tmp_path)
    path = tmp_path / YAML
    text = path.read_text().replace("target: target", 'target: "Say {{answer}}, {{ a.b }}: {1} %}"')
    more = "dataset_path: json\ndataset_kwargs: {data_files: {test: tasks/a-*.json}}\n"
    path.write_text(text.replace("metric: begins", "metric: acc_norm") + more)
    assert check(tmp_path, [path]) == []


def test_a_yaml_beside_a_link_names_no_module(tmp_path: Path) -> None:
    begin("task", "kv", "my-questions", tmp_path)
    module = (tmp_path / YAML).with_suffix(".py")
    module.rename(tmp_path / "outside.py")
    module.symlink_to(tmp_path / "outside.py")
    assert {each.rule for each in check(tmp_path, [tmp_path / YAML])} == {"imports-allowed"}


def test_a_method_without_a_test_is_found(place: Path) -> None:
    shutil.rmtree(place / "tests")
    found = check(place, [place / VISION])
    assert [each.rule for each in found] == ["layout-test"]


def test_an_id_that_is_taken_is_found(place: Path) -> None:
    other = place / METHODS / "kv" / "my_pruner.py"
    other.parent.mkdir(parents=True)
    shutil.copy2(place / VISION, other)
    found = check(place, [place / VISION])
    assert [(each.rule, each.text) for each in found] == [
        ("card-id", f"the id 'my-pruner' is also in {METHODS}/kv/my_pruner.py")
    ]


def test_files_that_are_no_text_are_found(place: Path) -> None:
    path = place / VISION
    for content in (b"\xff\xfe", b"x = 1\x00", b"#" * 300_000, b"(" * 10_000):
        path.write_bytes(content)
        assert [each.rule for each in check(place, [path])] == ["layout-text"], content[:10]
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert [(each.rule, each.text) for each in check(place, [path])] == [
        ("layout-kind", "is a link")
    ]
    weights = place / METHODS / "vision" / "weights.pt"
    weights.write_bytes(b"PK")
    assert [(each.rule, each.text) for each in check(place, [weights])] == [
        ("layout-kind", "ends in .pt")
    ]


def test_records_are_held_against_the_schema_and_each_other(place: Path) -> None:
    shelf = place / RECORDS
    shelf.mkdir(parents=True)
    line = next(iter((ROOT / RECORDS).glob("*.jsonl"))).read_text().splitlines()[0]
    (shelf / "a.jsonl").write_text(line + "\n")
    assert check(place, [shelf]) == []
    (shelf / "b.jsonl").write_text("\n".join([line, line, "{}", "no json", "[" * 9999]) + "\n")
    found = [(each.line, each.rule) for each in check(place, [shelf / "b.jsonl"])]
    assert found == [
        (1, "records-new"), (2, "records-new"), (3, "records-valid"), (4, "records-valid"),
        (5, "records-valid"),
    ]  # fmt: skip


def test_statements_are_read_and_those_of_maintainers_refused(place: Path) -> None:
    shelf = place / STATEMENTS
    shelf.mkdir(parents=True)
    line = next(iter((ROOT / RECORDS).glob("*.jsonl"))).read_text().splitlines()[0]
    (place / RECORDS).mkdir(parents=True)
    (place / RECORDS / "a.jsonl").write_text(line + "\n")
    record = parse(line)
    said = {"version": 1, "run_id": record.run_id, "record_sha256": digest(record),
            "says": "signed-off", "by": "author", "at": "2026-01-01T00:00:00Z"}  # fmt: skip
    lines = [
        json.dumps(said),
        json.dumps(said | {"run_id": "0" * 32}),
        json.dumps(said | {"record_sha256": "0" * 64}),
        json.dumps(said | {"says": "verified", "reason": "it was reproduced"}),
        json.dumps(said | {"link": "javascript:x"}),
        "[" * 9999,
    ]
    (shelf / "a.jsonl").write_text("\n".join(lines) + "\n")
    found = check(place, [shelf])
    assert [each.line for each in found] == [2, 3, 4, 5, 6]
    assert {each.rule for each in found} == {"records-stated"}
    words = ("in no file of records", "another record of run", "which only maintainers say")
    assert all(word in each.text for word, each in zip(words, found, strict=False))


def test_what_ships_keeps_every_rule_but_where_people_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check(ROOT, [ROOT / METHODS, ROOT / TASKS]) == []
    monkeypatch.setattr(static, "REVIEWED", frozenset())
    found = check(ROOT, [ROOT / METHODS, ROOT / TASKS])
    assert {(each.path, each.rule) for each in found} == REVIEWED


def test_nothing_of_a_submission_is_imported(place: Path) -> None:
    text = (place / VISION).read_text()
    (place / VISION).write_text(text + "\nraise SystemExit('was run')\n")
    assert check(place, [place / VISION]) == []


def test_every_rule_says_why_and_has_an_edit_that_breaks_it() -> None:
    topics = set(get_args(Topic))
    assert {rule.topic for rule in RULES.values()} == topics
    assert all(rule.id.startswith(f"{rule.topic}-") for rule in RULES.values())
    assert all(rule.asks and rule.why and rule.instead for rule in RULES.values())
    apart = {
        "layout-kind", "layout-test", "card-id", "contract-samples", "contract-tests",
        "contract-limits", "records-valid", "records-new", "records-kept",
        "records-stated",
    }  # fmt: skip
    assert {rule for rule, _, _ in EDITS} | apart == set(RULES)


MAIN = "from tokonomy.cli import main; main()"


def tokonomy(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "check", *words, "--static"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_forms_of_a_finding(place: Path) -> None:
    edited(place, "from torch import Tensor", "import socket\nfrom torch import Tensor")
    said = tokonomy(place, VISION)
    assert said.returncode == 1
    assert f"{VISION}:8: imports-allowed: imports socket" in said.stdout
    assert "1 finding" in said.stdout
    (row,) = json.loads(tokonomy(place, VISION, "--json").stdout)
    assert row == {"path": VISION, "line": 8, "rule": "imports-allowed", "text": "imports socket"}
    (run,) = json.loads(tokonomy(place, VISION, "--sarif").stdout)["runs"]
    (result,) = run["results"]
    assert result["ruleId"] == "imports-allowed"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 8}
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(RULES)
    line = tokonomy(place, VISION, "--github").stdout.strip()
    assert line == f"::error file={VISION},line=8,title=imports-allowed::imports socket"


def test_a_clean_checkout_and_bad_usage(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    said = tokonomy(place, METHODS, TASKS)
    assert (said.returncode, said.stdout) == (0, "0 findings\n")
    said = tokonomy(place)
    assert said.returncode == 2
    assert "no branch to compare with" in said.stderr
    for words, error in (
        (["nothing.py"], "error: nothing.py: there is no such file or folder\n"),
        (["/etc/passwd"], "error: passwd: is outside of the checkout\n"),
    ):
        said = tokonomy(place, *words)
        assert (said.returncode, said.stderr) == (2, error)
    said = tokonomy(tmp_path_factory.mktemp("elsewhere"))
    assert said.returncode == 2
    assert "is in no checkout" in said.stderr
