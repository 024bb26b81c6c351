"""Tasks of lm-eval by name: their data, what is refused, and that all of it is quiet."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shlex
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets.config
import huggingface_hub.constants
import pytest
import torch
from lm_eval._cli.harness import HarnessCLI
from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager

from languages import make_module, make_tokenizer, write_language, write_task
from tokonomy.cli import main
from tokonomy.errors import BadData, UnknownId
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel
from tokonomy.families.language.surroundings import CODE, offline, quiet
from tokonomy_tasks.language import lm_eval as task

DECODING = Decoding()
DOCS: list[dict[str, Any]] = [
    {"question": f"What is {number} and one?", "answer": f" {number + 1}"} for number in range(5)
]
GENERATE = {
    "output_type": "generate_until",
    "doc_to_text": "question",
    "doc_to_target": "answer",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
CHOOSE = {
    "output_type": "multiple_choice",
    "doc_to_text": "question",
    "doc_to_choice": ["yes", "no"],
    "doc_to_target": 0,
}
FUNCTIONS = """
from pathlib import Path
(Path(__file__).parent / "imported").touch()
def run(doc, results):
    exec(results[0][:0] + "seen = doc['question']")
    return {"ran": 1.0}
"""


@pytest.fixture
def model() -> LanguageModel:
    return LanguageModel(module=make_module(), tokenizer=make_tokenizer())


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the libraries had been imported with the network allowed; using it is an error."""

    def used(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was used")

    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", used)
    monkeypatch.setattr(socket.socket, "connect", used)


def refused(name: str) -> str:
    """The one line that opening a task ends in."""
    with pytest.raises(BadData) as caught:
        DECODING.open(f"lm_eval:{name}")
    said = str(caught.value)
    assert "\n" not in said
    return said


def write_yaml(folder: Path, name: str, *lines: str, **config: Any) -> Path:
    """A task's file with lines that JSON has no words for."""
    path = write_task(folder, name, DOCS, **GENERATE, **config)
    fields = json.loads(path.read_text())
    for line in lines:
        fields.pop(line.partition(":")[0], None)
    inner = [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
    path.write_text("\n".join([*inner, *lines]) + "\n")
    return path


@pytest.mark.usefixtures("online")
def test_data_that_are_not_here_are_named_with_the_command_that_fetches_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = refused("hellaswag")
    assert said.startswith("unsupported: data not available: task 'hellaswag'")
    assert not huggingface_hub.constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE
    words = shlex.split(said.partition("fetch it with: ")[2])
    settings, command = words[:2], words[2:]
    assert all(re.fullmatch(r"HF_[A-Z]+_OFFLINE=0", each) for each in settings)
    assert (Path(sys.executable).parent / command[0]).is_file()
    monkeypatch.setattr(sys, "argv", command)
    asked = HarnessCLI().parse_args()
    assert (asked.model, asked.tasks, asked.limit) == ("dummy", ["hellaswag"], 1)


def test_the_command_s_model_needs_no_weights(tmp_path: Path) -> None:
    write_task(tmp_path, "tiny", DOCS, **GENERATE)
    with quiet():
        known = TaskManager(include_path=str(tmp_path), include_defaults=False)
        found = simple_evaluate(model="dummy", tasks=["tiny"], limit=1, task_manager=known)
    assert len(found["samples"]["tiny"]) == 1


@pytest.mark.usefixtures("online")
def test_a_task_whose_data_are_in_a_folder_here_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LanguageModel
) -> None:
    """lm-eval's own hellaswag, with a folder of the data set's name."""
    folder = tmp_path / "Rowan" / "hellaswag"
    folder.mkdir(parents=True)
    docs = [
        {
            "activity_label": "Cooking",
            "ctx_a": f"A cook takes {number} eggs.",
            "ctx_b": "the cook",
            "endings": ["breaks them.", "sings.", "flies away.", "is an egg."],
            "label": str(number % 4),
        }
        for number in range(6)
    ]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, docs)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    task_ref = "lm_eval:hellaswag"
    data = DECODING.open(task_ref)
    assert (len(data), data.metrics) == (6, {"hellaswag": "acc"})
    with torch.inference_mode():
        outputs = DECODING.evaluate(model, model, data)
    assert set(outputs.scores) <= {0.0, 1.0}
    assert len(outputs.raw) == 4 * 6
    assert DECODING.describe_task(task_ref).data_hash == data.data_hash


def test_names_are_found_as_lm_eval_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    file = task._file("gsm8k")
    assert file is not None
    assert file.name == "gsm8k.yaml"
    assert task._file("mmlu") is None  # a group: only a look at all files tells its tasks
    with offline(), quiet():
        known = TaskManager(include_path=str(file.parent), include_defaults=False)
    monkeypatch.setattr(task, "_everything", lambda: known)
    with pytest.raises(UnknownId, match="did you mean gsm8k"):
        DECODING.open("lm_eval:gsm8")
    assert "there is no such file" in refused("not/there.yaml")


