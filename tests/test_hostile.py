"""Hostile text in every field, looked for at every way out: nothing of it is ever more than text.

``hostile.SAMPLES`` is the one table of samples. Each is put into every text of a record that is ok,
of one that failed, of a card and of a calibration record, and one site is built from it all.
Markdown has a file of its own, ``submit/test_markdown.py``, for the same samples.
"""

from __future__ import annotations

import ast
import csv
import importlib
import io
import json
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import ValidationError

from checkpoints import write_checkpoint
from hostile import SAMPLES
from records import make_calibration, make_language_record, make_record
from sitepages import Reader
from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadCheckpoint
from tokonomy.families import load_family
from tokonomy.store import calibration
from tokonomy.store.cell import cell_key
from tokonomy.store.database import open_store
from tokonomy.store.exports import FORMS, lm_eval, write
from tokonomy.store.record import Record
from tokonomy.store.statements import Statement, digest
from tokonomy_site import links
from tokonomy_site.build import build

ROOT = Path(__file__).parents[1]
Visit = Callable[..., Any]

# Texts that a record may hold anything in: where they are, by path. Names of arms are code's own.
FREE = (
    ("suite",), ("detail",), ("log",), ("harness", "version"), ("harness", "commit"),
    ("harness", "argv", 0), ("cell", "family"), ("cell", "method", "id"), ("cell", "task", "id"),
    ("cell", "task", "ref"), ("cell", "task", "split"), ("cell", "model", "id"),
    ("cell", "model", "ref"), ("cell", "device"), ("cell", "device_class"),
    ("timing", "clock"), ("memory", "process", "source"), ("quality", "metric"),
    ("energy", "reason"), ("energy", "detail"), ("work", "uncounted", 0),
)  # fmt: skip


def filled(document: dict[str, Any], text: str, number: int) -> Record:
    """A record with this text wherever any may stand; the id of the run comes from the number."""
    document = json.loads(json.dumps(document))
    for *above, key in FREE:
        place: Any = document
        for part in above:
            place = place.get(part) if isinstance(place, dict) else None
        if isinstance(place, list):
            place[:1] = [text]
        elif isinstance(place, dict) and key in place:
            place[key] = text
    cell = document["cell"]
    cell["method"]["params"] = {text[:400]: text, "keep": 0.5, "list": [text], "map": {text: text}}
    cell["libraries"] = {text: text}
    document["machine"] = {
        "software": {text: text, "torch": text},
        "hardware": {text: text, "cpu": text, "machine": text},
        "before": {text: text}, "after": {text: text},
    }  # fmt: skip
    document["flags"] = [{"code": text, "detail": text}]
    if document["status"] == "ok":
        document["quality"]["unreadable"] = [text]
        document["quality"]["groups"] = [text] * 2 + ["other"] * 2
        cell["task"]["samples"] = 5
        document["timing"]["spoiled"] = [
            {"cause": text, "detail": text, "pairs": document["timing"]["pairs"][:1]}
        ]
    else:
        document["reason"] = text
    cell["key"] = cell_key(cell)
    return Record.model_validate_json(json.dumps(document | {"run_id": f"{number:032x}"}))


def shortened(record: Record) -> dict[str, Any]:
    """A record of four samples, as a document."""
    document: dict[str, Any] = json.loads(record.line())
    for columns in (document["quality"]["outputs"], document["quality"]["scores"]):
        columns.update({arm: values[:4] for arm, values in columns.items()})
    document["cell"]["task"]["samples"] = 4
    document["quality"]["groups"] = []
    return document


def documents() -> Iterator[Record]:
    """Each sample in a run that is ok, of vision and of language, and in one that failed."""
    ok = shortened(make_record(samples=4, pairs=12))
    tongue = shortened(make_language_record(batches=4, pairs=12))
    failed = json.loads(make_record(samples=4, status="crash").line())
    number = 0
    for text in SAMPLES.values():
        for base in (ok, tongue, failed):
            number += 1
            made = filled(base, text, number)
            if base is not failed:  # in the boards that exist, not in one of its own
                fields = json.loads(made.line())
                fields["cell"]["family"] = base["cell"]["family"]
                fields["cell"]["key"] = cell_key(fields["cell"])
                yield Record.model_validate_json(json.dumps(fields))
            else:
                yield made


