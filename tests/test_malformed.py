"""Ten thousand malformed records and cards: each gives a clear error or is valid, none half of it.

Every one begins as a valid record or card and is edited once to three times. The edits follow from
the counter of the example alone, so all runs of this file try the same.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from records import make_gpu_record, make_language_record, make_record
from tokonomy.catalog.reading import read_card
from tokonomy.errors import BadCard, BadRecord
from tokonomy.store.cell import cell_key
from tokonomy.store.database import Store, open_store
from tokonomy.store.derive import derive
from tokonomy.store.exchange import import_files, read_line
from tokonomy.submit.scaffold import begin
from tokonomy.submit.static import METHODS, TASKS, check
from tokonomy_site.build import build

MANY = {"records": 8_000, "cards": 2_000}
KEPT = 200  # odd but valid rows that a site is built from

FUZZ = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)  # fmt: skip


def small() -> list[dict[str, Any]]:
    """Valid records of every kind, as short as they can be."""
    made = (
        make_record(samples=4, pairs=10),
        make_gpu_record(samples=4, pairs=10, spoiled=1),
        make_language_record(batches=4, pairs=10),
        make_language_record(family="kv", batches=4, pairs=10, kept=0.5),
        make_record(samples=4, status="oom"),
    )
    return [shortened(json.loads(record.line())) for record in made]


def shortened(document: dict[str, Any]) -> dict[str, Any]:
    """The same with four samples and points of a trace."""
    quality, trace = document["quality"], document["energy"].get("trace", {})
    for columns in (quality.get("outputs", {}), quality.get("scores", {})):
        columns.update({arm: values[:4] for arm, values in columns.items()})
    if "groups" in quality:
        quality["groups"] = quality["groups"][:4]
    trace.update({name: trace[name][:4] for name in ("at_ms", "low_w", "high_w") if name in trace})
    document["cell"]["task"]["samples"] = 4
    document["cell"]["key"] = cell_key(document["cell"])
    return document


BASES = small()
MILE = "y" * 2**20
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 3, 0.5, 1.5, -0.0, 5e-324, 1e-300, 1e17, 1e18, 1e308,
    2**31, 2**53, 2**53 - 1, 2**64, 10**400, float("nan"), float("inf"), float("-inf"),
    "", "0", "NaN", "Infinity", "null", "ok", "oom", "crash", "reference", "vision", "kv",
    "random-drop", "planted-x", "calibration", "cuda:0", "cpu", "a" * 500, "a" * 501, MILE,
    "\0", "\x1b[31m\x07", "\r\n", "\u202e\u2066", "\ud800", "a\udfffb", "\ufeff", "𝄞" * 300,
    "=1+1", "<script>alert(1)</script>", "../../etc/passwd", "C:\\u0000", "%s%n{0}",
    "2026-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
    "f" * 32, "F" * 64, "0" * 64, "imagefolder:/x", "lm_eval:x", "hf:/x/y", "hf:",
    [], {}, [[]], [None], [0], ["", 0], {"": None}, {"a": {"b": []}}, {"reason": "x"},
    {"reason": ""}, {"reason": "quality-not-applicable"}, {"reason": "one-pass", "detail": None},
    [[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]],
]  # fmt: skip
UNITS = (("_ns", "_ms"), ("_ms", "_s"), ("_s", "_ms"), ("_bytes", "_mib"), ("_j", "_kwh"))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside; of long lists to the first two and the last."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = [(at, value[at]) for at in sorted({0, 1, len(value) - 1} & set(range(len(value))))]
    else:
        inner = []
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


PLACES = [list(places(document)) for document in BASES]


def _drop(parent: Any, key: Any, _odd: Any) -> None:
    del parent[key]


def _put(parent: Any, key: Any, odd: Any) -> None:
    parent[key] = odd


def _wrap(parent: Any, key: Any, _odd: Any) -> None:
    parent[key] = [parent[key]] if isinstance(parent[key], dict) else {"value": parent[key]}


def _write(parent: Any, key: Any, _odd: Any) -> None:
    parent[key] = str(parent[key])


def _negate(parent: Any, key: Any, _odd: Any) -> None:
    if isinstance(parent[key], int | float):
        parent[key] = -parent[key]


def _scale(parent: Any, key: Any, odd: Any) -> None:
    if isinstance(parent[key], int | float) and isinstance(odd, int | float):
        parent[key] = parent[key] * odd


def _stretch(parent: Any, key: Any, _odd: Any) -> None:
    if isinstance(parent[key], list):
        parent[key] = parent[key] + parent[key][:1]


def _shorten(parent: Any, key: Any, _odd: Any) -> None:
    if isinstance(parent[key], list):
        parent[key] = parent[key][1:]


def _rename(parent: Any, key: Any, odd: Any) -> None:
    if isinstance(parent, dict):
        other = next((key.replace(old, new) for old, new in UNITS if old in key), str(odd))
        parent[other] = parent.pop(key)


def _add(parent: Any, _key: Any, odd: Any) -> None:
    if isinstance(parent, dict):
        parent[str(odd)] = odd
    else:
        parent.append(odd)


EDITS: tuple[Callable[[Any, Any, Any], None], ...] = (
    _drop, _put, _put, _put, _put, _wrap, _write, _negate, _scale, _stretch, _shorten, _rename,
    _add,
)  # fmt: skip

DAMAGE: tuple[Callable[[bytes, int], bytes], ...] = (
    *(lambda line, at: line,) * 20,
    lambda line, at: line[: 1 + at % len(line)],
    lambda line, at: b"\xef\xbb\xbf" + line,
    lambda line, at: line.decode("utf-8", "replace").encode("utf-16"),
    lambda line, at: line[: at % len(line)] + bytes([at % 256]) + line[at % len(line) + 1 :],
    lambda line, at: line[: at % len(line)] + b"\x00" + line[at % len(line) :],
    lambda line, at: re.sub(rb'"(\w+)":', rb'"\1":0,"\1":', line, count=1 + at % 9),
    lambda line, at: re.sub(rb":\d+[.]\d+", b":NaN", line, count=1),
    lambda line, at: re.sub(rb":\d+", b":1e999", line, count=1 + at % 5),
    lambda line, at: re.sub(rb":\d+", b":" + b"7" * 5000, line, count=1),
    lambda line, at: line + line,
    lambda line, at: line.replace(b'"', b"'"),
    lambda line, at: b"[" * (at % 2000) + line,
    lambda line, at: line.replace(b":[", b":" + b"[" * 500, 1),
    lambda line, at: b"\x1f\x8b" + line,
    lambda line, at: line.replace(b"{", b'{"__proto__":{},', 1),
)


class Choices:
    """Choices that follow from bytes, which are much cheaper to draw than as many numbers."""

    def __init__(self, drawn: bytes) -> None:
        self.drawn = iter(drawn)

    def below(self, most: int) -> int:
        return (next(self.drawn) << 16 | next(self.drawn) << 8 | next(self.drawn)) % most

    def of(self, offered: Sequence[Any]) -> Any:
        return offered[self.below(len(offered))]


AT_ONCE, BYTES = 8, 80  # of one example of hypothesis, and drawn for each of them
DRAWN = st.binary(min_size=AT_ONCE * BYTES, max_size=AT_ONCE * BYTES)


def apart(drawn: bytes) -> Iterator[Choices]:
    """The choices for each."""
    return (Choices(drawn[at : at + BYTES]) for at in range(0, len(drawn), BYTES))


def line_of(choices: Choices) -> bytes:
    """A record with up to three edits of what it says and up to one of how it is written."""
    which = choices.below(len(BASES))
    document = copy.deepcopy(BASES[which])
    for _ in range(1 + choices.below(3)):
        (*above, key), edit, odd = choices.of(PLACES[which]), choices.of(EDITS), choices.of(ODD)
        try:
            parent = document
            for part in above:
                parent = parent[part]
            edit(parent, key, copy.deepcopy(odd))
        except (KeyError, IndexError, TypeError, OverflowError, AttributeError):
            continue  # an edit before took the place away
    if choices.below(2):
        try:
            document["cell"]["key"] = cell_key(document["cell"])
        except Exception:
            pass  # no cell any more, so it has no key
    written = json.dumps(document, ensure_ascii=bool(choices.below(2)))
    line = written.replace("\n", " ").encode("utf-8", "surrogatepass")
    damaged: bytes = choices.of(DAMAGE)(line, choices.below(2**20))
    return damaged


class Tried:
    """A store that malformed records were imported into, and what came of them.

    All are read; what is refused is in every tenth case imported behind a good record, too, and
    valid ones are until there are enough. Of all that are valid the figures are derived.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tokonomy.sqlite"
        self.lines = folder / "records.jsonl"
        self.outcomes: Counter[str] = Counter()

    def put(self, store: Store, line: bytes) -> None:
        line = line.replace(b"\n", b" ")
        try:
            record = read_line(line)
        except BadRecord as error:
            clear(str(error), "record: ")
            self.outcomes["refused"] += 1
            if self.outcomes["refused"] % 10 == 0:
                self.refuse(store, line)
            return
        self.outcomes["valid"] += 1
        if self.outcomes["kept"] < KEPT:
            self.outcomes["kept"] += store.add(
                record.model_copy(update={"run_id": f"{self.outcomes['kept']:032x}"})
            )
        else:
            derive(record)

    def refuse(self, store: Store, line: bytes) -> None:
        """Import it behind a good record, of which nothing may stay."""
        good = json.dumps(BASES[4] | {"run_id": "e" * 32}).encode()
        self.lines.write_bytes(good + b"\n" + line + b"\n")
        before = store.count()
        with pytest.raises(BadRecord) as refused:
            import_files(store, [self.lines])
        clear(str(refused.value), f"{self.lines}:2: record: ")
        assert store.count() == before
        self.outcomes["imports"] += 1


