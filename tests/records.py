"""Made-up but valid records, for tests and benchmarks: shaped like real ones, always the same.

No figure here was measured. A record is a pure function of its arguments.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tokonomy.store.calibration import Calibration
from tokonomy.store.cell import cell_key
from tokonomy.store.fields import content_hash
from tokonomy.store.record import Record

METHODS: dict[str, str] = {
    "random-drop": "keep",
    "downsample": "scale",
    "top-k": "keep_ratio",
    "evit": "keep_ratio",
    "tome": "r",
    "tofu": "r",
    "pitome": "keep_ratio",
    "atc": "keep_ratio",
    "k-medoids": "keep_ratio",
    "dpc-knn": "keep_ratio",
    "ats": "keep_ratio",
    "mctf": "r",
}
KEEPS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
# Per task: model, tokens with the class token, reference accuracy, reference latency at batch 1 in
# ns, samples of the split.
TASKS: dict[str, tuple[str, int, float, float, int]] = {
    "digits": ("digits-vit", 65, 0.98, 2.1e6, 536),
    "textures": ("textures-vit", 257, 0.86, 7.4e6, 620),
}
DEPTH = 6
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def make_record(
    *,
    method: str = "top-k",
    params: dict[str, Any] | None = None,
    task: str = "textures",
    scenario: str = "stream",
    keep: float = 0.7,
    accuracy: float | None = None,
    latency_ratio: float | None = None,
    samples: int | None = None,
    pairs: int = 24,
    status: str = "ok",
    seed: int = 0,
    attempt: int = 0,
    effect: str = "removed",
    cell: dict[str, Any] | None = None,
    **fields: Any,
) -> Record:
    """One record.

    Args:
        method: Method id; ``"reference"`` makes an A/A record.
        params: Its hyper-parameters; made from ``keep`` where left out.
        task: ``"digits"`` or ``"textures"``; any other id borrows the latter's shape.
        scenario: ``"stream"`` (batch 1) or ``"offline"`` (batch 32).
        keep: Share of tokens the middle blocks keep.
        accuracy: Expected accuracy of the method; falls with ``keep`` where left out.
        latency_ratio: True method/reference latency; falls with ``keep`` where left out.
        samples: Samples of the split.
        pairs: Timed pairs, two to an ABBA block.
        status: Any but ``ok`` leaves every part missing with a reason.
        seed: The cell's seed.
        attempt: Tells runs of the same cell apart; a later attempt starts later.
        effect: What happens to tokens: ``removed``, ``masked``, ``kv-only`` or ``none``.
        cell: Fields of the cell to replace, e.g. ``{"device": "cuda:0"}``; the key follows.
        fields: Fields of the record to replace.
    """
    keep = 1.0 if method == "reference" else keep
    params = _params(method, keep) if params is None else params
    shape = TASKS.get(task, TASKS["textures"])
    samples = shape[4] if samples is None else samples
    place = _cell(method, params, task, shape, scenario, samples, seed) | (cell or {})
    place["key"] = cell_key(place)
    identity = content_hash(
        [place["key"], attempt, status, keep, accuracy, latency_ratio, pairs, effect]
    )
    rng = np.random.default_rng(int(identity[:12], 16))
    start = EPOCH + timedelta(minutes=int(place["key"][:4], 16), days=attempt)
    document: dict[str, Any] = {
        "schema_version": 3,
        "run_id": identity[:32],
        "suite": "made-up",
        "status": status,
        "started": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": None,
        "detail": None,
        "log": "",
        "cell": place,
        "flags": [],
        "harness": {
            "version": "0.1.0",
            "commit": "0" * 40,
            "dirty": False,
            "protocol": 1,
            "argv": ["run", "made-up"],
        },
        "machine": _machine(),
        "energy": {"reason": "no-meter", "detail": "no meter for this CPU"},
    }
    if status == "ok":
        ratio = 0.2 + 0.8 * keep if latency_ratio is None else latency_ratio
        document |= {
            "costs": {"load_s": 0.21, "prepare_s": 0.02, "wall_s": 3.5},
            "timing": _timing(rng, shape[3] * place["batch_size"] ** 0.9, ratio, pairs),
            "memory": {
                "process": {
                    "peak_bytes": 412_000_000 + int(9e7 * keep),
                    "baseline_bytes": 398_000_000,
                    "source": "VmHWM",
                }
            },
            "work": _work(shape[1], keep, effect),
            "quality": _quality(rng, task, shape[2], keep, accuracy, samples, method),
        }
    else:
        reason = fields.get("reason") or f"{status}-made-up"
        missing = {"reason": status, "detail": None}
        document |= {"reason": reason, "detail": f"made-up {status}", "log": "made-up log\n"}
        document |= dict.fromkeys(("costs", "timing", "memory", "work", "quality"), missing)
    return Record.model_validate(document | fields)


def _params(method: str, keep: float) -> dict[str, Any]:
    name = METHODS.get(method)
    if name is None:
        return {}
    return {name: round(24 * (1 - keep)) if name == "r" else keep, "layers": [1, 3, 5]}


def _cell(
    method: str,
    params: dict[str, Any],
    task: str,
    shape: tuple[Any, ...],
    scenario: str,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    return {
        "family": "vision",
        "family_hash": content_hash("vision"),
        "seed": seed,
        "device": "cpu",
        "device_class": "cpu: made-up CPU x2",
        "measuring": {"threads": 1},
        "libraries": {"torch": "2.13.0", "transformers": "5.0.0"},
        "protocol": 1,
        "precision": "fp32",
        "mode": "eager",
        "method": {"id": method, "params": params, "source_hash": content_hash(method)},
        "task": {
            "id": task,
            "ref": task,
            "split": "test",
            "samples": samples,
            "data_hash": content_hash([task, samples]),
            "source_hash": content_hash(["source", task]),
        },
        "model": {
            "id": shape[0],
            "ref": shape[0],
            "embedded": True,
            "weights_hash": content_hash(shape[0]),
        },
        "scenario": scenario,
        "batch_size": 1 if scenario == "stream" else 32,
        "threads": 1,
    }


def _machine() -> dict[str, Any]:
    return {
        "software": {"os": "Linux", "python": "3.11.0", "torch": "2.13.0", "cuda": None},
        "hardware": {"cpu": "made-up CPU", "cores": 2, "memory_bytes": 25_000_000_000},
        "before": {"load_1m": 0.1, "governor": None},
        "after": {"load_1m": 1.0, "governor": None},
    }


def _timing(rng: np.random.Generator, base_ns: float, ratio: float, pairs: int) -> dict[str, Any]:
    drift = np.repeat(np.exp(np.cumsum(rng.normal(0, 0.01, (pairs + 1) // 2))), 2)[:pairs]
    noise = np.exp(rng.normal(0, 0.02, (2, pairs)) + rng.exponential(0.01, (2, pairs)))
    arms = (base_ns * drift * np.array([[ratio], [1.0]]) * noise).astype(int)
    rows = [
        {
            "block": index // 2,
            "batch": index % 8,
            "first": ("method", "reference")[index % 2],
            "method_ns": int(method),
            "reference_ns": int(reference),
        }
        for index, (method, reference) in enumerate(arms.T)
    ]
    return {
        "clock": "perf_counter_ns",
        "warmup_calls": 6,
        "warmup_s": 0.5,
        "pairs": rows,
        "stop": "converged",
        "half_width": 0.009,
    }


def _layer(tokens: float, kept: float, effect: str) -> dict[str, float]:
    queries = kept if effect == "removed" else tokens
    keys = kept if effect in ("removed", "kv-only") else tokens
    return {
        "queries": queries,
        "keys": keys,
        "mlp": queries,
        "masked": tokens - kept if effect == "masked" else 0.0,
    }


def _work(tokens: int, keep: float, effect: str) -> dict[str, Any]:
    counts = [tokens if layer < 2 else 1.0 + round((tokens - 1) * keep) for layer in range(DEPTH)]
    layers = [_layer(float(tokens), float(kept), effect) for kept in counts]
    spent = sum(layer["mlp"] for layer in layers) / (tokens * DEPTH)
    return {
        "samples": 8,
        "layers": layers,
        "reference_layers": [_layer(float(tokens), float(tokens), "none")] * DEPTH,
        "flops": 4.2e6 * tokens * spent,
        "reference_flops": 4.2e6 * tokens,
        "uncounted": [],
    }


def _quality(
    rng: np.random.Generator,
    task: str,
    ceiling: float,
    keep: float,
    accuracy: float | None,
    samples: int,
    method: str,
) -> dict[str, Any]:
    shared = np.random.default_rng(zlib.crc32(f"{task}/{samples}".encode()))
    labels = shared.integers(0, 10, samples)
    hardness = shared.random(samples)
    wrong = (labels + shared.integers(1, 10, samples)) % 10
    goal = ceiling * (1 - 0.35 * (1 - keep) ** 2) if accuracy is None else accuracy
    noise = rng.normal(0, 0.05, samples)
    right = {
        "method": hardness < ceiling if method == "reference" else hardness + noise < goal,
        "reference": hardness < ceiling,
        "coarse": hardness < ceiling - 0.25,
    }
    outputs = {arm: np.where(mask, labels, wrong).tolist() for arm, mask in right.items()}
    return {
        "metric": "top-1 accuracy",
        "outputs": outputs,
        "scores": {arm: mask.astype(float).tolist() for arm, mask in right.items()},
        "outputs_hash": {arm: content_hash(values) for arm, values in outputs.items()},
        "unreadable": [],
    }


def make_records(n: int, seed: int = 0, **changes: Any) -> Iterator[Record]:
    """``n`` records over a grid of methods, settings, tasks and scenarios.

    Every 41st failed, and every 25th is a second attempt at the cell before it.
    """
    failures = ("oom", "timeout", "crash", "unsupported", "invalid")
    names = ("reference", *METHODS)
    previous: dict[str, Any] = {}
    for index in range(n):
        if previous and index % 25 == 24:
            yield make_record(**previous, attempt=1, **changes)
            continue
        turn = index
        picks = []
        for options in (names, tuple(TASKS), ("stream", "offline"), KEEPS):
            picks.append(options[turn % len(options)])
            turn //= len(options)
        previous = dict(zip(("method", "task", "scenario", "keep"), picks, strict=True))
        if previous["method"] == "reference":  # it has no setting; its seed tells the cells apart
            turn = turn * len(KEEPS) + KEEPS.index(previous["keep"])
        previous |= {
            "seed": seed + turn,
            "status": failures[index // 41 % 5] if index % 41 == 40 else "ok",
        }
        yield make_record(**previous, **changes)


def build_store(path: Path, n: int, seed: int = 0, **changes: Any) -> Path:
    """A database at ``path`` with ``n`` such records; ``changes`` go to every one of them."""
    from tokonomy.store.database import open_store

    with open_store(path) as store:
        store.add_all(make_records(n, seed, **changes))
    return path


def make_energy(
    method_j: float = 0.8,
    reference_j: float = 1.0,
    *,
    boundary: str = "board",
    trials: int = 5,
    batch_size: int = 1,
    **fields: Any,
) -> dict[str, Any]:
    """The energy of a record: windows of 5 s at 200 W, a trace, one spoiled window.

    Args:
        method_j: Joules per sample of the method, give or take 1 %.
        reference_j: The same of the reference.
        boundary: What the joules are of.
        trials: Windows of each arm.
        batch_size: Samples in a call.
        fields: Fields to replace.
    """
    rng = np.random.default_rng(int(1e6 * method_j) + trials)
    windows = []
    for arm, joules in (("method", method_j), ("reference", reference_j)) * trials:
        energy_uj = 1_000_000_000 + int(rng.integers(10_000_000))
        calls = energy_uj / (joules * 1e6 * batch_size) * float(rng.normal(1, 0.003))
        windows.append({
            "arm": arm, "calls": calls, "span_ns": 5_000_000_000, "energy_uj": energy_uj,
            "ticks": 50, "bound": 0.004, "integrated_uj": int(energy_uj * 1.01),
            "temperature_c": [61.0, 62.0],
        })  # fmt: skip
    at = [100.0 * i for i in range(300)]
    low = [70.0 if i < 60 or i > 250 else 180.0 + i % 9 for i in range(300)]
    return {
        "meter": "nvml-total-energy",
        "boundary": boundary,
        "device": "GPU-00000000-made-up",
        "batch_size": batch_size,
        "tick_ms": 100.0,
        "read_us": 40.0,
        "trials": windows,
        "spoiled": [{"code": "throttled", "detail": "method: made-up heat"}],
        "idle_before": {"seconds": 10.0, "power_w": 70.0},
        "idle_after": {"reason": "foreign-process", "detail": "made up"},
        "trace": {
            "source": f"instantaneous power, {boundary}",
            "samples": 3000,
            "at_ms": at,
            "low_w": low,
            "high_w": [watts + 20 for watts in low],
        },
    } | fields


def make_gpu_record(
    *, energy: dict[str, Any] | None = None, spoiled: int = 2, **given: Any
) -> Record:
    """A record of a made-up GPU, with energy, device events, four peaks and spoiled pairs.

    Args:
        energy: Its energy; made from the latency ratio or ``keep`` where left out.
        spoiled: Pairs that were made again.
        given: As for ``make_record``.
    """
    cell = {
        "device": "cuda:0",
        "device_class": "cuda: Example GPU",
        **(given.pop("cell", None) or {}),
    }
    document = make_record(cell=cell, **given).model_dump(mode="json")
    if document["status"] == "ok":
        share = given.get("latency_ratio") or 0.2 + 0.8 * given.get("keep", 0.7)
        share = 1.0 if given.get("method") == "reference" else share
        size = document["cell"]["batch_size"]
        document["energy"] = energy or make_energy(share, 1.0, batch_size=size)
        _on_device(document, spoiled)
    return Record.model_validate_json(json.dumps(document))


def _on_device(document: dict[str, Any], spoiled: int) -> None:
    """Put in what only a GPU has."""
    timing, peak = document["timing"], document["memory"]["process"]["peak_bytes"]
    timing["device_ns"] = {
        arm: [int(pair[f"{arm}_ns"] * 0.8) for pair in timing["pairs"]]
        for arm in ("method", "reference")
    }
    away = [pair | {"method_ns": 1} for pair in timing["pairs"][:spoiled]]
    timing["spoiled"] = [{"cause": "throttled", "detail": "made-up heat", "pairs": away}]
    for name, share in (("allocated", 0.3), ("reserved", 0.5), ("device", 2.0)):
        document["memory"][name] = {
            "peak_bytes": int(peak * share),
            "baseline_bytes": int(peak * share * 0.9),
            "source": f"made-up {name}",
        }


LAYERS, ROW = 4, 1024  # blocks of the made-up language model; bytes of a token in one of them
LENGTHS, DEPTHS = (400, 800, 1600, 2400), (0, 25, 50, 75, 100)
SPOTS = [f"{length} characters, depth {depth}%" for length in LENGTHS for depth in DEPTHS]
TURNS = ["first turn", "second turn"]


def make_language_record(
    *,
    family: str = "decoding",
    method: str = "made-draft",
    accept: float = 1.0,
    drafts: int = 0,
    kept: float = 1.0,
    held: float | None = None,
    differing: int = 0,
    accuracy: float = 0.8,
    price: float = 0.1,
    batches: int = 6,
    **given: Any,
) -> Record:
    """A record of a language model.

    Args:
        family: ``"decoding"`` (48 tokens, graded scores) or ``"kv"`` (8 tokens, right or wrong).
        method: Method id; ``"reference"`` makes an A/A record.
        accept: Tokens that a pass after the prompt's gives on average.
        drafts: Tokens that are drafted for a pass.
        kept: Share of the prompt's keys and values that are cached.
        held: Share of memory that is held for them; ``kept`` where left out.
        differing: Answers that are not the reference's.
        accuracy: Mean score of the method.
        price: What a drafted token adds to a pass, of what a pass costs.
        batches: Prompts that are timed, and samples that are counted.
        given: As for ``make_record``.
    """
    tokens, samples, task = (8, 200, "recall") if family == "kv" else (48, 48, "decode-copy")
    plain = {} if method == "reference" else {"tokens": drafts, "kept": kept}
    setting, pairs = given.pop("params", plain), given.pop("pairs", 48)
    cell = {
        "family": family,
        "family_hash": content_hash(family),
        "measuring": {"threads": 1, "batches": batches},
        "model": {"id": "docs-lm", "ref": "docs-lm", "embedded": True,
                  "weights_hash": content_hash("docs-lm")},
        **(given.pop("cell", None) or {}),
    }  # fmt: skip
    rng = np.random.default_rng(zlib.crc32(repr((method, setting, accept, kept)).encode()))
    prompts = [240 + 13 * (index % 5) for index in range(batches)]
    counted = {
        "method": [_answer(rng, prompt, tokens, accept, drafts, kept, held) for prompt in prompts],
        "reference": [_answer(rng, prompt, tokens, 1.0, 0, 1.0, None) for prompt in prompts],
    }
    calls = [len(each["read"]) - 1 for each in counted["method"]]
    rest_ns = [(1.2e6 * each * (1 + price * drafts), 1.2e6 * (tokens - 1)) for each in calls]
    parts: dict[str, Any] = {
        "timing": _paired(rng, [(15e6 + ours, 15e6 + theirs) for ours, theirs in rest_ns], pairs),
        "first_token": _paired(rng, [(15e6, 15e6)] * batches, 24),
        "decoding": counted,
        "quality": _answers(family, samples, accuracy, differing),
    }
    if given.get("status", "ok") != "ok":
        parts = {name: {"reason": given["status"]} for name in ("first_token", "decoding")}
    return make_record(
        method=method, params=setting, task=task, samples=samples, effect="none", cell=cell,
        **(parts | given),
    )  # fmt: skip


def _answer(
    rng: np.random.Generator,
    prompt: int,
    tokens: int,
    accept: float,
    drafts: int,
    kept: float,
    held: float | None,
) -> dict[str, Any]:
    """One answer: what its passes read, and what the cache held before each."""
    given: list[int] = []
    while sum(given) < tokens - 1:
        drawn = 1 + int(rng.binomial(drafts, (accept - 1) / drafts)) if drafts else 1
        given.append(min(drawn, tokens - 1 - sum(given)))
    before = [round(prompt * kept) + sum(given[:index]) for index in range(len(given))]
    share = 1.0 if held is None or not kept else held / kept
    bytes_ = [0, *(LAYERS * ROW * each for each in before)]
    return {
        "tokens": tokens,
        "read": [prompt, *(1 + min(drafts, tokens - 2 - sum(given[:i])) if drafts else 1
                           for i in range(len(given)))],
        "cached": [0, *before],
        "logical_bytes": bytes_,
        "physical_bytes": [int(size * share) for size in bytes_],
    }  # fmt: skip


def _paired(
    rng: np.random.Generator, arms_ns: list[tuple[float, float]], pairs: int
) -> dict[str, Any]:
    """Timing that goes round batches of these latencies."""
    made = _timing(rng, 1e6, 1.0, pairs)
    for index, pair in enumerate(made["pairs"]):
        pair["batch"] = index % len(arms_ns)
        for name, base_ns in zip(
            ("method_ns", "reference_ns"), arms_ns[pair["batch"]], strict=True
        ):
            pair[name] = int(pair[name] / 1e6 * base_ns)
    return made


def _answers(family: str, samples: int, accuracy: float, differing: int) -> dict[str, Any]:
    """Scores and texts; in family ``kv`` later depths of longer texts are hit first."""
    said = [f"answer {index}" for index in range(samples)]
    outputs = {
        "method": [f"other {i}" if i < differing else text for i, text in enumerate(said)],
        "reference": said,
    }
    if family == "kv":
        groups = [SPOTS[index % len(SPOTS)] for index in range(samples)]
        hard = np.array([SPOTS.index(group) for group in groups]) / len(SPOTS)
        luck = np.random.default_rng(7).random(samples)
        scores = {arm: (luck < most + 0.3 - 0.6 * hard).astype(float)
                  for arm, most in (("method", accuracy), ("reference", 0.9))}  # fmt: skip
    else:
        groups = [TURNS[index % 2] for index in range(samples)]
        graded = np.linspace(0.2, 0.6, samples)
        scores = {"method": graded * accuracy / 0.8, "reference": graded}
    return {
        "metric": "score",
        "outputs": outputs,
        "scores": {arm: values.tolist() for arm, values in scores.items()},
        "outputs_hash": {arm: content_hash(values) for arm, values in outputs.items()},
        "unreadable": [],
        "groups": groups,
    }


def language_records(sources: Mapping[str, str] | None = None) -> Iterator[Record]:
    """Runs of both families of language models, with one of each thing that pages must tell apart.

    Decoding: an exact method at several settings, one that says so and is not, one that failed.
    Caches: a method that drops, one that only hides, one that cuts and holds on.

    Args:
        sources: Source hash of methods, where they are to count as unchanged.
    """

    def made(method: str, params: dict[str, Any], **given: Any) -> Record:
        source = (sources or {}).get(method, content_hash(method))
        place = {"method": {"id": method, "params": params, "source_hash": source}}
        return make_language_record(method=method, params=params, cell=place, **given)

    yield made("reference", {})
    for drafts, accept in ((4, 1.6), (10, 2.2), (20, 2.5)):
        yield made("made-exact", {"tokens": drafts}, drafts=drafts, accept=accept, price=0.03)
    for drafts, accept in ((2, 1.05), (8, 1.2)):
        yield made("made-draft", {"tokens": drafts}, drafts=drafts, accept=accept, differing=drafts)
    yield made("failed-draft", {"tokens": 2}, status="oom")
    yield made("reference", {}, family="kv")
    for method, held in (("made-drop", None), ("made-mask", 1.0), ("made-cut", 1.0)):
        for keep in (0.75, 0.5, 0.25):
            kept, differing = 1.0 if method == "made-mask" else keep, int(60 * (1 - keep))
            yield made(method, {"keep": keep}, family="kv", kept=kept, held=held,
                       accuracy=0.4 + 0.5 * keep, differing=differing)  # fmt: skip


def make_calibration(
    kind: str = "measured", device_class: str | None = "cpu: made-up CPU x2", **fields: Any
) -> Calibration:
    """A calibration record with a figure that met its target, one that did not and a free one."""
    findings = [
        {"name": "coverage", "setting": "reference against itself", "unit": "1", "value": 0.95,
         "low": 0.89, "high": 0.98, "n": 100, "least": 0.9, "most": 0.99},
        {"name": "power", "setting": "planted slow-down of 2 %", "unit": "1", "value": 0.5,
         "low": 0.3, "high": 0.7, "n": 20, "least": 0.95},
        {"name": "memory-error", "setting": "planted memory", "unit": "B", "value": -4096.0,
         "low": None, "high": None, "n": 20},
    ]  # fmt: skip
    return Calibration.model_validate({
        "schema_version": 1,
        "kind": kind,
        "made": "2026-02-01T00:00:00Z",
        "device_class": device_class if kind == "measured" else None,
        "harness": {"version": "0.1.0", "commit": "0" * 40, "dirty": False, "protocol": 1,
                    "argv": ["calibrate"]},
        "machine": None,
        "settings": {"sessions": 100, "seed": 0},
        "findings": findings,
        "runs": [],
    } | fields)  # fmt: skip


UNSCORED = {"reason": "quality-not-applicable", "detail": None}


def make_lab(folder: Path) -> Path:
    """A store in ``folder`` with all that a plain one lacks; returns its calibration records.

    A GPU class with energy, a class without quality, sessions of calibration, planted controls and
    a scripted device.
    """
    from tokonomy.store.calibration import write
    from tokonomy.store.database import open_store

    sessions = [
        make_record(method="reference", seed=100 + i, suite="calibration", samples=60)
        for i in range(16)
    ]
    noise = {"task": "noise", "quality": UNSCORED, "cell": {"mode": "compile"}}
    with open_store(folder / "tokonomy.sqlite") as store:
        store.add(make_gpu_record(method="reference"))
        store.add_all(
            make_gpu_record(method=name, params={"keep": keep}, keep=keep)
            for name in ("made-a", "made-b", "random-drop")
            for keep in (0.9, 0.6, 0.3)
        )
        store.add_all(make_gpu_record(method=name, **noise) for name in ("reference", "made-a"))
        store.add_all(sessions)
        planted = {"method": "planted-slow", "params": {"extra": 0.02}, "latency_ratio": 1.02}
        store.add_all(
            make_record(**planted, seed=i, suite="calibration", samples=60) for i in range(3)
        )
        store.add(make_gpu_record(method="made-a", cell={"device_class": "cuda: scripted GPU"}))
    calibrated = folder / "calibration"
    write(calibrated / "cpu.json", make_calibration(runs=[each.run_id for each in sessions]))
    write(calibrated / "synthetic.json", make_calibration("simulated"))
    return calibrated
