"""Pages of language models: what they show of answers made token by token, and that they hold."""

from __future__ import annotations

import gzip
import json
import re
import statistics
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from records import (
    DEPTHS,
    LENGTHS,
    SPOTS,
    TURNS,
    language_records,
    make_language_record,
    make_record,
)
from sitepages import SCRIPTS, Reader, links, reached
from tokonomy.catalog.registry import catalogue
from tokonomy.store.database import open_store
from tokonomy.store.derive import derive
from tokonomy.store.metrics import METRICS, Metric
from tokonomy.store.observed import Decoded, Decoding, Quality
from tokonomy.store.record import Record
from tokonomy_site import reading, words
from tokonomy_site.build import build
from tokonomy_site.charts import Point, chart
from tokonomy_site.figures import percent, ratio, significant
from tokonomy_site.reading import trained
from tokonomy_site.sections import decoding, heat

KIB = 1024
KINDS = ("index", "decoding", "kv", "method", "task", "model", "drafted-run", "cached-run",
         "failed-run", "methodology")  # fmt: skip
TOKENWISE = ("TTFT", "TPOT", "Acceptance length", "Memory of the cache", "Tokens per second")
Visit = Callable[..., Any]


def text_of(path: Path) -> str:
    """A page with its white space evened out."""
    return " ".join(unescape(path.read_text(encoding="utf-8")).split())


def run_page(site: Path, *said: str) -> Path:
    """The first run page whose command says all of this."""
    pages = sorted((site / "run").glob("*.html"))
    return next(page for page in pages if all(each in text_of(page) for each in said))


def page_of(kind: str, site: Path) -> Path:
    """A page of one of ``KINDS``."""
    made = {
        "drafted-run": ("--method made-exact", "tokens=10"),
        "cached-run": ("--method made-mask", "keep=0.5"),
        "failed-run": ("--method failed-draft",),
    }
    if kind in made:
        return run_page(site, *made[kind])
    paths = {
        "decoding": "leaderboard/decoding.html",
        "kv": "leaderboard/kv.html",
        "method": "method/made-drop.html",
        "task": "task/recall.html",
        "model": "model/docs-lm.html",
    }
    return site / paths.get(kind, f"{kind}.html")


def rows_of(page: Path, method: str) -> list[list[str]]:
    """Cells of the rows of the live table whose head names the method, as texts."""
    (table,) = re.findall(r'<table class="pin live">.*?</table>', page.read_text(), re.DOTALL)
    rows = re.findall(r"<tr id=.*?</tr>", table, re.DOTALL)
    found = [re.split(r"<t[dh][^>]*>", row)[1:] for row in rows]
    texts = [[unescape(re.sub(r"<[^>]+>", " ", cell)).split() for cell in row] for row in found]
    return [[" ".join(cell) for cell in row] for row in texts if row[0][:1] == [method]]


def heads_of(page: Path) -> list[str]:
    """Heads of the live table, without their units."""
    (table,) = re.findall(r'<table class="pin live">.*?</table>', page.read_text(), re.DOTALL)
    (last,) = re.findall(r"<tr>\s*(<th scope=\"col\".*?)</tr>", table, re.DOTALL)
    return [unescape(each) for each in re.findall(r"<th[^>]*>([^<]*)", last)]


def made(method: str, **params: Any) -> tuple[Record, dict[str, Metric]]:
    """A record of the site and its figures."""
    record = next(
        each for each in language_records()
        if each.cell.method.id == method and params.items() <= each.cell.method.params.items()
    )  # fmt: skip
    return record, {metric.name: metric for metric in derive(record)}


def one_page(folder: Path, name: str, *records: Record) -> str:
    """A page of the site of a few records."""
    with open_store(folder / "a.sqlite") as store:
        store.add_all(records)
    build(str(folder / "a.sqlite"), None, folder / "dist")
    (found,) = (folder / "dist").glob(name)
    return text_of(found)


