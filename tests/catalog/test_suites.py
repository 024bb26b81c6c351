from pathlib import Path

import pytest

from tokonomy.catalog.suites import find_suite, read_suite, suite_files
from tokonomy.errors import BadSuite, UnknownId

GOOD = """id = "good"
title = "Good"
family = "vision"

[measuring]
threads = 1

[[select]]
tasks = ["digits"]

[[select]]
tasks = ["textures"]
scenarios = ["offline:8"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", sorted(suite_files()))
def test_every_shipped_suite_reads_and_bears_its_file_name(name: str) -> None:
    assert find_suite(name).id == name


def test_a_suite_is_found_by_path(tmp_path: Path) -> None:
    suite = find_suite(str(write(tmp_path, GOOD)))
    assert [s.scenarios for s in suite.select] == [["stream"], ["offline:8"]]


def test_an_unknown_suite_is_answered_with_near_matches() -> None:
    with pytest.raises(UnknownId, match="did you mean quick"):
        find_suite("quik")


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("threads = 1", "threads = 0", 6, "measuring.threads"),
        ("threads = 1", "threads = true", 6, "measuring.threads"),
        ("threads = 1", "thread = 1", 6, "measuring.thread"),
        ('["offline:8"]', '["offline:0"]', 13, "select.1.scenarios"),
        ('tasks = ["textures"]', "tasks = []", 12, "select.1.tasks"),
        ('family = "vision"', "", 8, "select"),
        ('id = "good"', 'id = "Not Kebab"', 1, "id"),
    ],
)
def test_a_bad_value_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    with pytest.raises(BadSuite) as caught:
        read_suite(write(tmp_path, GOOD.replace(old, new)))
    assert f"line {line}: {what}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadSuite, match="line 6"):
        read_suite(write(tmp_path, GOOD.replace("threads = 1", "threads = ")))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadSuite, match="cannot be read"):
        read_suite(tmp_path / "none.toml")
