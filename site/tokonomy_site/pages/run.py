"""A run's page: every figure with its reason, the raw pairs, the log, where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokonomy.measure.reasons import REASONS
from tokonomy.store.derive import by_group
from tokonomy.store.fields import Arm
from tokonomy.store.metrics import METRICS, Metric
from tokonomy.store.observed import Quality, Timing, Work
from tokonomy.store.record import Record
from tokonomy_site import meanings, standing, trust, words
from tokonomy_site.cells import NONE, explained, mark, quoted, told
from tokonomy_site.environment import clean
from tokonomy_site.families import CACHE, DECODING, Baseline, family
from tokonomy_site.figures import count, form_of, known, percent, significant, span
from tokonomy_site.groups import group_of, training
from tokonomy_site.links import slug
from tokonomy_site.page import Page
from tokonomy_site.sections import decoding, device, energy, heat, provenance, traces
from tokonomy_site.sentences import why_not_faster
from tokonomy_site.snapshot import PUBLIC, Run, Snapshot, model_path, run_path, setting

MOST_OTHERS = 5  # runs of the same cell that are named on either side in time
SCRIPTED = REASONS["scripted-device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something a reader must know first."""

    text: str
    kind: str = ""
    href: str = ""
    link: str = ""


def page(run: Run, record: Record, attempts: Sequence[Run], snapshot: Snapshot) -> Page:
    """The page of one run.

    Args:
        run: Its figures.
        record: What was observed.
        attempts: Every run of the same cell, itself included, oldest first.
        snapshot: Everything else.
    """
    title = f"{snapshot.title(run.method)} {setting(run.params)}".strip()
    newer = [other for other in attempts if other.order > run.order]
    older = [other for other in attempts if other.order < run.order]
    history = snapshot.histories.get(run.identity)
    timing, first = (each if isinstance(each, Timing) else None
                     for each in (record.timing, record.first_token))  # fmt: skip
    return Page(
        path=run_path(run.id),
        title=f"{title} on {run.task_ref}",
        template="run.html",
        values={
            "run": run,
            "method_title": snapshot.title(run.method),
            "method_href": _method_href(run),
            "setting": setting(run.params),
            "model": model_path(run.model_ref),
            "sentence": group_of(run, training(snapshot.kinds.get(run.method))).sentence,
            "verdict": verdict(run, record),
            "trust": trust.level(run),
            "notes": list(_notes(run, record, attempts, snapshot)),
            "figures": _figures(run),
            "raw": _raw(run),
            "trace": traces.latency(timing) if timing and timing.pairs else None,
            "pairs": device.raw(timing, traces.MOST_PAIRS) if timing else (),
            "spoiled": device.spoiled(record.timing),
            "first": traces.latency(first) if first and first.pairs else None,
            "first_pairs": device.raw(first, traces.MOST_PAIRS) if first else (),
            "decoding": decoding.section(record),
            "heat": heat.one(_groups(record, "method"), _groups(record, "reference")),
            "execution": device.execution(record, run),
            "peaks": device.peaks(record.memory),
            "energy": energy.section(record.energy, run),
            "layers": _layers(record.work) if isinstance(record.work, Work) else [],
            "counted": record.work.samples if isinstance(record.work, Work) else 0,
            "command": provenance.command(record),
            "expectation": provenance.expectation(run),
            "scored": isinstance(record.quality, Quality),
            "log": clean(record.log),
            "provenance": provenance.facts(record),
            "newer": _others(newer[:MOST_OTHERS]),
            "older": _others(older[-MOST_OTHERS:][::-1]),
            "left_out": max(0, len(newer) - MOST_OTHERS) + max(0, len(older) - MOST_OTHERS),
            "history": history.href if history else "",
        },
    )


def _method_href(run: Run) -> str:
    """The method's page; the methodology where it has none."""
    known_page = run.role in PUBLIC
    return f"../method/{slug(run.method)}.html" if known_page else "../methodology.html#straight"


def verdict(run: Run, record: Record) -> str:
    """The run in one sentence, which says first if nothing in it was measured."""
    if run.role != "scripted":
        return _verdict(run, record)
    return f"Simulated. {SCRIPTED if run.status == 'ok' else _verdict(run, record)}"


def _raw(run: Run) -> str:
    """What stands over samples from which nothing follows; empty where figures follow from them."""
    if run.role == "scripted":
        return f"Raw samples of a simulation. {SCRIPTED}"
    if run.status != "ok":
        return "Raw samples of a run that is not ok: no figure is made from them."
    return ""


def _groups(record: Record, arm: Arm) -> heat.Scores:
    return {name: (each.value or 0.0, each.n) for name, each in by_group(record, arm).items()}


def _verdict(run: Run, record: Record) -> str:
    if run.status != "ok":
        word = meanings.STATUS[run.status]
        detail = f" {clean(record.detail)}" if record.detail else ""
        return f"{word[0].upper()}{word[1:]}: {explained(run.reason)}{detail}"
    accuracy, speed = run.figure("accuracy"), run.figure("speed_up")
    parts = [*_kept(run)]
    if speed.value is not None:
        parts.append(f"at {quoted(run, 'speed_up')} times the reference's speed")
    if known(run.figure("energy_ratio")):
        parts.append(f"for {quoted(run, 'energy_ratio')} of the reference's joules")
    sentence = ", ".join(parts) + "."
    sentence = sentence[0].upper() + sentence[1:]
    if run.method != "reference" and (why := why_not_faster(run)):
        sentence += f" It {why}."
    own = family(run.family)
    for baseline in own.baselines if accuracy.value is not None else ():
        sentence += _against(run, baseline, own.equal)
    return sentence