def test_a_draft_s_row_holds_its_figures(tongues: Path) -> None:
    page = page_of("decoding", tongues)
    heads = heads_of(page)
    rows = rows_of(page, "made-exact")
    assert len(rows) == 3
    _, figures = made("made-exact", tokens=10)
    (row,) = (row for row in rows if row[0].endswith("tokens 10"))
    shown = dict(zip(heads, row, strict=True))  # of two speed-ups the second stays: of totals
    for head, name, form in (
        ("Accepted", "acceptance_length", significant),
        ("Speed-up", "speed_up_total", ratio),
        ("TTFT", "ttft_ms", significant),
        ("TPOT", "tpot_ms", significant),
        ("Latency", "latency_p50_ms", significant),
        ("Agrees", "agreement", percent),
    ):
        figure = figures[name]
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        said = f"{form(figure.value)} {form(figure.low)}\u2013{form(figure.high)}"
        assert shown[head].rstrip("\u2020") == said, head
    speed = figures["speed_up"]
    assert speed.value is not None
    assert row[heads.index("Speed-up")].startswith(ratio(speed.value))


def test_a_model_s_page_has_what_its_recipe_measured(tongues: Path) -> None:
    said = text_of(page_of("model", tongues))
    folder = catalogue("model").build("docs-lm", {}).folder
    found = json.loads((folder / "figures.json").read_text())
    assert "bits per byte of held-out reference text" in found
    for name, value in found.items():
        assert f"<dt>{name}</dt><dd>{significant(value)}</dd>" in said
    record, figures = made("reference")
    assert figures["reference_accuracy"].value is not None
    assert percent(figures["reference_accuracy"].value) in said
    assert record.cell.model.weights_hash in said
    plain = text_of(tongues / "model" / "digits-vit.html")
    assert "What its weights are good for" not in plain
    assert "No run yet." in plain


def test_every_run_s_model_has_a_page_that_names_no_folder(tmp_path: Path) -> None:
    model = {"id": "tiny", "ref": "hf:/data/mine/tiny", "embedded": False, "weights_hash": "1" * 64}
    record = make_record(cell={"model": model})
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([record])
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    (page,) = (tmp_path / "dist" / "model").glob("hf-data-*.html")
    assert "/data/mine" not in page.read_text()
    assert "<h1>tiny</h1>" in page.read_text()
    assert f"model/{page.name}" in (tmp_path / "dist" / "index.html").read_text()
    assert f"model/{page.name}" in next((tmp_path / "dist" / "run").glob("*.html")).read_text()


def test_figures_that_cannot_be_read_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registry, file = catalogue("model"), tmp_path / "weights" / "docs-lm" / "figures.json"
    assert "codes recalled in 128 tokens" in trained("docs-lm", registry)
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(reading, "located", lambda _: tmp_path / "docs_lm.py")
    assert trained("docs-lm", registry) == {}
    for content in ("", "[1]", '{"loss": NaN}', '{"loss": "high"}', '{"loss": [1]}'):
        file.write_text(content)
        assert trained("docs-lm", registry) == {}
    file.write_text('{"loss": 1.5}')
    assert trained("docs-lm", registry) == {"loss": 1.5}


def test_caches_are_held_against_random_rows(tmp_path: Path) -> None:
    records = [
        make_language_record(method=name, family="kv", kept=0.25, accuracy=accuracy)
        for name, accuracy in (("snapkv", 0.8), ("random-cache", 0.1))
    ]
    board = one_page(tmp_path, "leaderboard/kv.html", *records)
    assert "At equal cache" in board
    assert '<span class="good">beats</span>' in board
    assert "At equal cache it beats random rows at 1 of 1 setting" in text_of(
        tmp_path / "dist" / "method" / "snapkv.html"
    )
    (run,) = (page for page in (tmp_path / "dist" / "run").glob("*.html")
              if "method/snapkv.html" in page.read_text())  # fmt: skip
    assert "At equal cache it beats random rows, namely its setting with" in text_of(run)
    assert "vs random rows" in text_of(tmp_path / "dist" / "task" / "recall.html")