_CARD = """\
from tokonomy.catalog.cards import Claim, MethodCard

CARD = MethodCard(
    id="hostile-{number}", title={text!r}, families=("vision",), summary={text!r},
    kind="training-free", lossless="lossy", effect="removed", alters=({text!r},), needs=({text!r},),
    paper={text!r}, code={text!r}, code_licence={text!r}, differences=({text!r},),
    atlas=({text!r},), sweep=({{"keep": {text!r}}},) * 4,
    claims=(Claim(model={text!r}, dataset={text!r}, setting={text!r}, metric={text!r}, value=1.0,
                  unit={text!r}, source={text!r}, hardware={text!r}),),
)
"""


SAID_AT = "https://example.org/?a='b'"
"""Where a statement leads: its schema takes no address that could be more than one."""


def statements(records: Iterable[Record]) -> Iterator[Statement]:
    """What is said of runs, in words of the samples that a statement may hold."""
    words = [text[:100] for text in SAMPLES.values()]
    for record, text in zip(records, words, strict=False):
        fields = {"run_id": record.run_id, "record_sha256": digest(record), "says": "disputed",
                  "by": text, "at": "2026-01-01T00:00:00Z", "reason": text,
                  "link": SAID_AT}  # fmt: skip
        with suppress(ValidationError):  # control characters and the like, which none may hold
            yield Statement.model_validate(fields)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a database, its site, and a plug-in whose cards are hostile, installed."""
    folder = tmp_path_factory.mktemp("hostile")
    package, info = folder / "hostile_methods", folder / "hostile_methods-0.1.dist-info"
    for each in (package, info):
        each.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-methods\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[tokonomy.methods]\nhostile = hostile_methods\n")
    (package / "__init__.py").touch()
    for number, text in enumerate(SAMPLES.values()):
        card = _CARD.format(number=number, text=text).replace(",) * 4", ",)" + "")
        card = card.replace(f'sweep=({{"keep": {text!r}}},)', f"sweep={({'keep': text},) * 4!r}")
        (package / f"hostile_{number}.py").write_text(card, encoding="utf-8")
    with open_store(folder / "tokonomy.sqlite") as store:
        store.add_all(documents())
        for said in list(statements(store.records())):
            store.say(said)
    for number, text in enumerate(SAMPLES.values()):
        made = make_calibration(device_class=text[:400], settings={text[:400]: text})
        findings = [
            each.model_copy(update={"name": text, "setting": text}) for each in made.findings
        ]
        calibration.write(
            folder / "calibration" / f"{number}.json",
            made.model_copy(update={"findings": findings}),
        )
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    catalogue.cache_clear()
    try:
        found = catalogue("method")
        assert sum(name.startswith("hostile-") for name in found.cards) == len(SAMPLES), (
            found.broken
        )
        build(str(folder / "tokonomy.sqlite"), None, folder / "dist", folder / "calibration")
        yield folder
    finally:
        sys.path.remove(str(folder))
        catalogue.cache_clear()


FOLDER = ROOT / "site/tokonomy_site/templates"
TEMPLATES = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.html"))]
TAGS = {tag for text in TEMPLATES for tag in re.findall(r"<([a-z][a-z0-9]*)", text)}
ATTRIBUTES = {name for text in TEMPLATES for name in re.findall(r"[ \n\"}]([a-zA-Z-]+)=", text)}
BARE = {"defer", "download", "open", "hidden", "checked", "selected", "multiple", "disabled"}


def test_no_page_has_an_element_attribute_or_address_of_a_sample(house: Path) -> None:
    """All that is in a page is in the templates; samples are in neither's tags."""
    assert not TAGS & {"iframe", "object", "embed", "style", "base", "video"}
    allowed = {name.lower() for name in ATTRIBUTES} | BARE
    assert not any(name.startswith("on") for name in allowed)
    site = house / "dist"
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 3 * len(SAMPLES)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for tag, attributes in Reader(text).tags:
            assert tag in TAGS, (page.name, tag)
            assert set(attributes) <= allowed, (page.name, tag, set(attributes) - allowed)
            assert tag != "script" or str(attributes["src"]).endswith(".js")
            for name in ("href", "src", "action", "formaction", "xlink:href"):
                leads(page, site, attributes.get(name))
        assert not re.search(r"(?<![0-9.])1337(?![0-9])", text), page.name  # 7 * 191, computed


def leads(page: Path, site: Path, address: str | None) -> None:
    """An address is a file of the site, empty, or one of ours on the web."""
    if address is None or re.fullmatch(r"data:(,|image/png;base64,[A-Za-z0-9+/=]+)", address):
        return
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        if address == SAID_AT:
            return
        ours = r"https://(arxiv\.org/abs/[\w./-]+|github\.com/[\w.-]+/[\w.-]+)"
        assert re.fullmatch(ours, address), address
        assert "evil" not in address
        return
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    assert target.is_relative_to(site.resolve()), address
    assert target.is_file(), (page.name, address)


