"""The reference arm through our adapter against lm-eval's own model for transformers, HFLM."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from languages import ARCHITECTURES, edit_config, write_language, write_task
from tokonomy.families.contract import Outputs
from tokonomy.families.language import metrics
from tokonomy.families.language.adapter import _PER_SAMPLE
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.requests import Requests, from_yaml
from tokonomy.families.language.surroundings import offline, quiet

DECODING = Decoding()
OWN = ["sums", "recall", "next-word", "docs-choice", "docs-likelihood"]  # of each kind of output
PLACE = Path(__file__).parents[2] / "tasks" / "tokonomy_tasks" / "language"
GENERATE = {
    "output_type": "generate_until",
    "doc_to_text": "question",
    "doc_to_target": "answer",
    "target_delimiter": "",
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
PLAIN = {"until": ["\n"], "max_gen_toks": 12, "do_sample": False}
CHOOSE = {
    **GENERATE,
    "output_type": "multiple_choice",
    "doc_to_choice": "options",
    "doc_to_target": "gold",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
ROLL = {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "question",
    "metric_list": [{"metric": "byte_perplexity"}, {"metric": "word_perplexity"}],
}
WORDS = "the value of an object is a function that takes its name from the module"
DOCS: list[dict[str, Any]] = [
    {
        "question": f"{'Here and there. ' * (number % 4)}What is {WORDS[number:][:30]}?",
        "answer": f" {WORDS.split()[number % 14]}",
        "options": [" a", " an object", " the name of it", "\nnone"],
        "gold": number % 4,
    }
    for number in range(8)
]
MADE: dict[str, dict[str, Any]] = {
    "rolling": ROLL,
    "long": {**ROLL, "doc_to_target": "{{question * 40}}"},  # many windows
    "short-stops": {**GENERATE, "generation_kwargs": {**PLAIN, "until": [" ", "e"]}},
    "long-stops": {**GENERATE, "generation_kwargs": {**PLAIN, "until": ["th", "object"]}},
    "no-stops": {**GENERATE, "generation_kwargs": {**PLAIN, "until": []}},
    "shots": {
        **GENERATE,
        "num_fewshot": 3,
        "fewshot_split": "train",
        "description": "Answer.\n",
        "gen_prefix": "It is",
        "generation_kwargs": PLAIN,
    },
    "own-shots": {
        **GENERATE,
        "num_fewshot": 2,
        "fewshot_split": "test",
        "generation_kwargs": PLAIN,
    },
    "filters": {
        **GENERATE,
        "repeats": 2,
        "generation_kwargs": PLAIN,
        "filter_list": [
            {
                "name": "strict",
                "filter": [
                    {"function": "regex", "regex_pattern": "([a-z]+)"},
                    {"function": "take_first"},
                ],
            },
            {"name": "all", "filter": [{"function": "take_first"}]},
        ],
    },
    "choices": CHOOSE,
    "mutual": {
        **CHOOSE,
        "metric_list": [{"metric": "acc_mutual_info"}, {"metric": "acc_norm"}],
    },
    "no-context": {**CHOOSE, "doc_to_text": ""},
    "spaced": {**CHOOSE, "doc_to_text": "{{question}}  "},
    "begun": {**CHOOSE, "doc_to_text": "</s>{{question}}"},
    "inputs": {
        **CHOOSE,
        "doc_to_text": "gold",
        "doc_to_choice": "{{[question + options[0], question + options[1], 'no', 'yes']}}",
        "doc_to_target": "{{answer}} and more",
    },
    "perplexity": {
        **GENERATE,
        "output_type": "loglikelihood",
        "metric_list": [{"metric": "perplexity"}, {"metric": "acc"}],
    },
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of an architecture, written when first asked for."""
    place = tmp_path_factory.mktemp("models")
    return cache(lambda name: write_language(place / name, name))


def theirs(folder: Path, file: Path, **options: Any) -> list[dict[str, Any]]:
    """What lm-eval logs of each sample, of the first filter."""
    with offline(), quiet():
        tasks = from_yaml(file)
        for task in tasks.values():
            task.set_fewshot_seed(1234)  # as lm-eval's command does
        model = HFLM(
            pretrained=AutoModelForCausalLM.from_pretrained(folder),
            tokenizer=AutoTokenizer.from_pretrained(folder),
            batch_size=1,
            **options,
        )
        found = evaluate(model, {"tasks": tasks, "groups": {}}, bootstrap_iters=0)
    (logged,) = found["samples"].values()
    return [sample for sample in logged if sample["filter"] == logged[0]["filter"]]