def test_a_claim_stands_with_its_evidence_and_one_that_fails_is_marked(tongues: Path) -> None:
    page = page_of("decoding", tongues)
    at = heads_of(page).index("Lossless")
    assert {row[at] for row in rows_of(page, "made-exact")} == {"exact 48 of 48 equal"}
    assert {row[at] for row in rows_of(page, "made-draft")} == {
        "exact 46 of 48 equal not met", "exact 40 of 48 equal not met"
    }  # fmt: skip
    (failed,) = rows_of(page, "failed-draft")
    assert failed[at] == "lossy"
    assert {*failed[at + 1 : -1]} == {"OOM"}
    html = page.read_text()
    assert html.count('<span class="good">exact</span>') == 3
    assert html.count('<span class="bad">exact</span>') == 2
    said = text_of(page)
    (note,) = re.findall(r"Claimed to be exact, and seen not to be: (.*?)</p>", said)
    assert [*re.findall(r"made-\w+ tokens \d+", note)] == ["made-draft tokens 2",
                                                           "made-draft tokens 8"]  # fmt: skip
    method = text_of(tongues / "method/made-draft.html")
    assert "The claim is not met: at 0 of 2 settings every answer" in method
    assert "fewest at tokens 8, 40 of 48 answers equal" in method
    good = text_of(tongues / "method/made-exact.html")
    assert "At each of 3 settings every answer is the reference's: 48 of 48 answers equal" in good


def test_a_lossy_method_is_never_called_broken(tongues: Path) -> None:
    assert "Claimed to be exact" not in text_of(page_of("kv", tongues))
    assert "not met" not in text_of(page_of("kv", tongues))


def test_the_chart_of_acceptance_has_a_level_line_and_no_front(tongues: Path) -> None:
    html = page_of("decoding", tongues).read_text()
    pictures = re.findall(r"<svg viewBox.*?</svg>", html, re.DOTALL)
    drafts, agreement = pictures
    assert 'aria-label="Speed-up and acceptance length"' in drafts
    assert 'class="front"' not in drafts
    assert "ring" not in drafts
    assert drafts.count('class="one"') == 1
    labels = re.findall(r'<a href="#r\d+" aria-label="([^"]*)"', drafts)
    assert len(labels) == 6  # the one that failed is not drawn
    _, figures = made("made-exact", tokens=20)
    accepted, speed = figures["acceptance_length"], figures["speed_up"]
    (label,) = (each for each in labels if each.startswith("made-exact tokens 20"))
    assert f": {ratio(speed.value or 0)} [" in label
    assert f"] times the reference&#39;s speed at {significant(accepted.value or 0)} [" in label
    assert label.endswith("tokens a pass†, unconverged")
    assert 'class="front"' in agreement
    assert "% of answers equal" in agreement


def test_a_cache_s_row_tells_what_is_kept_and_what_is_held(tongues: Path) -> None:
    page = page_of("kv", tongues)
    heads = heads_of(page)
    cached, held = heads.index("Cached"), heads.index("Held")
    for method, said in (("made-drop", ""), ("made-cut", "all held"),
                         ("made-mask", "none saved simulated")):  # fmt: skip
        rows = rows_of(page, method)
        assert [row[0].split()[-1] for row in rows] == ["0.75", "0.5", "0.25"]
        for row in rows:
            keep = float(row[0].split()[-1])
            _, figures = made(method, keep=keep)
            logical, physical = figures["kv_logical_ratio"], figures["kv_physical_ratio"]
            mib = {name: f"{significant((figures[f'kv_{name}_bytes'].value or 0) / 2**20)} MiB"
                   for name in ("logical", "physical")}  # fmt: skip
            assert row[cached] == f"{percent(logical.value or 0)} {mib['logical']}"
            assert row[held] == f"{percent(physical.value or 0)} {said or mib['physical']}"
    (reference,) = rows_of(page, "Reference")
    assert reference[cached] == reference[held]
    assert reference[held].startswith("100.0 ")
    assert "simulated hides keys and values" in text_of(page)