def clear(said: str, begins: str) -> None:
    """One printable line of bounded length that begins with its place."""
    assert said.startswith(begins), said
    assert said.isprintable(), said
    assert len(said) < 500, said


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """All malformed records, each imported behind a good one."""
    found = Tried(tmp_path_factory.mktemp("tried"))
    with open_store(found.file) as store:

        @settings(FUZZ, max_examples=MANY["records"] // AT_ONCE)
        @given(DRAWN)
        def every(drawn: bytes) -> None:
            for choices in apart(drawn):
                found.put(store, line_of(choices))

        every()
    return found


def test_a_malformed_record_is_refused_whole_or_is_valid(tried: Tried) -> None:
    assert tried.outcomes["valid"] + tried.outcomes["refused"] >= MANY["records"]
    assert tried.outcomes["kept"] == KEPT
    assert tried.outcomes["refused"] > MANY["records"] / 2
    assert tried.outcomes["imports"] > MANY["records"] / 20


def test_odd_but_valid_rows_are_published(tried: Tried, tmp_path: Path) -> None:
    build(str(tried.file), None, tmp_path / "dist")
    assert len(list((tmp_path / "dist" / "run").glob("*.html"))) == KEPT
    with open_store(tried.file, create=False) as store:
        assert len(store.frame(None)) > 0
        assert store.count() == KEPT


#: What these tests found, each by its smallest case: text of the line, and what is said of it.
FOUND = {
    "a long time": (lambda base: base | {"started": "2026-" + "7" * 5000}, "started: "),
    "a long key": (lambda base: base | {"k" * 5000: 0}, "kkk"),
    "a key that clears the screen": (
        lambda base: base | {"\x1b[2J\n\u202e": 0},
        r"\x1b[2J\n\u202e",
    ),
    "half a character": (lambda base: base | {"suite": "\ud800"}, r"may not hold \ud800"),
    "half a character in a key": (lambda base: base | {"\udfff": 0}, r"may not hold \udfff"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_in_records_stays_fixed(name: str) -> None:
    change, says = FOUND[name]
    with pytest.raises(BadRecord) as refused:
        read_line(json.dumps(change(BASES[0])).encode())
    clear(str(refused.value), "record: ")
    assert says in str(refused.value)


def test_what_a_text_shows_of_an_escape_is_no_escape() -> None:
    written = BASES[0] | {"log": "C:\\u0000 and \\ud800"}
    assert read_line(json.dumps(written).encode()).log == "C:\\u0000 and \\ud800"


@pytest.mark.parametrize(
    "text",
    [
        "CARD = " + "(" * 5000,
        "CARD = " + "-" * 5000 + "1",
        "CARD = MethodCard(id=3)",
        "CARD = '\udcff'",
        'CARD = MethodCard(id="a", title=3, families=("vision",), summary="", kind="trained", '
        'lossless="lossy", effect="none", alters=(), sweep=({},) * 4)',
        *(
            f'CARD = ModelCard(id="a", title={title}, families={families}, summary="", task="", '
            'licence="", recipe="")'
            for title, families in (
                ('"\\ud800"', "()"), ("None", "()"), ('""', "3"), ('""', "(3,)"),
                ('""', "'vision'"),
            )
        ),
    ],
)  # fmt: skip
def test_what_was_found_in_cards_stays_fixed(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.py").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadCard) as refused:
        read_card(tmp_path / "card.py")
    clear(str(refused.value), "")


LITERALS = (
    '""', '"\\ud800"', '"\\x00"', '"\\x1b[2J"', '"\\u202e"', "b'bytes'", "None", "...", "True",
    "1e999", "-1e999", "10**9**9", "9" * 5000, "1j", "nan", "[]", "()", "{}", "{1: 2}", "{[]: 1}",
    "{**x}", "{'a', 'b'}", "(" * 300 + ")" * 300, "[" * 90 + "]" * 90, "-" * 3000 + "1",
    "f'{1}'", "'a' 'b'", "'a' + 'b'", "open('/etc/passwd')", "Claim()", "MethodCard(id='x')",
    "TaskCard(**{})", "(lambda: 0)()", "('vision', 3)", "('vision', ('kv',))", '({"keep": float},)',
    '({"keep": 1e999},) * 4', '({"keep": {1}},)', '({"keep": b""}, {"keep": ...}, {}, {3: 4})',
    "'" + "z" * 100_000 + "'", "'=1+1'", "'<script>'", "'../../x'", "'a\nb'", "not 1", "x.y", "*x",
    "",
)  # fmt: skip
TEXTS = [each for each in LITERALS if each[:1] in ("'", '"')]
SPOTS = re.compile(rb"\"[^\"\n]*\"|\b\d+(?:\.\d+)?\b|\w+=|[(){}\[\],:]|\n")


def file_of(choices: Choices, sources: Sequence[bytes]) -> bytes:
    """A file of a method or a task with up to four edits, anywhere in it or in its card alone."""
    text: bytes = choices.of(sources)
    limit = text.find(b"@implements") if choices.below(4) else len(text)
    spots = [match.span() for match in SPOTS.finditer(text[:limit])]
    chosen = {choices.of(spots) for _ in range(1 + choices.below(4))}
    for start, end in sorted(chosen, reverse=True):
        quoted = text[start:end].startswith(b'"') and choices.below(2)
        odd = choices.of(TEXTS if quoted else LITERALS).encode()
        match choices.below(8):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + text[start:end] * 2 + text[end:]
            case 2:
                text = text[:start] + bytes([choices.below(256)]) + text[end:]
            case 3 if choices.below(4) == 0:
                text = text[:end]
            case _:
                text = text[:start] + odd + text[end:]
    return text


def test_a_malformed_card_is_found_or_is_valid(tmp_path: Path) -> None:
    names = [(noun, family) for noun in ("method", "task") for family in ("vision", "kv")]
    for noun, family in names:
        begin(noun, family, f"my-{noun}-{family}", tmp_path)
    files = [path for base in (METHODS, TASKS) for path in (tmp_path / base).rglob("*.py")]
    assert len(files) == len(names)
    assert check(tmp_path, [tmp_path]) == []
    sources = {path.read_bytes(): path for path in files}
    outcomes: Counter[str] = Counter()

    @settings(FUZZ, max_examples=MANY["cards"] // AT_ONCE)
    @given(DRAWN)
    def every(drawn: bytes) -> None:
        for choices in apart(drawn):
            text = file_of(choices, list(sources))
            path = choices.of(files)
            path.write_bytes(text)
            found = check(tmp_path, [path])
            assert all(each.text.strip() and len(each.text) < 1000 for each in found)
            outcomes["found" if found else "clean"] += 1
            try:
                card = read_card(path)
            except BadCard as error:
                clear(str(error), "")
                assert found
                outcomes["bad"] += 1
            else:
                outcomes["card" if card else "none"] += 1
                repr(card).encode()

    every()
    assert outcomes["found"] + outcomes["clean"] >= MANY["cards"]
    assert min(outcomes[name] for name in ("clean", "bad", "card", "none")) > 0, outcomes