def test_every_file_of_the_site_has_a_name_that_any_system_takes(house: Path) -> None:
    names = [path.relative_to(house / "dist").as_posix() for path in (house / "dist").rglob("*")]
    assert len({name.lower() for name in names}) == len(names)
    reserved = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
    for name in names:
        for part in name.split("/"):
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", part), name
            assert not reserved.fullmatch(part), name
            assert len(part) < 128


def test_slugs_neither_collide_nor_leave_their_folder() -> None:
    names = [
        *SAMPLES.values(),
        "top-k",
        "Top-K",
        "TOP-K",
        "top_k",
        "con",
        "CON",
        "nul",
        "a/b",
        "a-b",
    ]
    names += [links.slug(name) for name in ("Top-K", "a/b", "con")]  # somebody's name is this file
    slugs = [links.slug(name) for name in names]
    assert len(set(slugs)) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in slugs)


def test_addresses_come_from_validated_pieces_alone() -> None:
    for text in SAMPLES.values():
        assert links.paper(text) is None
        assert links.repository(text) is None
    for text in (
        "1234.5678\n",
        "1234.5678/../x",
        "١٢٣٤.٥٦٧٨",
        "1234.5678#x",
        "a/..",
        "a/b/c",
        "a/b?x",
    ):
        assert links.paper(text) is None
        assert links.repository(text) is None
    assert links.paper("2210.09461") == "https://arxiv.org/abs/2210.09461"
    assert links.repository("facebookresearch/ToMe") == "https://github.com/facebookresearch/ToMe"


def shown(site: Path) -> list[Path]:
    """Pages of each kind that show every sample, as run, failed run, method, task and model."""
    runs, methods = sorted(site.glob("run/*.html")), sorted(site.glob("method/hostile-*.html"))
    names = (
        "index.html",
        "methodology.html",
        "data.html",
        "atlas.html",
        "runs.html",
        "history.html",
    )
    rest = [page for kind in ("leaderboard", "task", "model") for page in
            sorted(site.glob(f"{kind}/*.html"))]  # fmt: skip
    return [*(site / name for name in names), *runs[::3], *runs[2::12], *methods[::2], *rest[::4]]


@pytest.mark.parametrize("bypass", [False, True], ids=["with its policy", "by escaping alone"])
def test_nothing_runs_in_a_browser(house: Path, visit: Visit, bypass: bool) -> None:
    visitor, chosen = visit(bypass_csp=bypass), shown(house / "dist")
    visitor.page.on("dialog", lambda dialog: visitor.said.append(dialog.message))
    for path in chosen if bypass else chosen[::8]:
        page = visitor.go(path)
        assert page.evaluate("document.title").endswith("· Tokonomy")
    assert visitor.said == []
    assert [url for url in visitor.asked if not url.startswith(("file:", "data:"))] == []


INJECTED = """
<script>document.title = 'ran'</script>
<img id="handled" src="data:," onerror="document.title = 'ran'" onload="document.title = 'ran'">
<img id="outside" src="https://evil.example/pixel.png">
<a id="link" href="javascript:void(document.title = 'ran')">go</a>
<form id="form" action="https://evil.example/"><button id="send">send</button></form>
<iframe src="https://evil.example/"></iframe><object data="https://evil.example/"></object>
<style>body { background: url(https://evil.example/style.png) }</style>
<base href="https://evil.example/"><script src="https://evil.example/x.js"></script>
<link rel="stylesheet" href="https://evil.example/x.css">
<video src="https://evil.example/x.mp4" autoplay></video>
<svg onload="document.title = 'ran'"></svg>
"""


def test_the_policy_holds_against_what_is_injected(house: Path, visit: Visit) -> None:
    """Were escaping to fail somewhere, the page's own policy would still let nothing happen."""
    source = house / "dist" / "index.html"
    text = source.read_text(encoding="utf-8")
    page_file = source.with_name("injected.html")
    page_file.write_text(text.replace("<main", f"{INJECTED}<main", 1), encoding="utf-8")
    asked: list[str] = []
    visitor = visit()
    page = visitor.page
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri(), wait_until="domcontentloaded")
    page.evaluate("document.getElementById('link').click()")
    page.wait_for_timeout(300)
    assert page.title().endswith("· Tokonomy")
    assert page.evaluate("document.baseURI") == page_file.as_uri()
    width = page.evaluate("document.getElementById('outside').naturalWidth")
    page.evaluate("document.getElementById('send').click()")
    page.wait_for_timeout(300)
    assert page.url == page_file.as_uri()
    page_file.unlink()
    assert width == 0
    assert [url for url in asked if "evil" in url] == []
    refused = " ".join(visitor.said)
    for directive in ("script-src", "img-src", "form-action", "base-uri", "style-src"):
        assert directive in refused, directive
    assert len(visitor.said) >= 10