def test_the_scores_of_lengths_and_depths_stand_in_shades(tongues: Path) -> None:
    html = page_of("kv", tongues).read_text()
    (table,) = re.findall(r'<table class="pin heat">.*?</table>', html, re.DOTALL)
    assert re.findall(r'colspan="5" scope="colgroup">([^<]*)', table) == [
        f"{length} characters, depth" for length in LENGTHS
    ]
    assert re.findall(r'<th scope="col">([^<]*)', table) == [f"{depth}%" for depth in DEPTHS] * 4
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL)
    assert len(rows) == 10
    (row,) = (row for row in rows if "made-drop" in row and "keep 0.25" in row)
    record, _ = made("made-drop", keep=0.25)
    assert isinstance(record.quality, Quality)
    pairs = list(zip(record.quality.groups, record.quality.scores["method"], strict=True))
    shares = [statistics.mean(score for name, score in pairs if name == spot) for spot in SPOTS]
    assert re.findall(r'<td class="h(\d)">(\d+)</td>', row) == [
        (str(round(share * 5)), f"{100 * share:.0f}") for share in shares
    ]
    assert len({round(share * 5) for share in shares}) > 3
    assert "each of 10 samples" in table
    method = (tongues / "method/made-drop.html").read_text()
    (own,) = re.findall(r'<table class="pin heat">.*?</table>', method, re.DOTALL)
    assert own.count('<th scope="row">') == 4  # the reference beside three settings
    assert 'href="../run/' in own


def test_a_run_shows_its_passes_and_its_cache(tongues: Path) -> None:
    record, figures = made("made-exact", tokens=10)
    assert isinstance(record.decoding, Decoding)
    passes = sum(len(each.read) - 1 for each in record.decoding.method)
    text = text_of(page_of("drafted-run", tongues))
    (title,) = re.findall(r'aria-label="(Tokens that [^"]*gave: [^"]*)"', text)
    counts = [(int(a), int(b)) for a, b in re.findall(r"(\d+) in (\d+) pass", title)]
    assert sum(many for _, many in counts) == passes
    assert sum(given * many for given, many in counts) == 6 * 47
    assert f"Tokens that {passes} passes after the prompt's gave" in title
    assert text.count('class="block k0"') == len(counts)
    accepted = significant(figures["acceptance_length"].value or 0)
    assert f"48 of 48 answers equal, {accepted} tokens a pass, at " in text
    for said in (
        "First token, pair by pair", "Raw pairs of the first token", "Answer by answer",
        "--family decoding", "Time to first token (TTFT)", "Scores by kind of sample",
        *TURNS,
    ):  # fmt: skip
        assert said in text, said
    first = next(each for each in record.decoding.method)
    given = decoding.accepted(first)
    assert given is not None
    assert f">{' '.join(map(str, given))}<" in text


def test_a_run_of_a_cache_says_what_it_saves(tongues: Path) -> None:
    text = text_of(page_of("cached-run", tongues))
    verdict = re.search(r'<p class="verdict">(.*?)</p>', text)
    assert verdict is not None
    assert re.match(r"[\d.]+ % score, [\d.]+ % of the reference's, with 100.0 % of the cache, in "
                    r"100.0 % of its memory, at ", verdict[1])  # fmt: skip
    assert "random drop" not in verdict[1]
    assert "Each of 42 passes gave one token." in text
    (table,) = re.findall(r'<table class="pin heat">.*?</table>', text)
    assert re.findall(r'<th scope="row">([^<]*)', table) == [f"{n} characters" for n in LENGTHS]
    assert len(re.findall(r'<td class="h\d">\d+<small>\d+</small>', table)) == 20


def test_a_task_of_two_families_has_a_table_for_each(tmp_path: Path) -> None:
    recall = make_language_record(family="kv", method="made-drop", kept=0.5)
    other = make_language_record(family="kv", method="made-draft", drafts=2, accept=1.5,
                                 cell={"family": "decoding"})  # fmt: skip
    assert recall.cell.task == other.cell.task
    text = one_page(tmp_path, "task/recall.html", recall, other)
    captions = re.findall(r"<caption>(.*?)</caption>", text)
    said = "Each method on this task: gentlest and hardest setting"
    assert captions == [f"Decoding. {said}", f"KV cache. {said}"]
    assert text.count('class="pin live"') == 1


def test_the_first_page_names_what_is_on_a_family_s_front(tongues: Path) -> None:
    text = text_of(tongues / "index.html")
    assert "both time and agreement with the plain model's answers" in text
    assert "On the front, smallest cache first" in text
    front = re.findall(r'<div class="front-list">.*?</div>', text)
    assert "made-exact" in front[0]
    assert "made-draft" not in front[0]
    assert "made-drop" in front[1]
    assert "made-cut" not in front[1]


