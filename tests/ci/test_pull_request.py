"""The whole way of a pull request, played in repositories of its own with the real scripts.

A fork, a method, the check, an approval, the measurement, its records on the main branch, the site
with the row in a browser; and what is refused on that way.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checkouts import MAIN, ROOT, call, copied

METHOD = "methods/tokonomy_methods/vision/loud.py"
SECRET = "a-secret-that-no-submission-may-see"
TINY = """\
id = "tiny"
title = "A look at the digits"
family = "vision"
[measuring]
warmup_calls = 1
warmup_s = 0.01
min_pairs = 10
max_pairs = 12
max_s = 0.2
half_width = 0.05
[[select]]
tasks = ["digits"]
methods = ["random-drop"]
settings = "ends"
"""


@dataclass(frozen=True)
class Clone:
    """A clone of a repository, and what is run in it."""

    root: Path

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=s@example.org")
        done = subprocess.run(
            ["git", *who, *words], cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A script or verb with this clone's code; a secret lies in the environment."""
        return call(self.root, *words, GITHUB_TOKEN=SECRET, HOME=str(self.root))

    def commit(self, said: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", said)
        return self.git("rev-parse", "HEAD")

    def edit(self, path: str, before: str, after: str) -> None:
        text = (self.root / path).read_text()
        assert before in text
        (self.root / path).write_text(text.replace(before, after))


def clone(source: Path, target: Path) -> Clone:
    subprocess.run(["git", "clone", "-q", str(source), str(target)], check=True)
    return Clone(target)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """This repository's files with a few published records and a small suite, on ``main``."""
    root = copied(
        tmp_path_factory.mktemp("upstream"), lambda name: not name.startswith("results/records/")
    )
    published = (ROOT / "results/records/language-quick.jsonl").read_text().splitlines()[:3]
    (root / "results/records").mkdir(parents=True)
    (root / "results/records/language-quick.jsonl").write_text("\n".join(published) + "\n")
    (root / "results/suites/tokonomy_suites/tiny.toml").write_text(TINY)
    made = Clone(root)
    made.git("init", "-q", "-b", "main")
    made.commit("Begin")
    return made


Fork = Callable[[str], Clone]


@pytest.fixture
def fork(upstream: Clone, tmp_path: Path) -> Fork:
    """A fork with a branch; its pull request is fetched into a clone of upstream."""

    def made(name: str) -> Clone:
        found = clone(upstream.root, tmp_path / name)
        found.git("checkout", "-q", "-b", name)
        return found

    return made


def fetched(upstream: Clone, fork: Clone, place: Path) -> Clone:
    """What a runner checks out: upstream with the head of the pull request."""
    runner = clone(upstream.root, place)
    runner.git("fetch", "-q", str(fork.root), "HEAD")
    runner.git("checkout", "-q", "--detach", "FETCH_HEAD")
    return runner


def loud(fork: Clone) -> None:
    """A contributor's first method: the scaffold, with its one line replaced."""
    done = fork.run("-c", MAIN, "new", "method", "vision", "loud")
    assert done.returncode == 0, done.stderr
    fork.edit(METHOD, "patches.norm(dim=-1)  # replace this line", "patches.abs().amax(dim=-1)")
    fork.edit("tests/methods/test_loud.py", "[[5.0, 1.0, 0.0]]", "[[4.0, 1.0, 0.0]]")


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def bench(gate: Clone, runner: Clone, approved: str, out: Path) -> subprocess.CompletedProcess[str]:
    """The gate's code of the main branch on what a runner checked out."""
    gate.git("fetch", "-q", str(runner.root), "HEAD")
    return gate.run("ci/bench.py", "--checkout", str(runner.root), "--approved", approved,
                    "--base", "main", "--suite", "tiny", "--memory-gib", "8",
                    "--out", str(out))  # fmt: skip


def test_from_a_fork_to_a_row_on_the_site(
    upstream: Clone, fork: Fork, tmp_path: Path, visit: Callable[..., Any]
) -> None:
    home = clone(upstream.root, tmp_path / "home")  # the others want upstream as it was
    home.git("config", "receive.denyCurrentBranch", "ignore")
    mine = fork("loud")
    loud(mine)
    sha = mine.commit("Add a method")
    runner = fetched(home, mine, tmp_path / "runner")

    checked = runner.run("ci/check.py", "--suite", "tiny", "--out", str(tmp_path / "checked"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    told = report(tmp_path / "checked")
    assert told["findings"] == told["problems"] == []
    assert told["passed"] > 10
    assert set(told["touched"]) == {"method loud"}
    records = (tmp_path / "checked" / "records.jsonl").read_text().splitlines()
    ids = sorted(json.loads(line)["cell"]["method"]["id"] for line in records)
    assert ids == ["loud", "loud", "loud", "reference"]

    trusted = clone(home.root, tmp_path / "trusted")
    said = trusted.run("ci/comment.py", str(tmp_path / "checked"))
    assert said.returncode == 0, said.stderr
    assert f"Passed: `{sha[:12]}`" in said.stdout
    assert said.stdout.count("| loud |") == 3

    measured = bench(upstream, runner, sha, tmp_path / "measured")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    trusted.git("fetch", "-q", str(mine.root), "HEAD")
    trusted.git("merge", "-q", "--no-edit", "FETCH_HEAD")
    collected = trusted.run(
        "ci/collect.py", str(tmp_path / "measured/records.jsonl"), "--commit", sha,
        "--by", "maintainers", "--link", "https://example.org/runs/1",
    )  # fmt: skip
    assert collected.returncode == 0, collected.stderr
    trusted.commit("Publish the records of a method")
    asked = ("ci/guard.py", "--base", "origin/main", "--head", "HEAD")
    guarded = trusted.run(*asked, "--own")
    assert guarded.returncode == 0, guarded.stdout + guarded.stderr
    assert "'maintainers' says 'verified' of" in guarded.stdout
    refused = trusted.run(*asked)
    assert refused.returncode == 1
    assert "says 'verified', which only maintainers say" in refused.stdout
    trusted.git("push", "-q", "origin", "HEAD:main")

    home.git("reset", "-q", "--hard")
    published = home.run("ci/publish.py", "--out", str(tmp_path / "site"))
    assert published.returncode == 0, published.stderr
    sums = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "site",
                          check=False, capture_output=True)  # fmt: skip
    assert sums.returncode == 0, sums.stdout
    page = visit().go(tmp_path / "site/leaderboard/vision.html")
    row = page.locator("tr", has_text="Loud").first
    assert "verified" in row.inner_text()
    again = trusted.run(
        "ci/collect.py", str(tmp_path / "measured/records.jsonl"), "--commit", sha,
        "--by", "maintainers", "--link", "https://example.org/runs/1", "--name", "again",
    )  # fmt: skip
    assert again.returncode == 2
    assert "is published already" in again.stderr


def test_what_a_hostile_pull_request_holds_is_found_and_not_run(
    upstream: Clone, fork: Fork, tmp_path: Path
) -> None:
    mine = fork("hostile")
    loud(mine)
    mine.edit(METHOD, "from torch import Tensor", "import socket\n\nfrom torch import Tensor")
    mine.edit(METHOD, 'title="Loud"', 'title="<script>alert(1)</script>"')
    shelf = mine.root / "results/records/language-quick.jsonl"
    shelf.write_text(shelf.read_text().replace('"status":"ok"', '"status":"oom"', 1))
    record = json.loads(shelf.read_text().splitlines()[1])
    statement = {"version": 1, "run_id": record["run_id"], "record_sha256": "0" * 64,
                 "says": "verified", "by": "me", "at": "2026-01-01T00:00:00Z",
                 "reason": "it is mine"}  # fmt: skip
    (mine.root / "results/statements").mkdir(exist_ok=True)
    (mine.root / "results/statements/mine.jsonl").write_text(json.dumps(statement) + "\n")
    ran = tmp_path / "ran"
    path = mine.root / METHOD
    path.write_text(path.read_text() + f"\nprint(file=open({str(ran)!r}, 'w'))\n")
    mine.commit("Add a method")
    runner = fetched(upstream, mine, tmp_path / "runner")
    checked = runner.run("ci/check.py", "--out", str(tmp_path / "checked"))
    assert checked.returncode == 1
    told = report(tmp_path / "checked")
    rules = {finding[2] for finding in told["findings"]}
    assert rules >= {
        "imports-allowed",
        "imports-run",
        "card-text",
        "records-kept",
        "records-stated",
    }
    assert not ran.exists()
    assert told["suites"] == []
    trusted = clone(upstream.root, tmp_path / "trusted")
    trusted.git("fetch", "-q", str(mine.root), "HEAD")
    guarded = trusted.run("ci/guard.py", "--head", "FETCH_HEAD")
    assert guarded.returncode == 1
    assert "records-kept: was published, and is changed" in guarded.stdout
    assert "records-stated: " in guarded.stdout
    shelf_name = "results/records/language-quick.jsonl"
    told_of = (
        f"'me' says 'verified' of {record['run_id'][:12]}, published in {shelf_name}, by Somebody"
        "; added by Somebody"
    )
    assert told_of in guarded.stdout
    assert told["stated"] == [told_of]
    said = trusted.run("ci/comment.py", str(tmp_path / "checked"))
    assert said.returncode == 0, said.stderr
    assert "Does not pass yet" in said.stdout
    assert "<script" not in said.stdout
    assert "added by Somebody" in said.stdout


def test_what_was_approved_by_mistake_meets_no_secret_and_is_not_collected(
    upstream: Clone, fork: Fork, tmp_path: Path
) -> None:
    mine = fork("sly")
    loud(mine)
    mine.edit(
        METHOD, "from torch import Tensor", "import torch.serialization\nfrom torch import Tensor"
    )
    spy = (
        "        inner = torch.serialization.os\n"
        "        inner.truncate('README.md', 3)\n"
        "        inner.system('git update-index --assume-unchanged README.md')\n"
        "        inner.system('git config filter.spy.clean \\'env >> .git/ran; cat\\'')\n"
        "        inner.system('echo \\'* filter=spy\\' > .git/info/attributes; touch LICENSE')\n"
        "        raise RuntimeError(f'seen: {dict(inner.environ)}')\n"
    )
    mine.edit(METHOD, "        counts = stages(", spy + "        counts = stages(")
    sha = mine.commit("Add a method")
    runner = fetched(upstream, mine, tmp_path / "runner")
    measured = bench(upstream, runner, sha, tmp_path / "measured")
    assert measured.returncode == 2
    assert "the checkout is not what was approved: README.md" in measured.stderr
    ran = runner.root / ".git/ran"
    assert not ran.exists() or SECRET not in ran.read_text()
    assert runner.git("config", "filter.spy.clean")
    seen = [path.read_text(errors="replace") for path in (tmp_path / "measured").iterdir()]
    assert any("seen: " in text for text in seen)
    assert not [text for text in (*seen, measured.stdout, measured.stderr) if SECRET in text]


def spied(runner: Clone) -> Path:
    """Settings by which git, in that clone, runs a program at a look at its files."""
    ran = runner.root / ".git/ran"
    runner.git("config", "filter.spy.clean", f"env >> {ran}; cat")
    runner.git("config", "core.fsmonitor", f"env >> {ran}; false")
    (runner.root / ".git/info/attributes").write_text("* filter=spy\n")
    return ran


def test_only_what_was_approved_is_measured(upstream: Clone, fork: Fork, tmp_path: Path) -> None:
    mine = fork("moving")
    loud(mine)
    approved = mine.commit("Add a method")
    mine.edit(METHOD, "amax", "amin")
    (mine.root / "ci/bench.py").write_text("print('whatever you like')\n")
    later = mine.commit("Change it after the approval")
    runner = fetched(upstream, mine, tmp_path / "runner")
    for said, error in (
        (approved, "the checkout is not what was approved: ci/bench.py"),
        ("0" * 40, "no such revision of the repository"),
        ("main", "--approved is the full id of a commit"),
        (later[:12], "--approved is the full id of a commit"),
    ):
        done = bench(upstream, runner, said, tmp_path / "measured")
        assert done.returncode == 2
        assert error in done.stderr
    runner.git("update-index", "--assume-unchanged", METHOD)
    runner.edit(METHOD, "amin", "amax")
    ran = spied(runner)
    done = bench(upstream, runner, later, tmp_path / "measured")
    assert done.returncode == 2
    assert f"the checkout is not what was approved: {METHOD}" in done.stderr
    runner.edit(METHOD, "amax", "amin")
    (runner.root / ".git/info/exclude").write_text("hidden.py\n")
    (runner.root / "harness/hidden.py").touch()
    assert runner.git("status", "--porcelain") == ""
    ran.unlink()
    done = bench(upstream, runner, later, tmp_path / "measured")
    assert done.returncode == 2
    assert "the checkout is not what was approved: harness/hidden.py" in done.stderr
    assert not ran.exists()
    assert not (tmp_path / "measured").exists()
    assert upstream.git("worktree", "list").count("\n") == 0


def test_records_of_another_commit_are_not_collected(upstream: Clone, tmp_path: Path) -> None:
    trusted = clone(upstream.root, tmp_path / "trusted")
    shelf = trusted.root / "results/records/language-quick.jsonl"
    other = tmp_path / "records.jsonl"
    shutil.copy2(shelf, other)
    shelf.unlink()
    sha = trusted.git("rev-parse", "HEAD")
    done = trusted.run(
        "ci/collect.py", str(other), "--commit", sha, "--by", "m", "--link", "https://example.org"
    )
    assert done.returncode == 2
    assert f"expected to be made by {sha}" in done.stderr
    other.write_text('{"run_id": 1}\n')
    done = trusted.run(
        "ci/collect.py", str(other), "--commit", sha, "--by", "m", "--link", "https://example.org"
    )
    assert done.returncode == 2
    assert "records.jsonl:1: record: " in done.stderr
    other.write_text("")
    done = trusted.run(
        "ci/collect.py", str(other), "--commit", sha, "--by", "m", "--link", "https://example.org"
    )
    assert done.returncode == 2
    assert "expected records; there are none" in done.stderr
    assert sorted(path.name for path in shelf.parent.iterdir()) == []


def test_a_check_that_measured_nothing_does_not_pass(
    upstream: Clone, fork: Fork, tmp_path: Path
) -> None:
    mine = fork("failing")
    loud(mine)
    mine.edit(
        METHOD,
        "        counts = stages(",
        "        raise ValueError('no')\n        counts = stages(",
    )
    (mine.root / "tests/methods/test_contract.py").write_text(
        "def test_loud() -> None:\n    assert True\n"
    )
    mine.commit("Add a method that fails, and a contract that does not ask")
    runner = fetched(upstream, mine, tmp_path / "runner")
    checked = runner.run("ci/check.py", "--suite", "tiny", "--out", str(tmp_path / "checked"))
    assert checked.returncode == 1, checked.stdout + checked.stderr
    told = report(tmp_path / "checked")
    assert any("of its runs failed: loud on digits" in each for each in told["problems"])


def test_nothing_to_measure_is_no_failure_and_nothing_to_plan_is_said(
    upstream: Clone, fork: Fork, tmp_path: Path
) -> None:
    mine = fork("words")
    (mine.root / "README.md").write_text("Other words.\n")
    mine.commit("Change words")
    runner = fetched(upstream, mine, tmp_path / "runner")
    checked = runner.run("ci/check.py", "--out", str(tmp_path / "checked"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert report(tmp_path / "checked")["suites"] == []
    planned = runner.run("ci/plan.py", "--suite", "quick", "--out", str(tmp_path / "plans"))
    assert planned.returncode == 0
    assert planned.stdout == "quick: nothing of it is touched\n"
    sha = runner.git("rev-parse", "HEAD")
    done = bench(upstream, runner, sha, tmp_path / "measured")
    assert done.returncode == 2
    assert "nothing of tiny is touched" in done.stderr