ATOM = "{http://www.w3.org/2005/Atom}"
IN_FEED = {"feed", "title", "id", "updated", "author", "name", "link", "entry", "content",
           "summary", "category", "subtitle", "generator"}  # fmt: skip


def test_the_feed_holds_samples_as_text_alone(house: Path) -> None:
    tree = ElementTree.fromstring((house / "dist/feed.xml").read_bytes())
    assert {each.tag.removeprefix(ATOM) for each in tree.iter()} <= IN_FEED
    entries = tree.findall(f"{ATOM}entry")
    assert entries
    said = "".join(each.text or "" for each in tree.iter())
    assert "<script>" in said
    assert not [char for char in said if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    for link in tree.iter(f"{ATOM}link"):
        leads(house / "dist/feed.xml", house / "dist", link.attrib["href"])


ASSIGNED = re.compile(
    r'(?:globalThis\.\w+|\(globalThis\.\w+ \?\?= \{\}\)\["\w+"\]) = (.*);\n', re.DOTALL
)


def test_scripts_of_data_are_one_assignment_of_plain_data(house: Path) -> None:
    site = house / "dist"
    found = [site / "data/runs.js", *site.glob("compare/*.js"), *site.glob("run/ids-*.js")]
    assert len(found) > 3
    for path in found:
        text = path.read_text(encoding="ascii")
        whole = ASSIGNED.fullmatch(text)
        assert whole, (path.name, text[:80])
        json.loads(whole[1])


def test_no_page_is_without_its_policy(house: Path) -> None:
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
    for page in (house / "dist").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        (found,) = policy.findall(text)
        assert "default-src 'none'" in found
        assert "unsafe" not in found
        assert text.index("Content-Security-Policy") < text.index("<title>")


def cells(text: str) -> Iterator[str]:
    for row in csv.reader(io.StringIO(text, newline="")):
        yield from row


def formula(cell: str) -> bool:
    """Whether a spreadsheet may take it for one; numbers below zero are none."""
    bare = cell.lstrip(" \0\ufeff")
    return bare.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not re.fullmatch(
        r"-?[0-9.]+(e[+-]?[0-9]+)?", cell
    )


def test_no_spreadsheet_takes_a_cell_for_a_formula(house: Path, tmp_path: Path) -> None:
    with open_store(house / "tokonomy.sqlite", create=False) as store:
        write(store, tmp_path / "runs.csv", "csv")
    for path in (house / "dist" / "data" / "runs.csv", tmp_path / "runs.csv"):
        found = list(cells(path.read_bytes().decode()))
        assert [cell for cell in found if formula(cell)] == []
        assert any(cell.startswith("'=") for cell in found)


def test_exports_hold_every_sample_as_it_is(house: Path, tmp_path: Path) -> None:
    with open_store(house / "tokonomy.sqlite", create=False) as store:
        for form in FORMS:
            assert write(store, tmp_path / form, form) > 0
        count = lm_eval(store, tmp_path / "lm")
    assert count == len(SAMPLES)
    for path in (tmp_path / "lm").rglob("*.json"):
        assert re.fullmatch(r"[0-9a-f]{32}/results_[0-9T.-]+\.json",
                            path.relative_to(tmp_path / "lm").as_posix())  # fmt: skip
    runs = json.loads((tmp_path / "json").read_text(encoding="utf-8"))["runs"]
    assert {run["suite"] for run in runs} == set(SAMPLES.values())
    names = [each["name"] for each in json.loads((tmp_path / "pytest-benchmark").read_text())
             ["benchmarks"]]  # fmt: skip
    assert all(name.isprintable() for name in names)


def acts(text: str) -> set[str]:
    """Characters that act on a terminal or turn what is written on it."""
    found = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs")}
    return found - {"\n", "\t"}


READING = (
    ("results", "show", "--all"), ("results", "show", "--all", "--json"), ("results", "show"),
    ("results", "show", f"{1:032x}"), ("compare", f"{1:032x}", f"{4:032x}"),
    ("compare", f"{1:032x}", f"{4:032x}", "--json"), ("list", "methods"),
    ("list", "methods", "--json"), ("show", "hostile-12"), ("show", "hostile-12", "--json"),
    ("results", "show", "--only", "method=\x1b[2J\u202e"), ("show", "\x1b[2J\u202e\x9b1m"),
    ("results", "import", "\x1b[2J.jsonl"), ("run", "--suite", "\x9b2J.toml"),
)  # fmt: skip


@pytest.mark.parametrize("words", READING, ids=lambda words: ascii(" ".join(words))[1:60])
def test_nothing_that_a_terminal_acts_on_is_printed(house: Path, words: tuple[str, ...]) -> None:
    takes = words[0] in ("results", "compare") and words[1] != "import"
    place = ["--db", str(house / "tokonomy.sqlite")] if takes else []
    said = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(house)!r}); "
         "from tokonomy.cli import main; main()", *words, *place],
        capture_output=True, check=False, cwd=house,
    )  # fmt: skip
    out, err = said.stdout.decode("utf-8"), said.stderr.decode("utf-8")
    assert "Traceback" not in err
    assert acts(out) == set()
    assert acts(err) == set()
    assert said.returncode in (0, 2)
    if said.returncode == 0 and ("--json" in words or words[:3] == READING[3]):
        json.loads(out)  # what is escaped is still the same document