def test_a_group_is_one_split_of_several_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LanguageModel
) -> None:
    write_task(tmp_path, "one", DOCS, **GENERATE)
    write_task(tmp_path, "two", DOCS[:3], **GENERATE)
    (tmp_path / "both.yaml").write_text(json.dumps({"group": "both", "task": ["one", "two"]}))
    with quiet():
        known = TaskManager(include_path=str(tmp_path), include_defaults=False)
    monkeypatch.setattr(task, "_everything", lambda: known)
    data = DECODING.open("lm_eval:both")
    assert data.groups == ["one"] * 5 + ["two"] * 3
    assert set(data.metrics) == {"one", "two"}
    with torch.inference_mode():
        outputs = DECODING.evaluate(model, model, data)
    assert outputs.groups == data.groups
    assert len(outputs.scores) == len(outputs.predictions) == len(outputs.raw) == 8
    assert outputs.predictions[:3] == outputs.predictions[5:]  # the same questions
    batches = list(DECODING.batches(model, data, 3))
    assert torch.cat([batch.ids for batch in batches]).tolist() == sorted(outputs.raw)


def test_code_of_a_model_is_run_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LanguageModel
) -> None:
    (tmp_path / "own.py").write_text(FUNCTIONS)
    lines = ("unsafe_code: true", "process_results: !function own.run",
             "metric_list: [{metric: ran, aggregation: mean, higher_is_better: true}]")  # fmt: skip
    file = write_yaml(tmp_path, "unsafe", *lines)
    monkeypatch.delenv(CODE, raising=False)
    assert "allow it with: tokonomy run --allow-code-execution" in refused(str(file))
    assert "allow it with" in refused("humaneval")
    assert not (tmp_path / "imported").exists()
    monkeypatch.setenv(CODE, "1")
    data = DECODING.open(f"lm_eval:{file}")
    assert data.metrics == {"unsafe": None}  # nothing is run to find it out
    with torch.inference_mode():
        assert DECODING.evaluate(model, model, data).scores == [1.0] * len(DOCS)