def _kept(run: Run) -> Iterator[str]:
    """Quality and what the family saves, in parts of a sentence."""
    accuracy, retained = run.figure("accuracy"), run.figure("retained")
    if accuracy.value is None:
        yield "quality not applicable"
    elif run.family == DECODING:
        yield words.equal(run.figure("agreement")) or "answers not compared"
    else:
        yield f"{percent(accuracy.value)} % {'score' if run.family == CACHE else 'accuracy'}"
        if retained.value is not None:
            yield f"{percent(retained.value)} % of the reference's"
    for name, text in _SAVED.get(run.family, _TOKENS):
        if known(run.figure(name)):
            form, _ = form_of(name)
            yield text.format(form(run.figure(name).value or 0.0))


_TOKENS = (("tokens_kept", "with {} % of the tokens"),)
_SAVED = {
    DECODING: (("acceptance_length", "{} tokens a pass"),),
    CACHE: (
        ("kv_logical_ratio", "with {} % of the cache"),
        ("kv_physical_ratio", "in {} % of its memory"),
    ),
}


def _against(run: Run, baseline: Baseline, equal: str) -> str:
    found, name = run.verdicts.get(baseline.id), baseline.name
    if found is None or run.method == "reference":
        return ""
    said = {
        "beats": f" At equal {equal} it beats {name}, namely {found.why}.",
        "loses": f" At equal {equal} it loses to {name}, namely to {found.why}.",
        "no difference": f" At equal {equal} no difference from {name} was detected: {found.why}.",
    }
    return said.get(found.word, f" Not comparable with {name}: {found.why}.")


def _notes(run: Run, record: Record, attempts: Sequence[Run], snapshot: Snapshot) -> Iterator[Note]:
    if run.role != "result":
        meaning = standing.ROLE_MEANING[run.role]
        yield Note(text=f"Not a result: {meaning}.", kind="alert",
                   href="../methodology.html#straight", link="How the ruler is tested")  # fmt: skip
    for text, kind, link in trust.told(run):
        yield Note(text=text, kind=kind, href=link, link="Read more" if link else "")
    for other in attempts:
        if other.current and other is not run:
            link = f"That run, {other.started[:10]}, {other.trust.level}"
            yield Note(text="Another run stands for this cell.", kind="alert",
                       href=f"{other.id}.html", link=link)  # fmt: skip
    if snapshot.stale(run):
        yield Note(text="Stale: the method's code has changed since this run.", kind="alert")
    for flag in record.flags:
        yield Note(text=told(flag.code, flag.detail))
    for code in run.flags:
        if code not in {flag.code for flag in record.flags}:
            yield Note(text=told(code))
    for warning in dict.fromkeys(map(_warning, run.figures.values())):
        if warning:
            yield Note(text=warning)


def _figures(run: Run) -> list[tuple[str, ...]]:
    """Title, value, interval, unit, count and words of every figure; nothing without any.

    Those of tokens made one after the other are left out where a call is one pass.
    """
    if not any(known(figure) for figure in run.figures.values()):
        return []
    return [_figure(run, name) for name in METRICS if run.figure(name).reason != "one-pass"]


def _figure(run: Run, name: str) -> tuple[str, ...]:
    figure, meaning = run.figure(name), METRICS[name]
    form, unit = form_of(name)
    value = (figure.text or NONE) if figure.value is None else form(figure.value)
    why = f"{told(figure.reason)} " if figure.reason else ""
    why += f"{warning} " if (warning := _warning(figure)) else ""
    why += f"Boundary: {figure.text}. " if figure.text in meanings.BOUNDARIES else ""
    counted = NONE if value == NONE else "1 reading"
    if figure.n is not None:
        counted = f"{count(figure.n)} {meaning.counted or ''}".strip()
    between = (span(figure, form) or NONE) + (mark(run, name) if known(figure) else "")
    return meaning.title, value, between, unit, counted, why + meaning.doc


def _warning(figure: Metric) -> str:
    """What is said of a number besides the number itself; empty where nothing is."""
    if figure.value is None or not figure.text or figure.text in meanings.BOUNDARIES:
        return ""
    return meanings.WARNINGS.get(figure.text, figure.text)


def _layers(work: Work) -> list[tuple[str, ...]]:
    """Block, queries, keys, MLP, masked, and the reference's MLP, as mean tokens per sample."""
    beside = [layer.mlp for layer in work.reference_layers]
    return [
        (
            str(index),
            significant(layer.queries),
            significant(layer.keys),
            significant(layer.mlp),
            significant(layer.masked),
            significant(beside[index - 1]) if index <= len(beside) else NONE,
        )
        for index, layer in enumerate(work.layers, 1)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another run of the same cell."""

    href: str
    title: str
    text: str


def _others(attempts: Sequence[Run]) -> list[Other]:
    return [
        Other(
            href=f"{other.id}.html",
            title=other.started[:19].replace("T", " "),
            text=meanings.STATUS[other.status],
        )
        for other in attempts
    ]