def test_pages_of_vision_have_no_empty_columns(tongues: Path, site: Path) -> None:
    pages = [run_page(tongues, "--method top-k"), *(tongues / "leaderboard").glob("vision*.html"),
             *(site / "leaderboard").glob("*.html"), *sorted((site / "run").glob("*.html"))[:20],
             site / "method/tome.html", site / "task/textures.html"]  # fmt: skip
    for page in pages:
        text = text_of(page)
        assert "Tokens" in text or "None was kept" in text
        for name in (*TOKENWISE, "Passes and cache", "one-pass", "Lossless<", "heat"):
            assert name not in text, (page, name)
    assert all(name in " ".join(m.title for m in METRICS.values()) for name in TOKENWISE)


def test_what_was_only_scored_has_no_columns_of_tokens(tmp_path: Path) -> None:
    given = {"first_token": {"reason": "one-pass", "detail": None}}
    records = [make_language_record(family="kv", method=name, kept=0.5, **given)
               for name in ("made-a", "made-b")]  # fmt: skip
    text = one_page(tmp_path, "leaderboard/kv.html", *records)
    assert "TTFT" not in text
    assert "Held<" in text
    (run, _) = sorted((tmp_path / "dist/run").glob("*.html"))
    assert "tokens-given: The tokens were given to be scored" in text_of(run)


def test_passes_that_were_not_seen_say_so(tmp_path: Path) -> None:
    gone = {"reason": "unseen-passes", "detail": "made up"}
    text = one_page(tmp_path, "run/*.html", make_language_record(decoding=gone))
    assert "No passes. unseen-passes: " in text
    assert "First token, pair by pair" in text
    assert 'class="block' not in text


def test_a_cache_that_forgets_has_no_histogram(tmp_path: Path) -> None:
    record = make_language_record(drafts=4, accept=2.0)
    counted = record.decoding.model_dump()
    for each in counted["method"]:
        each["cached"] = [0] + [100] * (len(each["read"]) - 1)
    text = one_page(tmp_path, "run/*.html", record.model_copy(
        update={"decoding": Decoding.model_validate(counted)}))  # fmt: skip
    assert "The cache does not grow by what a pass gives" in text
    assert 'class="block' not in text
    assert "cannot be told" in text


def test_reasons_have_words(tongues: Path) -> None:
    for path in tongues.rglob("*.html"):
        text = path.read_text().replace("Reason given: no-meter.", "")
        text = re.sub(r"Reason given: oom[^.]*\.", "", text)  # made up as well
        assert "Reason given:" not in text, path


def test_every_link_leads_somewhere_and_every_page_is_reached(tongues: Path) -> None:
    read = {path: Reader(path.read_text(encoding="utf-8")) for path in tongues.rglob("*.html")}
    broken, followed = links(tongues, read)
    assert broken == []
    assert followed > 500
    assert reached(tongues, read) == {path.resolve() for path in read}
    for path, each in read.items():
        assert len(each.ids) == len(set(each.ids)), path


