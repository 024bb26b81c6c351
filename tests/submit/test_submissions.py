"""Good and bad submissions in a folder each, with what the checker says of them.

After a change that is meant, `python tests/submit/test_submissions.py` writes what it says anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tokonomy.cli.forms import text
from tokonomy.submit.static import check

SUBMISSIONS = sorted(
    path for path in Path(__file__).with_name("submissions").iterdir() if path.is_dir()
)


def said(folder: Path) -> str:
    return text(check(folder, [folder])) + "\n"


@pytest.mark.parametrize("folder", SUBMISSIONS, ids=lambda folder: folder.name)
def test_what_is_said_of_a_submission(folder: Path) -> None:
    assert said(folder) == (folder / "findings.txt").read_text(encoding="utf-8")


def test_good_ones_have_no_findings_and_all_others_have() -> None:
    clean = {folder.name for folder in SUBMISSIONS if said(folder) == "0 findings\n"}
    assert clean == {folder.name for folder in SUBMISSIONS if folder.name.startswith("good-")}
    assert len(clean) >= 5
    assert len(SUBMISSIONS) >= 11


if __name__ == "__main__":
    for each in SUBMISSIONS:
        (each / "findings.txt").write_text(said(each), encoding="utf-8")
