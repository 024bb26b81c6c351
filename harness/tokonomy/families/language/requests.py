"""Tasks of lm-eval as data: samples in a fixed order, each with what a model is asked about it."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance

from tokonomy.errors import BadData
from tokonomy.families.checkpoints import reason
from tokonomy.families.language import metrics

_SEED = 1234  # of the examples in prompts, as in a run of lm-eval
#: What of a task's configuration says where its samples are from; the samples speak for themselves.
_WHENCE = ("custom_dataset", "dataset_kwargs", "dataset_name", "dataset_path", "metadata")
_GROUP = 200  # characters of a part's name that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample of a task.

    Attributes:
        task: Name of its task.
        number: Place among the samples of that task.
        doc: What lm-eval knows about it.
        asked: lm-eval's requests, unanswered; they are shared and not to be changed.
    """

    task: str
    number: int
    doc: Any
    asked: tuple[Instance, ...]


@dataclass(frozen=True, kw_only=True)
class Requests:
    """One split of lm-eval tasks: samples in a fixed order.

    Attributes:
        tasks: lm-eval tasks by name; a group has several.
        metrics: The per-sample metric that is each task's score; None for the first that a sample
            turns out to have.
        split: ``train`` or ``test``.
        data_hash: SHA-256 over the samples, and how they are asked and scored.
        samples: Those of one task after those of another.
    """

    tasks: Mapping[str, Any]
    metrics: Mapping[str, str | None]
    split: str
    data_hash: str
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def places(self) -> dict[tuple[str | None, int | None], int]:
        """Place of each sample in the split, by task and number."""
        return {(each.task, each.number): at for at, each in enumerate(self.samples)}

    @cached_property
    def groups(self) -> list[str]:
        """The part that each sample belongs to: its task, or what its task says; may be empty."""
        if len(self.tasks) > 1:
            return [each.task for each in self.samples]
        named = [each.doc.get("group") for each in self.samples if isinstance(each.doc, dict)]
        if len(named) < len(self) or not all(isinstance(name, str) for name in named):
            return []
        return [str(name)[:_GROUP] for name in named]

    def of(self, task: str) -> list[Sample]:
        """Samples of one task, in order."""
        return [each for each in self.samples if each.task == task]


def collect(tasks: Mapping[str, Any], split: str, metric: str | None = None) -> Requests:
    """Requests over a split of lm-eval tasks; raises ``BadData`` where there is none.

    Args:
        tasks: lm-eval tasks by name.
        split: ``train`` or ``test``.
        metric: The metric that is the score, the first of each task where None.
    """
    digest, samples, chosen = hashlib.sha256(), list[Sample](), dict[str, str | None]()
    for name, task in tasks.items():
        found = list(_samples(name, task, split))
        if not found:
            raise BadData(f"task {name!r} has no samples in its {split} split")
        chosen[name] = metric or metrics.first(task, found[0].asked)
        samples += found
        asked = [(each.doc, [request.arguments for request in each.asked]) for each in found]
        config = task.config.to_dict(keep_callable=True)
        how = {key: value for key, value in config.items() if key not in _WHENCE}
        content = [name, task.VERSION, how, asked]
        digest.update(json.dumps(content, sort_keys=True, default=_written).encode())
    return Requests(
        tasks=tasks,
        metrics=chosen,
        split=split,
        data_hash=digest.hexdigest(),
        samples=tuple(samples),
    )


def _samples(name: str, task: Any, split: str) -> Iterator[Sample]:
    """Samples with their requests, made as lm-eval makes them."""
    task.set_fewshot_seed(_SEED)
    for number, doc in enumerate(_docs(name, task, split)):
        try:
            context = task.fewshot_context(
                doc,
                num_fewshot=task.config.num_fewshot or 0,
                system_instruction=None,
                apply_chat_template=False,
                fewshot_as_multiturn=False,
                chat_template=None,
                gen_prefix=task.doc_to_prefix(doc),
            )
            asked = task.construct_requests(
                doc=doc,
                ctx=context,
                metadata=(name, number, task.config.repeats),
                apply_chat_template=False,
                chat_template=None,
            )
        except Exception as error:  # the task's own code
            raise BadData(
                f"task {name!r}: sample {number} cannot be made into a prompt; "
                f"{type(error).__name__}: {reason(error)}"
            ) from error
        yield Sample(
            task=name,
            number=number,
            doc=doc,
            asked=tuple(asked) if isinstance(asked, list) else (asked,),
        )


def _docs(name: str, task: Any, split: str) -> Any:
    if split == "test":
        return task.eval_docs
    if split == "train" and task.has_training_docs():
        return task.training_docs()
    raise BadData(f"task {name!r} has no {split} split")


def _written(value: Any) -> str:
    """What JSON does not know: functions by their source, anything else without its address."""
    try:
        return inspect.getsource(value)
    except (TypeError, OSError):
        return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def from_yaml(path: Path) -> dict[str, Any]:
    """The lm-eval task of one YAML file, by its name."""
    from lm_eval.tasks import TaskManager

    tasks: dict[str, Any] = TaskManager(include_defaults=False).load([str(path)])["tasks"]
    return tasks