CODE = [path for package in ("harness/tokonomy", "methods/tokonomy_methods", "tasks/tokonomy_tasks",
                             "site/tokonomy_site", "results/suites", "ci")
        for path in sorted((ROOT / package).rglob("*.py"))]  # fmt: skip
#: Modules that run or unpack what they read, and calls that do.
UNSAFE = {"pickle", "cPickle", "dill", "marshal", "shelve", "cloudpickle", "joblib", "tarfile",
          "zipfile"}  # fmt: skip
CALLS = {"torch.load", "torch.hub.load", "np.load", "numpy.load", "shutil.unpack_archive",
         "yaml.load", "yaml.unsafe_load", "pandas.read_pickle", "pd.read_pickle"}  # fmt: skip


def test_nothing_unpickles_or_unpacks_and_no_code_of_a_checkpoint_is_trusted() -> None:
    assert len(CODE) > 200
    loads = 0
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                assert not UNSAFE & {alias.name.partition(".")[0] for alias in node.names}, where
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in UNSAFE, where
            elif isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in CALLS, where
                options = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert options.get("trust_remote_code", "False") == "False", where
                if ast.unparse(node.func).endswith("from_pretrained"):
                    assert options.get("trust_remote_code") == "False", where
                    assert options.get("local_files_only") == "True", where
                    loads += 1
    assert loads == 3  # one more goes by another name, with both options


def load(folder: Path) -> Any:
    return load_family("vision").load(f"hf:{folder}", device="cpu", precision="fp32")


def test_code_of_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    """No option trusts it: an architecture of its own is refused, and a known one is ours."""
    folder = write_checkpoint(tmp_path / "model")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    config = json.loads((folder / "config.json").read_text())
    evil = {name: "evil.Evil" for name in ("AutoConfig", "AutoModelForImageClassification")}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": evil}))
    assert type(load(folder).module).__module__.startswith("transformers.models.vit")
    (folder / "config.json").write_text(
        json.dumps(config | {"auto_map": evil, "model_type": "evil"})
    )
    with pytest.raises(BadCheckpoint) as refused:
        load(folder)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_weights_that_can_run_code_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadCheckpoint, match=r"no safetensors \(other formats can run code"):
        load(folder)


SETTINGS = {
    "twice": '{"model_type": "vit", "model_type": "deit"}',
    "not a number": '{"model_type": "vit", "hidden_size": NaN}',
    "deep": '{"a": ' + "[" * 50 + "]" * 50 + "}",
    "a list": "[" * 100_000,
    "no text": "\udcff",
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_settings_of_a_checkpoint_are_read_strictly(tmp_path: Path, file: str, name: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / file).write_bytes(SETTINGS[name].encode("utf-8", "surrogateescape"))
    with pytest.raises(BadCheckpoint, match=f"{file} cannot be read; ") as refused:
        load(folder)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("shard", ["../other/model.safetensors", "/etc/passwd", "x.bin", 3, None])
def test_a_checkpoint_names_no_file_elsewhere(tmp_path: Path, shard: object) -> None:
    folder = write_checkpoint(tmp_path / "model")
    index = {"metadata": {}, "weight_map": {"classifier.weight": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadCheckpoint, match=r"expected a \*\.safetensors beside it"):
        load(folder)


def test_an_adapter_of_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(BadCheckpoint, match="expected a whole checkpoint"):
        load(folder)
