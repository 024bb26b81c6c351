"""Pages of energy, device and calibration: what they say, that they hold together, their bytes."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from records import (
    TASKS,
    UNSCORED,
    make_calibration,
    make_energy,
    make_gpu_record,
    make_lab,
    make_record,
)
from sitepages import Reader, hashes, lab_page, links, reached
from tokonomy.errors import BadRecord, UsageError
from tokonomy.measure.reasons import REASONS
from tokonomy.store.calibration import UNPROMISED, write
from tokonomy.store.database import open_store
from tokonomy.store.fields import Boundary, Mode
from tokonomy.store.observed import Trace
from tokonomy.store.record import Record
from tokonomy_site.build import build
from tokonomy_site.command import publish
from tokonomy_site.meanings import BOUNDARIES
from tokonomy_site.sections.calibration import shown
from tokonomy_site.sections.device import MODES
from tokonomy_site.sections.traces import MOST_BINS, merged, power


def page(records: list[Record], name: str, folder: Path, calibration: Path | None = None) -> str:
    """A page of the site made from a few records, its white space evened out."""
    with open_store(folder / "a.sqlite") as store:
        store.add_all(records)
    build(str(folder / "a.sqlite"), None, folder / "dist", calibration)
    (found,) = (folder / "dist").glob(name)
    return " ".join(unescape(found.read_text(encoding="utf-8")).split())


def test_the_lab_s_links_lead_somewhere_and_every_page_is_reached(lab: Path) -> None:
    read = {path: Reader(path.read_text(encoding="utf-8")) for path in lab.rglob("*.html")}
    broken, followed = links(lab, read)
    assert broken == []
    assert followed > 300
    assert reached(lab, read) == {path.resolve() for path in read}
    for path, each in read.items():
        assert len(each.ids) == len(set(each.ids)), path


def test_the_same_store_and_calibration_give_the_same_bytes(lab: Path, tmp_path: Path) -> None:
    calibrated = make_lab(tmp_path)
    build(str(tmp_path / "tokonomy.sqlite"), None, tmp_path / "dist", calibrated)
    assert hashes(tmp_path / "dist") == hashes(lab)


def test_a_run_with_energy_shows_every_part_of_it(lab: Path) -> None:
    text = " ".join(unescape(lab_page("energy-run", lab).read_text(encoding="utf-8")).split())
    for said in (
        "the whole GPU board", "nvml-total-energy", "100 ms between two steps",
        "Quantisation bound", "Residual", "Per sample, gross", "Per sample, idle-adjusted",
        "10 windows of continuous",
        "61 to 62", "Measured again, because", "Power of the device, between 70.0 and 208 W",
        "Device, held by tensors", "Device, reserved by the allocator",
        "Device, in use as its driver counts", "Process, resident",
        "2 pairs were timed and made again. throttled: The device slowed itself down",
        "Launch gap", "Time on the device", "method_device_ns", "of the reference's joules",
        "foreign-process: Another process was on the device. made up",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize("reason", sorted(set(REASONS) - {r for r in REASONS if "signal" in r}))
def test_every_missing_part_says_why_in_a_sentence(reason: str) -> None:
    from tokonomy.store.fields import Missing
    from tokonomy_site.sections.energy import why

    said = why(Missing(reason=reason, detail="so it is"))
    assert said == f"{reason}: {REASONS[reason]} so it is"


def test_no_page_meets_a_reason_without_words(lab: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in lab.rglob("*.html")}
    made_up = "Reason given: no-meter."  # of made-up records
    bare = [path for path, text in texts.items() if "Reason given:" in text.replace(made_up, "")]
    assert bare == []


def test_missing_energy_and_memory_say_why_on_the_run_page(tmp_path: Path) -> None:
    lacking = {"reason": "rapl-unreadable", "detail": "made up"}
    record = make_record(energy=lacking, memory={"reason": "peak-unreadable", "detail": None})
    text = page([record], "run/*.html", tmp_path)
    assert f"No energy figure. rapl-unreadable: {REASONS['rapl-unreadable']} made up" in text
    assert f"No memory figure. peak-unreadable: {REASONS['peak-unreadable']}" in text


def test_without_energy_a_board_has_no_such_column_and_one_line_that_says_why(
    tmp_path: Path,
) -> None:
    lacking = {"reason": "rapl-absent", "detail": None}
    records = [make_record(method=name, energy=lacking) for name in ("reference", "made-a")]
    text = page(records, "leaderboard/vision.html", tmp_path)
    assert "J/sample" not in text
    said = f"Energy: none of these runs has it. {REASONS['rapl-absent']} (rapl-absent, 2 runs)"
    assert text.count(said) == 1
    assert "Device<small>" not in text


def test_energy_of_one_run_is_enough_for_the_columns(tmp_path: Path) -> None:
    records = [
        make_record(method="made-a", energy=make_energy(0.5, boundary="package")),
        make_record(method="made-b", energy={"reason": "not-asked", "detail": None}),
    ]
    text = page(records, "leaderboard/vision.html", tmp_path)
    assert "J/sample, package" in text
    assert "not asked" in text
    assert "none of these runs has it" not in text


def test_a_class_without_quality_has_costs_only(tmp_path: Path) -> None:
    records = [make_gpu_record(method=name, quality=UNSCORED) for name in ("reference", "made-a")]
    text = page(records, "leaderboard/vision.html", tmp_path)
    assert "Quality is not applicable" in text
    for gone in ("Accuracy", "Retained", "vs random", '<g class="s', "Accuracy and time"):
        assert gone not in text
    assert "J/sample" in text
    assert "0.0 %" not in text
    for run in (tmp_path / "dist/run").glob("*.html"):
        said = run.read_text(encoding="utf-8")
        assert "Quality not applicable" in said
        assert "0.0 % accuracy" not in said


def test_every_boundary_and_mode_has_its_words() -> None:
    assert set(BOUNDARIES) == set(get_args(Boundary))
    assert set(MODES) == set(get_args(Mode))


def test_a_long_trace_keeps_its_peaks() -> None:
    n = 10 * MOST_BINS
    low = [100.0] * n
    high = [110.0] * n
    low[4321], high[1234] = 3.0, 700.0
    trace = Trace(source="x", samples=n, at_ms=[float(i) for i in range(n)], low_w=low, high_w=high)
    bins = merged(trace)
    assert len(bins) <= MOST_BINS
    assert min(each[1] for each in bins) == 3.0
    assert max(each[2] for each in bins) == 700.0
    drawn = power(trace)
    assert drawn is not None
    assert drawn.y.place(700.0) < drawn.y.place(3.0)
    assert len(drawn.paths["band k0"]) < 40_000
    assert power(Trace(source="x", samples=1, at_ms=[0], low_w=[1], high_w=[1])) is None


@pytest.mark.parametrize(
    "at_ms", [[], [5.0], [0.0, 0.0, 0.0], [7.0, 7.0], [3.0, 1.0], [0.0, 5e-324], [0.0, 1e17, 9.0]]
)
def test_a_trace_whose_times_do_not_advance_is_not_drawn(at_ms: list[float]) -> None:
    watts = [1.0] * len(at_ms)
    trace = Trace(source="x", samples=3, at_ms=at_ms, low_w=watts, high_w=watts)
    assert power(trace) is None


def test_a_hostile_trace_does_not_keep_the_site_from_being_built(tmp_path: Path) -> None:
    trace = {"source": "x", "samples": 2, "at_ms": [9.0, 0.0], "low_w": [0.0, 0.0],
             "high_w": [0.0, 0.0]}  # fmt: skip
    text = page([make_gpu_record(energy=make_energy(trace=trace))], "run/*.html", tmp_path)
    assert "windows of continuous" in text
    assert "Power trace" not in text


def test_simulated_and_measured_findings_stand_apart(lab: Path) -> None:
    text = (lab / "methodology.html").read_text(encoding="utf-8")
    sections = re.findall(r'<section aria-labelledby="c\d+">.*?</section>', text, re.DOTALL)
    titles = [re.search(r"<h3[^>]*>(.*?)</h3>", each).group(1) for each in sections]
    assert titles == ["Measured on cpu: made-up CPU x2, 2026-02-01", "Simulated, 2026-02-01"]
    measured, simulated = sections
    assert "simulated" not in measured.lower()
    told = "reference against itself: 95.0 % of 100 intervals cover the truth"
    assert (told in measured, told in simulated) == (True, False)
    assert 'class="tag warn">simulated' in simulated
    assert "16 runs, 16 of them in this snapshot; the first 12 are listed" in measured
    assert measured.count('<a href="run/') == 12
    assert "run/" not in simulated
    for each in sections:
        assert "Of 2 figures with a target, 1 met it." in each
        for said in ("95.0 %", "89.0 % to 98.0 %", "at least 95.0 %", ">met<", ">not met<",
                     "nothing asked", "\u22124.00 KiB", "commit 000000"):  # fmt: skip
            assert said in each, said
        (file,) = re.findall(r'href="(calibration/[^"]+)"', each)
        assert json.loads((lab / file).read_text())["schema_version"] == 1


def test_findings_where_the_interval_fails_are_explained_and_only_they(tmp_path: Path) -> None:
    fails = {"name": "coverage", "unit": "1", "value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    made = make_calibration("simulated", findings=[
        fails | {"setting": f"the ratio wanders, 0.9 (tuned on; {UNPROMISED})"}
    ])  # fmt: skip
    write(tmp_path / "c/a.json", made)
    text = page([make_record()], "methodology.html", tmp_path, tmp_path / "c")
    assert "show where the interval fails" in text
    assert "flag for autocorrelation" in text
    assert "exact by design for a fixed number of blocks" in text
    assert "easiest of its size to find" not in text
    write(tmp_path / "d/a.json", make_calibration())
    text = page([make_record()], "methodology.html", tmp_path, tmp_path / "d")
    assert "show where the interval fails" not in text
    assert "easiest of its size to find" in text


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "said"),
    [
        ("coverage", 0.9, 0.83, 0.96,
         "90.0 % of 100 intervals cover the truth (83.0 % to 96.0 %); the 95.0 % that they "
         "promise lies inside that."),
        ("coverage", 0.9, 0.83, 0.94, "the 95.0 % that they promise lies outside that."),
        ("coverage", 0.99, 0.96, 1.0, "the 95.0 % that they promise lies outside that."),
        ("same-ratio", 1.0012, 1.0003, 1.0021,
         "the middle of 100 ratios is 1.0012 (1.0003 to 1.0021) where the truth is 1: all "
         "sessions share a bias, which the interval of one cannot show."),
        ("same-ratio", 1.0002, 0.9996, 1.0011, "no bias that all sessions share could be told."),
    ],
)  # fmt: skip
def test_real_sessions_say_whether_the_interval_keeps_its_promise(
    name: str, value: float, low: float, high: float, said: str
) -> None:
    finding = {"name": name, "setting": "reference against itself", "unit": "1", "value": value,
               "low": low, "high": high, "n": 100}  # fmt: skip
    measured = make_calibration(findings=[finding])
    simulated = make_calibration("simulated", findings=[finding])
    real, other = shown({"a.json": measured, "b.json": simulated}, [])
    assert len(real.found) == 1
    assert real.found[0].startswith("reference against itself: ")
    assert real.found[0].endswith(said)
    assert other.found == ()


def test_what_has_no_interval_says_nothing_of_its_promise() -> None:
    finding = {"name": "same-ratio", "setting": "few sessions", "unit": "1", "value": 1.2,
               "low": None, "high": None, "n": 3}  # fmt: skip
    (few,) = shown({"a.json": make_calibration(findings=[finding])}, [])
    assert few.found == ()
    title, _, value = (cell.text for cell in few.table.lines[0].cells[:3])
    assert (title, value) == ("Middle of the ratios, where the truth is 1", "1.2")


def test_a_calibration_on_a_scripted_device_is_simulated(tmp_path: Path) -> None:
    write(tmp_path / "c/a.json", make_calibration("measured", "cuda: Scripted GPU"))
    text = page([make_record()], "methodology.html", tmp_path, tmp_path / "c")
    assert "Simulated on cuda: Scripted GPU" in text
    assert "Measured on" not in text


def test_a_calibration_cannot_bring_in_an_element(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    finding = make_calibration().findings[0].model_dump() | {"name": evil, "setting": evil,
                                                            "unit": evil}  # fmt: skip
    made = make_calibration("measured", evil, findings=[finding], settings={evil: evil})
    write(tmp_path / "c/a b.json", made)
    text = page([make_record()], "methodology.html", tmp_path, tmp_path / "c")
    raw = (tmp_path / "dist/methodology.html").read_text(encoding="utf-8")
    assert "<script>" not in raw
    assert text.count(evil) > 3


def test_a_missing_folder_of_calibrations_is_said_and_a_broken_one_refused(tmp_path: Path) -> None:
    text = page([make_record()], "methodology.html", tmp_path, tmp_path / "none")
    assert "No calibration record is in this snapshot" in text
    before = hashes(tmp_path / "dist")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.json").write_text('{"schema_version": 1}')
    with pytest.raises(BadRecord, match=r"calibration a\.json: "):
        build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist", tmp_path / "broken")
    with pytest.raises(UsageError, match="must be a folder"):
        build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist", tmp_path / "broken/a.json")
    assert hashes(tmp_path / "dist") == before


def test_the_verb_refuses_a_broken_calibration(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("no JSON")
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(make_record())
    asked = ["--db", str(tmp_path / "a.sqlite"), "--calibration", str(tmp_path),
             "--out", str(tmp_path / "dist")]  # fmt: skip
    done = CliRunner().invoke(publish, asked)
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "dist").exists()


def test_the_newest_run_that_is_told_is_a_result(tmp_path: Path) -> None:
    records = [
        make_record(started="2026-03-01T00:00:00Z"),
        make_record(method="reference", suite="calibration", started="2026-04-01T00:00:00Z"),
        make_gpu_record(
            cell={"device_class": "cuda: Scripted GPU"}, started="2026-05-01T00:00:00Z"
        ),
    ]
    text = page(records, "index.html", tmp_path)
    assert text.count("newest result 2026-03-01") == 2  # coverage and foot
    assert "2026-04" not in text
    assert "2026-05" not in text


def test_what_is_not_measured_follows_from_the_snapshot(tmp_path: Path, lab: Path) -> None:
    plain = page([make_record()], "methodology.html", tmp_path)
    for said in ("GPUs: the figures here", "Energy: no run of this", "Compiled execution: no run",
                 "Execution as CUDA graphs: no run", "Lower precision:"):  # fmt: skip
        assert said in plain, said
    text = (lab / "methodology.html").read_text(encoding="utf-8")
    for gone in ("GPUs: the figures here", "Energy: no run of this", "Compiled execution: no run"):
        assert gone not in text
    assert "Execution as CUDA graphs: no run" in text


@pytest.mark.parametrize("moved", [False, True], ids=["one machine", "two of a class"])
def test_a_shift_of_the_reference_begins_an_epoch_and_rows_across_it_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    elsewhere = make_record().machine.model_dump() | {"hardware": {"cpu": "another CPU"}}
    monkeypatch.setitem(TASKS, "textures", TASKS["textures"])
    records = []
    for day in range(1, 25):
        if day == 13:
            task, tokens, ceiling, latency_ns, samples = TASKS["textures"]
            TASKS["textures"] = (task, tokens, ceiling, 1.5 * latency_ns, samples)
        started = f"2026-01-{day:02}T00:00:00Z"
        place = {"machine": elsewhere} if moved and day >= 13 else {}
        records.append(make_record(method="reference", seed=day, started=started, **place))
    records.append(make_record(method="made-a", started="2026-02-01T00:00:00Z"))
    text = page(records, "methodology.html", tmp_path)
    assert "Epochs, from runs of the reference" in text
    board = (tmp_path / "dist/leaderboard/vision.html").read_text(encoding="utf-8")
    assert ("come from 2 epochs of their device:" in board) is not moved
    if moved:
        one = r"made-up CPU x2, machine [0-9a-f]{12}</th> <td[^>]*>1</td><td[^>]*>none seen<"
        assert len(re.findall(one, text)) == 2
    else:
        two = r"made-up CPU x2</th> <td[^>]*>2</td><td[^>]*>2026-01-13 00:00<"
        assert re.search(two, text)