def test_wide_boards_stay_within_their_budget(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        for m in range(20):
            for k in range(1, 9):
                given = {"method": f"method-{m}", "params": {"keep": k}, "pairs": 24}
                store.add(make_language_record(family="kv", kept=k / 10, held=1.0, **given))
                store.add(make_language_record(drafts=4, accept=1 + k / 4, differing=k, **given))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    boards = sorted((tmp_path / "dist/leaderboard").glob("*.html"))
    assert sum(path.read_text().count('<tr id="r') for path in boards) == 320
    for path in boards:
        raw = path.read_bytes()
        assert len(raw) <= 250 * KIB, path
        assert len(gzip.compress(raw)) <= 40 * KIB, path


EVIL = "<script>alert(1)</script>"


def test_hostile_groups_add_no_element(tmp_path: Path) -> None:
    record = make_language_record(family="kv", method="made-a")
    assert isinstance(record.quality, Quality)
    some = [f"{EVIL}, {EVIL}{index % 3}" for index in range(200)]
    many = [f"group {index}" for index in range(200)]
    records = []
    for method, groups in (("made-a", some), ("made-b", many)):
        quality = record.quality.model_dump() | {"groups": groups}
        records.append(make_language_record(family="kv", method=method, quality=quality))
    one_page(tmp_path, "leaderboard/kv.html", *records)
    for path in (tmp_path / "dist").rglob("*.html"):
        page = Reader(path.read_text(encoding="utf-8"))
        scripts = [a for tag, a in page.tags if tag == "script"]
        assert {str(each.get("src")).removeprefix("../") for each in scripts} <= SCRIPTS
        assert "group 17" not in path.read_text()  # too many for a table
    mentioned = [p for p in (tmp_path / "dist/run").glob("*.html") if "&lt;script" in p.read_text()]
    assert len(mentioned) == 1


def test_pages_of_language_models_are_accessible(tongues: Path, visit: Visit) -> None:
    visitor = visit(bypass_csp=True)
    found = {kind: visitor.faults(page_of(kind, tongues)) for kind in KINDS}
    assert found == {kind: [] for kind in KINDS}
    assert [url for url in visitor.asked if not url.startswith(("file:", "data:"))] == []


def test_no_page_complains_under_its_own_policy(tongues: Path, visit: Visit) -> None:
    visitor = visit()
    for kind in KINDS:
        visitor.go(page_of(kind, tongues))
    assert visitor.said == []


def test_shades_and_bars_can_be_seen_in_either_scheme_without_scripts(
    tongues: Path, visit: Visit
) -> None:
    shades, fills = set(), set()
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme, java_script_enabled=False).go(page_of("kv", tongues))
        steps = {page.locator(f".heat .h{step}").first.evaluate(
            "(cell) => getComputedStyle(cell).backgroundColor") for step in (1, 3, 5)}  # fmt: skip
        assert len(steps) == 3
        shades |= steps
        page = visit(color_scheme=scheme).go(page_of("drafted-run", tongues))
        bar = page.locator("svg .block").first
        assert bar.bounding_box()["height"] > 50
        fills.add(bar.evaluate("(path) => getComputedStyle(path).fill"))
        assert page.get_by_role("img", name="Tokens that").count() == 1
    assert len(shades) == 6
    assert len(fills) == 2


def test_the_board_of_drafts_fits_a_desktop(tongues: Path, visit: Visit) -> None:
    page = visit(viewport={"width": 1200, "height": 900}).go(page_of("decoding", tongues))
    wide = page.locator(".scroll").first.evaluate("(box) => box.scrollWidth - box.clientWidth")
    assert wide <= 0


def metric(
    name: str, value: float | None, low: float | None = None, high: float | None = None,
    n: int | None = None,
) -> Metric:  # fmt: skip
    return Metric(name=name, value=value, low=low, high=high, n=n)


def test_slow_drafts_are_explained_by_their_own_figures() -> None:
    given = metric("acceptance_length", 1.2), metric("target_calls", 39.0)
    slow, fast = (metric("latency_ratio", at, at - 0.02, at + 0.02) for at in (1.1, 0.9))
    said = words.slower_drafts(*given, slow, "as quoted")
    assert (
        said
        == "gives 1.20 tokens a pass, in 39.0 passes for an answer, yet latency ratio as quoted"
    )
    assert words.slower_drafts(*given, fast, "1") == ""
    even = metric("latency_ratio", 0.99, 0.97, 1.01)
    assert "no change in time could be detected" in words.slower_drafts(*given, even, "1")
    assert words.slower_drafts(metric("acceptance_length", None), given[1], slow, "1") == ""
    plain = metric("acceptance_length", 1.0), metric("target_calls", 47.0)
    assert words.slower_drafts(*plain, even, "1") == ""


def test_a_slow_small_cache_is_explained_by_its_own_figures() -> None:
    slow = metric("latency_ratio", 1.1, 1.05, 1.15)
    kept = metric("kv_logical_ratio", 0.5)
    said = words.slower_cache(kept, slow, "as quoted")
    assert said == "caches 50.0 % of the reference's bytes, yet latency ratio as quoted"
    assert words.slower_cache(kept, metric("latency_ratio", 0.8, 0.7, 0.9), "1") == ""
    full = metric("kv_logical_ratio", 1.0)
    assert words.slower_cache(full, metric("latency_ratio", 1.0, 0.99, 1.01), "1") == ""
    assert words.slower_cache(metric("kv_logical_ratio", None), slow, "1") == ""
    ours, theirs = metric("answer_tokens", 8.0), metric("reference_answer_tokens", 2.0)
    assert words.longer(ours, theirs) == (
        "; its answers are longer, 8.00 tokens for the reference's 2.00, which takes time by itself"
    )
    assert words.longer(theirs, ours) == words.longer(ours, ours) == ""
    assert words.longer(ours, metric("reference_answer_tokens", None)) == ""