def test_the_command_line_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(FUNCTIONS)
    write_yaml(tmp_path, "unsafe", "unsafe_code: true")
    write_language(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    for name in (CODE, "HF_ALLOW_CODE_EVAL"):
        monkeypatch.setenv(name, "0")  # so that what the command sets is undone
    words = ["run", "--method", "reference", "--family", "kv", "--task", "lm_eval:unsafe.yaml",
             "--model", "hf:model", "--dry-run"]  # fmt: skip
    for flag, code in ([], 2), (["--allow-code-execution"], 0):
        monkeypatch.setattr(sys, "argv", ["tokonomy", *words, *flag])
        with pytest.raises(SystemExit) if code else nullcontext() as ended:
            main()
        said = capsys.readouterr().err
        assert ended is None or ended.value.code == code
        assert said.count("\n") == (1 if code else 0), said


def test_images_and_missing_packages_are_refused(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text("import a_package_that_is_not_there\n")
    file = write_yaml(tmp_path, "lacking", "process_docs: !function needs.anything")
    said = refused(str(file))
    assert said.startswith("unsupported: package not available")
    assert "a_package_that_is_not_there" in said
    file = write_yaml(tmp_path, "shown", "doc_to_image: question")
    assert "shows images or sounds" in refused(str(file))
    (tmp_path / "bad.yaml").write_text("task: [unclosed")
    assert "cannot be read" in refused(str(tmp_path / "bad.yaml"))


@pytest.mark.parametrize(
    ("metric", "kind"),
    [("bleu", GENERATE), ("brier_score", CHOOSE), ("f1", CHOOSE), ("mcc", CHOOSE)],
)
def test_a_first_metric_that_scores_no_sample_is_named(
    tmp_path: Path, metric: str, kind: dict[str, Any]
) -> None:
    file = write_task(tmp_path, "other", DOCS, **{**kind, "metric_list": [{"metric": metric}]})
    said = refused(str(file))
    assert f"its first metric, {metric!r}, gives no score between 0 and 1" in said


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"do_sample": True, "temperature": 0.7}, "sampling or beams"),
        ({"num_beams": 4}, "sampling or beams"),
        ({"repetition_penalty": 1.2}, "repetition_penalty"),
    ],
)
def test_what_is_not_greedy_is_refused(
    tmp_path: Path, model: LanguageModel, settings: dict[str, Any], named: str
) -> None:
    config = {**GENERATE, "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4, **settings}}
    data = DECODING.open(f"lm_eval:{write_task(tmp_path, 'sampled', DOCS, **config)}")
    with pytest.raises(BadData, match=rf"asks for {named}; expected greedy"):
        DECODING.check(model, data)


def test_an_empty_continuation_is_refused(tmp_path: Path, model: LanguageModel) -> None:
    docs = [{"question": "What?", "answer": ""}, {"question": "", "answer": ""}]
    config = {**GENERATE, "output_type": "loglikelihood", "metric_list": [{"metric": "acc"}]}
    del config["generation_kwargs"]
    data = DECODING.open(f"lm_eval:{write_task(tmp_path, 'empty', docs, **config)}")
    for at in (0, 1):
        with pytest.raises(BadData, match=rf"sample {at} has a continuation without tokens"):
            list(DECODING.batches(model, data, 1, indices=[at]))


def test_a_sample_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    file = write_task(tmp_path, "shots", DOCS[:2], **GENERATE, num_fewshot=5, fewshot_split="test")
    assert "sample 0 cannot be made into a prompt" in refused(str(file))


def with_functions(folder: Path) -> Path:
    """A task whose samples are shuffled by the global generator and scored by a function."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "made.py").write_text(
        "import random\n"
        "def shuffled(found):\n"
        "    order = list(range(len(found)))\n"
        "    random.shuffle(order)\n"
        "    return found.select(order)\n"
        "def half(doc, results):\n"
        "    return {'half': 0.5}\n"
    )
    how = "{metric: half, aggregation: !function made.half, higher_is_better: true}"
    lines = ("process_docs: !function made.shuffled", "process_results: !function made.half")
    return write_yaml(folder, "made", *lines, f"metric_list: [{how}]")


def test_the_hash_is_that_of_the_samples_wherever_they_are(tmp_path: Path) -> None:
    here, there = (with_functions(tmp_path / name) for name in ("here", "there"))
    found = [DECODING.open(f"lm_eval:{file}").data_hash for file in (here, there)]
    code = (
        "import sys; from tokonomy.families.language.family import Decoding; "
        "print(Decoding().open(sys.argv[1]).data_hash)"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, f"lm_eval:{here}"],
            env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""  # nothing is said: no bars, no warnings about any task
        found.append(done.stdout.strip())
    assert len(set(found)) == 1
    (tmp_path / "here" / "made.py").write_text(
        (tmp_path / "here" / "made.py").read_text().replace("0.5", "0.25")
    )
    changed = write_yaml(tmp_path / "here", "made", *here.read_text().splitlines()[-3:])
    changed = changed.rename(changed.with_name("changed.yaml"))
    assert DECODING.open(f"lm_eval:{changed}").data_hash not in found


def test_opening_a_task_leaves_the_generators_as_they_were(tmp_path: Path) -> None:
    file = with_functions(tmp_path)
    random.seed(7)
    torch.manual_seed(7)
    states = random.getstate(), torch.get_rng_state()
    data = DECODING.open(f"lm_eval:{file}")
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    assert [each.doc["question"] for each in data.samples] != [doc["question"] for doc in DOCS]
    assert [each.number for each in data.samples] == list(range(5))


def test_only_noise_is_silenced(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("lm_eval.api.task")
    before = logger.level, list(logger.filters), datasets.are_progress_bars_disabled()
    with quiet(), quiet():
        logger.warning("x: Custom kwargs can be passed to `--metadata` in console")
        logger.warning("Label index was not in within range of available choices")
        assert datasets.are_progress_bars_disabled()
    logger.warning("Custom kwargs can be passed")
    assert [record.getMessage()[:12] for record in caplog.records] == [
        "Label index ",
        "Custom kwarg",
    ]
    assert (logger.level, list(logger.filters), datasets.are_progress_bars_disabled()) == before


def test_a_whole_evaluation_says_nothing(
    tmp_path: Path,
    model: LanguageModel,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = DECODING.open(f"lm_eval:{write_task(tmp_path, 'silent', DOCS, **GENERATE)}")
    choices = DECODING.open("docs-choice")
    model.tokenizer.model_max_length = 10  # which transformers would warn of
    capfd.readouterr()
    with torch.inference_mode():
        DECODING.evaluate(model, model, data)
        DECODING.evaluate(model, model, choices)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write_task(tmp_path, "trained", DOCS, **GENERATE)
    assert len(DECODING.open(f"lm_eval:{path}", "train")) == len(DOCS)
    fields = json.loads(path.read_text())
    del fields["training_split"]
    path.with_name("bare.yaml").write_text(json.dumps(fields))
    with pytest.raises(BadData, match="has no train split"):
        DECODING.open(f"lm_eval:{path.with_name('bare.yaml')}", "train")


def test_a_train_split_is_evaluated_as_such(model: LanguageModel) -> None:
    data = DECODING.open("sums", "train")
    with torch.inference_mode():
        outputs = DECODING.evaluate(model, model, data)
    assert len(outputs.scores) == len(data)
    prompts = {each.doc["prompt"] for each in data.samples}
    assert not prompts & {each.doc["prompt"] for each in DECODING.open("sums").samples}
