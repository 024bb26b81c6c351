"""Any task or group of lm-eval, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.catalog.registry import unknown
from tokonomy.errors import BadData, UnknownId
from tokonomy.families.checkpoints import reason
from tokonomy.families.language.requests import Requests, collect
from tokonomy.families.language.surroundings import code_allowed

CARD = TaskCard(
    id="lm_eval",
    title="A task of lm-eval",
    families=("decoding", "kv"),
    summary="Any task or group of lm-eval: lm_eval:<name>, or lm_eval:<file>.yaml for one's own.",
    metric="The first per-sample metric of the task.",
    source="The task's own data set, from this machine; nothing is downloaded unless "
    "HF_DATASETS_OFFLINE=0 is set.",
    licence="See the data set.",
    split="The task's own.",
    revision="1",
    parameters=("task",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class LmEval:
    """A task of lm-eval.

    Attributes:
        task: Name of a task or group, or the path of a task's YAML file.
    """

    task: str

    def samples(self, split: str) -> Requests:
        """One split; raises ``BadData`` where the data are not on this machine."""
        return collect(_load(self.task), split)


def _load(name: str) -> dict[str, Any]:
    """The tasks of that name that can be asked here."""
    from lm_eval.tasks import TaskManager

    file = Path(name) if name.endswith(".yaml") else _file(name)
    if file is not None and not file.is_file():
        raise BadData(f"task 'lm_eval:{name}': there is no such file")
    manager = _everything() if file is None else TaskManager(include_defaults=False)
    if file is None and name not in manager.all_tasks:
        raise UnknownId(unknown("lm-eval task", name, manager.all_tasks))
    if file is not None:
        _refuse_code(name, _configured(file))
    try:
        tasks: dict[str, Any] = manager.load([str(file or name)])["tasks"]
    except ImportError as error:
        raise BadData(
            f"unsupported: package not available: task {name!r} needs another package; "
            f"{reason(error)}"
        ) from error
    except Exception as error:  # data sets fail in many ways, each with errors of its own
        raise BadData(
            f"unsupported: data not available: task {name!r} cannot be read on this machine "
            f"({type(error).__name__}: {reason(error)[:100]}); fetch it with: "
            f"HF_DATASETS_OFFLINE=0 HF_HUB_OFFLINE=0 lm-eval run --model dummy --limit 1 "
            f"--tasks {name}"
        ) from error
    for each, task in tasks.items():
        _refuse_code(each, {"unsafe_code": getattr(task, "UNSAFE_CODE", False)})
        if getattr(task, "MULTIMODAL", False):
            raise BadData(f"unsupported: task {each!r} shows images or sounds; expected text alone")
    return tasks


def _refuse_code(name: str, config: Mapping[str, Any]) -> None:
    if config.get("unsafe_code") and not code_allowed():
        raise BadData(
            f"unsupported: task {name!r} runs code that a model wrote; allow it with: "
            f"tokonomy run --allow-code-execution"
        )


def _file(name: str) -> Path | None:
    """The file that defines a task; None where only a look at all files can tell.

    Looking takes lm-eval ten seconds, and finding a line in its files a half.
    """
    import lm_eval.tasks

    line = re.compile(rb"^(task|group): *['\"]?%s['\"]? *$" % re.escape(name.encode()), re.M)
    found = [
        (path, match[1])
        for path in Path(lm_eval.tasks.__path__[0]).rglob("*.yaml")
        if (match := line.search(path.read_bytes()))
    ]
    return found[0][0] if len(found) == 1 and found[0][1] == b"task" else None


@cache
def _everything() -> Any:
    """lm-eval's own index of all its tasks."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def _configured(file: Path) -> dict[str, Any]:
    """What a task's file says, without running anything that it names."""
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        config: dict[str, Any] = load_yaml(file, resolve_func=False)
    except Exception as error:  # YAML has errors of its own
        raise BadData(f"task file {file.name!r} cannot be read; {reason(error)}") from error
    return config
