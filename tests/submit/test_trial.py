"""The second stage: tests of a submission in a process that is held to its limits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tokonomy.errors import UsageError
from tokonomy.submit.gate import measure
from tokonomy.submit.limited import Limits, run
from tokonomy.submit.scaffold import begin
from tokonomy.submit.trial import CONTRACTS, Trial, trial

ROOT = Path(__file__).parents[2]
VISION = "methods/tokonomy_methods/vision/my_pruner.py"
SHORT = Limits(time_s=20)


def test_what_a_command_printed_and_how_it_ended(tmp_path: Path) -> None:
    ended = run([sys.executable, "-c", "print('said'); raise SystemExit(7)"], tmp_path, SHORT)
    assert (ended.code, ended.broken, ended.said) == (7, None, "said\n")


def test_a_command_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    ended = run([sys.executable, "-c", code], tmp_path, Limits(time_s=4))
    assert ended.broken == "time"
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while time.monotonic() < until and alive(child):
        time.sleep(0.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_memory_is_that_of_children_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'x = bytearray(300 << 20); import time;"
        " time.sleep(60)'])\n"
    )
    limits = Limits(time_s=60, memory_bytes=200 << 20)
    assert run([sys.executable, "-c", code], tmp_path, limits).broken == "memory"


def test_code_on_the_path_of_a_command_does_not_take_the_place_of_its_limits(
    tmp_path: Path,
) -> None:
    for name in ("psutil.py", "tokonomy/__init__.py", "ctypes/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('in place of the limits')\n")
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)); import psutil"
    ended = run([sys.executable, "-c", code], tmp_path, SHORT, more={"PYTHONPATH": str(tmp_path)})
    assert sorted(ended.said.splitlines()) == ["(0, 0)", "in place of the limits"]
    assert ended.network != "the process did not begin"


@pytest.mark.parametrize("own", [True, False])
def test_a_checkout_is_measured_with_its_own_code_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    main = tmp_path / "harness/tokonomy/cli.py"
    main.parent.mkdir(parents=True)
    (main.parent / "__init__.py").write_text("")
    main.write_text("import sys\ndef main():\n    print(sys.executable, sys.argv[1:], sys.path)\n")
    python = tmp_path / ".venv/bin/python"
    if own:
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho own; exec {sys.executable} "$@"\n')
        python.chmod(0o755)
    plan, log = tmp_path / "plan.json", tmp_path / "log"
    ended = measure(tmp_path, plan, tmp_path / "a.sqlite", SHORT, log, ["--measure", "max_s=1"])
    assert ended.code == 0, ended.said
    assert ended.said.startswith("own\n") == own
    assert f"['run', '--suite', '{plan}', '--db'" in ended.said
    assert ended.said.index(str(tmp_path / "tasks")) < ended.said.index("elsewhere")


def test_nothing_secret_is_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("TOKONOMY_SECRET", "secret")
    code = "import os; print(sorted(os.environ.items()))"
    said = run([sys.executable, "-c", code], tmp_path, SHORT).said
    assert "secret" not in said
    assert os.environ["HOME"] not in said.replace(os.environ["PATH"], "")


def test_the_network_is_cut_off_or_it_says_why_not(tmp_path: Path) -> None:
    code = "import socket; print(sorted(name for _, name in socket.if_nameindex()))"
    ended = run([sys.executable, "-c", code], tmp_path, SHORT)
    may = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    if may.returncode == 0:
        assert ended.network == "cut off"
        assert ended.said == "['lo']\n"
    else:
        assert ended.network.startswith("the system does not let it be cut off")


def test_files_are_bounded(tmp_path: Path) -> None:
    code = "f = open('large', 'wb'); f.truncate(2 << 30)"
    ended = run([sys.executable, "-c", code], tmp_path, SHORT)
    assert ended.code != 0
    assert (tmp_path / "large").stat().st_size == 0


CONTRACT = """\
import pytest