@pytest.mark.parametrize(
    ("claim", "value", "broken"),
    [("exact", 1.0, False), ("exact", 0.99, True), ("distribution", 0.5, False),
     ("lossy", 0.5, False), ("", 0.5, False), ("exact", None, False)],
)  # fmt: skip
def test_only_a_claim_of_exactness_can_be_broken(
    claim: str, value: float | None, broken: bool
) -> None:
    assert words.broken(claim, metric("agreement", value, n=100)) is broken


def test_labels_are_sorted_by_the_numbers_in_them() -> None:
    labels = [
        "1600 characters, depth 0%",
        "400 characters, depth 100%",
        "400 characters, depth 25%",
    ]
    assert heat.ordered(labels) == [labels[2], labels[1], labels[0]]
    assert heat.ordered(["second turn", "first turn"]) == ["first turn", "second turn"]


@pytest.mark.parametrize(("share", "step"), [(0.0, "h0"), (0.49, "h2"), (0.51, "h3"), (1.0, "h5")])
def test_a_shade_goes_with_its_score(share: float, step: str) -> None:
    assert heat.patch((share, 9)).step == step
    assert heat.patch((share, 9)).text == f"{100 * share:.0f}"


def test_a_missing_group_has_a_word() -> None:
    found = heat.one({"a, x": (1.0, 2), "b, y": (0.0, 2)}, {})
    assert found is not None
    assert [[each.text for each in strip.patches] for strip in found.strips] == [
        ["100", "none"], ["none", "0"]
    ]  # fmt: skip


def point(x: float, y: float, series: str) -> Point:
    return Point(x=metric("acceptance_length", x), y=metric("speed_up", y), href="#r1",
                 label=series, short=series, series=series, style="k0", shape="m0")  # fmt: skip


def test_a_chart_without_a_front_draws_where_both_are_equal() -> None:
    points = [point(1.0, 1.0, "plain"), point(2.0, 1.5, "a"), point(4.0, 3.0, "a")]
    drawn = chart(points, title="", x_title="", y_title="", x_form=ratio, y_form=ratio, logs=False,
                  y_bounds=None, fronted=False, level=True)  # fmt: skip
    assert drawn is not None
    assert drawn.front == ""
    assert {mark.ring for marks in drawn.marks.values() for mark in marks} == {""}
    x0, y0, x1, y1 = map(float, re.findall(r"-?[\d.]+", drawn.level))
    low, high = max(drawn.x.low, drawn.y.low), min(drawn.x.high, drawn.y.high)
    assert (x0, y0) == (drawn.x.place(low), drawn.y.place(low))
    assert (x1, y1) == (drawn.x.place(high), drawn.y.place(high))
    assert {label.text for label in drawn.labels} <= {"plain", "a"}


def test_a_long_tail_ends_in_one_bar() -> None:
    def sample(given: list[int]) -> Decoded:
        cached = [0, *(10 + sum(given[:at]) for at in range(len(given)))]
        return Decoded(tokens=1 + sum(given), read=[10, *given], cached=cached,
                       logical_bytes=cached, physical_bytes=cached)  # fmt: skip

    found = decoding.bars([sample([2, 90, 50]), sample([2, 39])])
    assert isinstance(found, decoding.Bars)
    assert len(found.bars) == decoding.MOST_BARS
    assert found.bars[-1].name == "40+"
    assert found.title.endswith("39 in 1 pass, 40 in 2 passes")
    assert decoding.bars([sample([1, 1])]) == "Each of 2 passes gave one token."


def test_records_of_before_have_their_pages(tmp_path: Path) -> None:
    old = make_record().model_dump(mode="json") | {"schema_version": 2}
    for name in ("first_token", "decoding"):
        del old[name]
    del old["quality"]["groups"]
    text = one_page(tmp_path, "run/*.html", Record.model_validate(old))
    assert "Passes and cache" not in text
    assert "Latency, pair by pair" in text
