"""Bad input is answered with one line, exit code 2, no traceback, and nothing written."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from checkpoints import write_checkpoint
from images import write_images
from records import make_record
from tokonomy.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> str:
    """Call the command line; it must say one line and exit with 2."""
    monkeypatch.setattr(sys, "argv", ["tokonomy", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2, err
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


RUN = ("run", "--method", "tome", "--task", "digits")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "--suite", "quikc"), "did you mean quick"),
        (("run", "--method", "tomee", "--task", "digits"), "did you mean tome"),
        (("run", "--method", "tome", "--task", "digit"), "did you mean digits"),
        ((*RUN, "--model", "digit-vit"), "did you mean digits-vit"),
        ((*RUN, "--model", "hf:not/there"), "neither a folder here nor a repository"),
        ((*RUN, "--set", "keep=0.5"), "has no parameter 'keep'; it has"),
        ((*RUN, "--set", "r=-1"), "got -1"),
        ((*RUN, "--set", "r=1000"), "the model's 64 patches; got 1000"),
        ((*RUN, "--set", "r=2", "--set", "r=4"), "given twice"),
        ((*RUN, "--device", "gpu"), "a device is cpu or cuda:N"),
        ((*RUN, "--device", "cuda:99"), "cuda:99 is not there"),
        ((*RUN, "--seed", "99999999999999999999"), "seed"),
        ((*RUN, "--measure", "max_s=-1"), "max_s"),
        ((*RUN, "--measure", "speed=1"), "speed"),
        ((*RUN, "--set", "r"), "name=value"),
        ((*RUN, "--scenario", "offline:0"), "offline:0"),
        ((*RUN, "--precision", "fp8"), "fp8"),
        ((*RUN, "--only", "method=evit"), "evit"),
        ((*RUN, "--only", "tome"), "method="),
        (("run", "--method", "top-k", "--set", "keep=1.3", "--task", "digits"), "1.3"),
        (("run", "--method", "downsample", "--set", "scale=0", "--task", "digits"), "scale"),
        (("run", "--method", "tome"), "--task"),
        (("run", "--suite", "quick", "--method", "tome"), "--only"),
        (("run", "--method", "tome", "--task", "imagefolder"), "imagefolder:<root>"),
        (("run", "--method", "tome", "--task", "imagefolder:none"), "none"),
        (("show", "tomee"), "did you mean tome"),
        (("results", "show"), "no such database"),
        (("results", "import", "none.jsonl"), "none.jsonl"),
        (("results", "export", "x", "--format", "csv", "--statements"), "as jsonl alone"),
        (("results", "export", "x", "--format", "pickle"), "pickle"),
        (("compare", "a", "b"), "no such database"),
        (("publish", "--db", "none.sqlite", "--records", "none"), "none"),
        (("zoo", "train", "digit-vit", "--out", "x"), "did you mean digits-vit"),
        (("zoo", "train", "digits-vit", "--out", "x", "--device", "gpu"), "a device is cpu"),
        (("results", "show", "abc", "--only", "method=tome"), "one run"),
        (("nonsense",), "nonsense"),
        (("run", "--nonsense"), "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_bad_call_is_one_line_and_writes_nothing(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    says: str,
) -> None:
    assert says in refused(capsys, monkeypatch, *words)
    assert list(folder.iterdir()) == []


def test_a_malformed_suite_is_named_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bad.toml").write_text('id = "bad"\ntitle = "Bad"\nfamily = vision\n')
    assert "line 3" in refused(capsys, monkeypatch, "run", "--suite", "bad.toml")


def test_a_checkpoint_of_another_architecture_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_checkpoint(folder / "model") / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "bert"}))
    said = refused(capsys, monkeypatch, *RUN, "--model", "hf:model")
    assert "expected an architecture of vit, deit; got 'bert'" in said
    assert not Path("results").exists()


@pytest.mark.parametrize("kind", ["empty", "no-images", "unreadable"])
def test_an_image_folder_without_images_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    write_checkpoint(folder / "model")
    images = folder / "images"
    images.mkdir()
    if kind == "no-images":
        (images / "class").mkdir()
    if kind == "unreadable":
        for path in write_images(images, each=2).rglob("*.*g"):
            path.write_bytes(b"not an image")
    words = ("run", "--method", "tome", "--model", "hf:model", "--task", "imagefolder:images")
    assert "imagefolder" in refused(capsys, monkeypatch, *words)
    assert not Path("results").exists()


@pytest.mark.parametrize("kind", ["corrupt", "locked", "newer"])
def test_a_database_that_cannot_be_used_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    Path("records.jsonl").write_text(make_record().line() + "\n")
    database = Path("x.sqlite")
    holder = None
    if kind == "corrupt":
        database.write_bytes(b"this is not a database, whatever it is called" * 100)
    else:
        monkeypatch.setattr(sys, "argv", ["tokonomy", "results", "import", "records.jsonl",
                                          "--db", "x.sqlite"])  # fmt: skip
        main()
        capsys.readouterr()
        holder = sqlite3.connect(database, isolation_level=None)
        if kind == "newer":
            holder.execute("update alembic_version set version_num = 'from-the-future'")
            holder.close()
        else:
            holder.execute("begin exclusive")
            monkeypatch.setattr("tokonomy.store.database.open_store.__defaults__",
                                (*_defaults()[:-1], 0.2))  # fmt: skip
    before = database.read_bytes()
    Path("records.jsonl").write_text(make_record(seed=1).line() + "\n")
    said = refused(capsys, monkeypatch, "results", "import", "records.jsonl", "--db", "x.sqlite")
    assert "x.sqlite" in said
    assert database.read_bytes() == before
    if kind == "locked" and holder is not None:
        holder.close()


def test_a_database_that_has_no_room_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself refuses to grow, as on a full disk; what was there stays."""
    from tokonomy.store import engine
    from tokonomy.store.database import open_store

    with open_store("x.sqlite") as store:
        store.add(make_record())
    with sqlite3.connect("x.sqlite") as database:
        (pages,) = database.execute("pragma page_count").fetchone()
    plain = engine._write_pragmas

    def full(connection: Any, entry: Any) -> None:
        plain(connection, entry)
        connection.execute(f"pragma max_page_count = {pages}")

    monkeypatch.setattr(engine, "_write_pragmas", full)
    lines = "\n".join(make_record(seed=seed).line() for seed in range(1, 40))
    Path("records.jsonl").write_text(lines + "\n")
    said = refused(capsys, monkeypatch, "results", "import", "records.jsonl", "--db", "x.sqlite")
    assert "x.sqlite" in said
    with sqlite3.connect("x.sqlite") as database:
        assert database.execute("select count(*) from runs").fetchone() == (1,)


def test_a_place_that_cannot_be_written_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below /proc nobody can make a file, not even root."""
    Path("records.jsonl").write_text(make_record().line() + "\n")
    words = ("results", "import", "records.jsonl", "--db", "/proc/none/x.sqlite")
    assert "/proc/none" in refused(capsys, monkeypatch, *words)


def _defaults() -> tuple[object, ...]:
    from tokonomy.store.database import open_store

    assert open_store.__defaults__ is not None
    return open_store.__defaults__


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema_version":3', '"schema_version":4'),
        ('"precision":"fp32"', '"precision":"fp12"'),
        ('"batch_size":1', '"batch_size":"1"'),
        ('"batch_size":1', '"batch_size":NaN'),
        ('"flags":[', '"flags":[],"more":['),
        ('"flags":[', '"flags":[],"flags":['),
    ],
)
def test_a_bad_record_imports_nothing(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
) -> None:
    good, bad = make_record().line(), make_record(seed=1).line()
    assert old in bad
    Path("records.jsonl").write_text(f"{good}\n{bad.replace(old, new, 1)}\n")
    assert "records.jsonl:2" in refused(capsys, monkeypatch, "results", "import", "records.jsonl")
    assert [path.name for path in folder.iterdir()] == ["records.jsonl"]