from tokonomy.catalog.registry import catalogue

METHODS = sorted(catalogue("method").entries)


@pytest.mark.parametrize("name", METHODS)
def test_it_is_built(name: str) -> None:
    assert catalogue("method").build(name, {}) is not None


@pytest.mark.parametrize("name", METHODS)
def test_it_has_a_title(name: str) -> None:
    assert catalogue("method").card(name).title
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one new method, and a contract that is quick.

    The real ones are run for new methods where CONTRIBUTING is followed.
    """
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite*", "dist")
    for name in ("harness", "methods", "tasks", "site", "results/suites"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    (root / CONTRACTS["vision"]).parent.mkdir(parents=True)
    (root / CONTRACTS["vision"]).write_text(CONTRACT)
    shutil.copy2(ROOT / "pyproject.toml", root)
    begin("method", "vision", "my-pruner", root)
    return root


@pytest.fixture
def edited(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its method's file, put back afterwards; that checkout's packages come first."""
    packages = ("harness", "methods", "tasks", "site", "results/suites")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(place / each) for each in packages))
    path = place / VISION
    text = path.read_text()
    yield path
    path.write_text(text)


def tried(place: Path, **limits: float) -> Trial:
    return trial(place, [place / VISION], Limits(**limits))  # type: ignore[arg-type]


def test_what_is_begun_passes(edited: Path, place: Path) -> None:
    found = tried(place)
    assert found.findings == ()
    assert found.passed == 3
    assert found.network


def test_a_broken_contract_names_the_tests(edited: Path, place: Path) -> None:
    edited.write_text(edited.read_text().replace("patches.norm(dim=-1)", "-patches.norm(dim=-1)"))
    (finding,) = tried(place).findings
    assert finding.rule == "contract-tests"
    assert "test_my_pruner.py::test_worth_by_hand failed: " in finding.text


def test_a_file_that_ends_the_tests_passes_none_of_them(edited: Path, place: Path) -> None:
    edited.write_text(edited.read_text() + "\nimport os\n\nos._exit(0)\n")
    (finding,) = tried(place).findings
    assert finding.rule == "contract-tests"
    assert "no test passed; exit status 0" in finding.text


def test_a_file_that_does_not_end_breaks_its_limit(edited: Path, place: Path) -> None:
    edited.write_text(edited.read_text() + "\nwhile True:\n    pass\n")
    (finding,) = tried(place, time_s=8).findings
    assert (finding.rule, finding.text) == ("contract-limits", "its tests took more than 8 s")


def test_every_family_of_methods_and_tasks_has_its_contract() -> None:
    from tokonomy.catalog.registry import catalogue

    families = {family for card in catalogue("method").cards.values() for family in card.families}
    assert set(CONTRACTS) == families | {"task"}
    assert all((ROOT / path).is_file() for path in CONTRACTS.values())


def test_what_leaves_its_session_is_ended_too(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True)\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
    )
    for end in ("", "time.sleep(600)\n"):
        ended = run([sys.executable, "-c", code + end], tmp_path, Limits(time_s=3))
        assert ended.broken == ("time" if end else None)
        assert not alive(int((tmp_path / "child").read_text()))


def test_what_it_leaves_behind_is_read_only_if_it_is_a_plain_file(
    edited: Path, place: Path
) -> None:
    text = "\nimport os\nimport sys\n\nname = next(x for x in sys.argv if 'junit' in x)\n"
    text += "os.mkfifo(name.partition('=')[2])\nos._exit(0)\n"
    edited.write_text(edited.read_text() + text)
    (finding,) = tried(place, time_s=60).findings
    assert "no test passed" in finding.text


def test_what_runs_tests_must_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin("method", "vision", "begun", tmp_path)[0]
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(UsageError, match="make setup"):
        trial(tmp_path, [path], Limits())
    assert trial(tmp_path, [], Limits()).passed == 0