def ours(folder: Path, data: Requests) -> Outputs:
    model = DECODING.load(f"hf:{folder}", device="cpu", precision="fp32")
    DECODING.check(model, data)
    with torch.inference_mode():
        return DECODING.evaluate(model, model, data)


def compare(folder: Path, data: Requests, file: Path, **options: Any) -> Outputs:
    """Every sample: what was answered, how likely it was, and every score of it."""
    found, wanted = ours(folder, data), theirs(folder, file, **options)
    assert [each["doc_id"] for each in wanted] == list(range(len(data)))
    (metric,) = data.metrics.values()
    for at, sample in enumerate(wanted):
        name = metric or sample["metrics"][0]
        score = metrics.score(name, sample[name])
        assert found.scores[at] == pytest.approx(score, abs=1e-6)
        for place, responses in enumerate(sample["resps"]):
            if isinstance(responses[0], str):
                assert found.predictions[at] == sample["resps"][0][0]
                continue
            rows = [found.raw[key] for key in sorted(found.raw) if key // _PER_SAMPLE == at]
            mine = rows if isinstance(responses[0], float) else [rows[place]]
            likely = responses[0] if isinstance(responses[0], float) else responses[0][0]
            assert sum(float(row[:, 0].sum()) for row in mine) == pytest.approx(
                likely,
                abs=1e-4,
                rel=3e-7,  # the step of float32
            )
            if not isinstance(responses[0], float):
                assert bool(mine[0][:, 1].all()) == responses[0][1]
    return found


@pytest.mark.parametrize(
    ("architecture", "name"),
    [*product(ARCHITECTURES, OWN), ("llama", "code-line"), ("llama", "decode-text")],
)
def test_our_tasks_are_answered_as_by_lm_eval_itself(
    written: Callable[[str], Path], architecture: str, name: str
) -> None:
    file = PLACE / f"{name.replace('-', '_')}.yaml"
    found = compare(written(architecture), DECODING.open(name), file)
    assert len({row.numpy().tobytes() for row in found.raw.values()}) > 9


@pytest.mark.parametrize(("architecture", "name"), [*product(("llama", "mistral"), MADE)])
def test_any_task_is_answered_as_by_lm_eval_itself(
    written: Callable[[str], Path], tmp_path: Path, architecture: str, name: str
) -> None:
    file = write_task(tmp_path, name, DOCS, **MADE[name])
    found = compare(written(architecture), DECODING.open(f"lm_eval:{file}"), file)
    assert len(found.scores) == len(DOCS)


def test_texts_longer_than_the_model_are_read_in_windows(tmp_path: Path) -> None:
    folder = write_language(tmp_path / "model", positions=48)
    file = write_task(tmp_path, "windows", DOCS, **MADE["long"])
    found = compare(folder, DECODING.open(f"lm_eval:{file}"), file)
    assert len(found.raw) > 10 * len(DOCS)


def test_the_last_position_is_used_by_both(tmp_path: Path) -> None:
    """A continuation that ends one token after the last position: that token is not read."""
    folder = write_language(tmp_path / "model", positions=48)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = tokenizer.decode(tokenizer.encode(WORDS * 9)[:49])
    assert len(tokenizer.encode(words)) == 49
    file = write_task(
        tmp_path, "edge", [{"question": words[:20], "answer": words[20:]}], **MADE["perplexity"]
    )
    compare(folder, DECODING.open(f"lm_eval:{file}"), file)


def test_a_model_s_other_ends_end_an_answer_too(tmp_path: Path) -> None:
    """Checkpoints tuned for chats name several in generation_config.json."""
    folder = write_language(tmp_path / "model")
    file = write_task(tmp_path, "stops", DOCS, **MADE["no-stops"])
    data = DECODING.open(f"lm_eval:{file}")
    model = DECODING.load(f"hf:{folder}", device="cpu", precision="fp32")
    with torch.inference_mode():
        common = torch.stack(list(DECODING.evaluate(model, model, data).raw.values()))[
            :, 3
        ].tolist()
    module = AutoModelForCausalLM.from_pretrained(folder)
    module.generation_config.eos_token_id = [1, *common]
    module.generation_config.save_pretrained(folder)
    found = compare(folder, data, file)
    assert all((row >= 0).sum() <= 4 for row in found.raw.values())


def test_a_checkpoint_in_half_precision_is_loaded_as_asked(tmp_path: Path) -> None:
    folder = write_language(tmp_path)
    edit_config(folder, dtype="bfloat16")
    model = DECODING.load(f"hf:{folder}", device="cpu", precision="fp32")
    assert {each.dtype for each in model.module.parameters()} == {torch.float32}
    model = DECODING.load(f"hf:{folder}", device="cpu", precision="bf16")
    assert {each.dtype for each in model.module.parameters()} == {torch.bfloat16}
