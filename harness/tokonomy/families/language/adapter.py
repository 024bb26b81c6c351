"""A model as lm-eval asks it: every request handed on as a row of token ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from tokonomy.errors import BadData
from tokonomy.families.language.model import LanguageModel
from tokonomy.families.language.requests import Requests

_PER_SAMPLE = 1 << 12  # rows that one sample may take
_LENGTH = 256  # tokens of an answer where a task says nothing, as in lm-eval
_KNOWN = frozenset(
    "until max_gen_toks do_sample temperature top_p top_k min_p num_beams use_cache".split()
)  # settings that do not change which token is the likeliest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request in token ids: a continuation to be scored or, without one, to be made.

    Attributes:
        id: Place of the sample in the split times ``_PER_SAMPLE``, and that of the row in it.
        prompt: Token ids.
        given: Token ids of the continuation.
        length: Tokens wanted at most.
        until: Texts that end an answer.
    """

    id: int
    prompt: tuple[int, ...]
    given: tuple[int, ...] = ()
    length: int = 0
    until: tuple[str, ...] = ()


Answer = Callable[[Row], Any]
"""From a row to (log-probability, whether likeliest) of its continuation, or to a text."""


class Adapter(TemplateLM):  # type: ignore[misc]  # lm-eval has no types
    """An lm-eval model that asks and answers as lm-eval's own for transformers, ``HFLM``.

    Three things differ: what does not fit the model is refused, where ``HFLM`` cuts its beginning
    off; the likeliest token is next, whatever penalty a ``generation_config.json`` asks for; and
    only a token that holds a whole stop string ends decoding, while one spread over several tokens
    is cut from the text afterwards, so that there both arms make more tokens than are scored.
    """

    def __init__(
        self,
        model: LanguageModel,
        answer: Answer,
        places: Mapping[tuple[str | None, int | None], int],
    ) -> None:
        """Ask ``answer``; ``places`` numbers the samples."""
        super().__init__()
        self.model, self.tokenizer, self.answer = model, model.tokenizer, answer
        self._places, self._asked = places, list[Instance]()

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        end: int = self.tokenizer.eos_token_id
        return end

    @property
    def prefix_token_id(self) -> int:
        """The token that begins one."""
        begin = self.tokenizer.bos_token_id
        return self.eot_token_id if begin is None else begin

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Token ids of a text; what begins with the first token gets no second one."""
        if add_special_tokens is None:
            begin = self.tokenizer.decode(self.prefix_token_id)
            add_special_tokens = not string.startswith(begin)
        return self._encode(string, add_special_tokens)

    def _encode(self, string: str, add_special_tokens: bool) -> list[int]:
        """Token ids; says nothing of long texts, which are read in windows or refused."""
        ids: list[int] = self.tokenizer.encode(
            string, add_special_tokens=add_special_tokens, verbose=False
        )
        return ids

    def _id(self, request: Instance) -> int:
        place = self._places[request.task_name, request.doc_id]
        return place * _PER_SAMPLE + int(request.idx)

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        """Log-probability of continuations, and whether each is the likeliest."""
        self._asked = requests
        for request in requests:
            if not request.args[1]:
                raise _nothing(request)
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return found

    def _loglikelihood_tokens(
        self, requests: list[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = []
        for request, (_, context, given) in zip(self._asked, requests, strict=True):
            if not given:
                raise _nothing(request)
            row = Row(id=self._id(request), prompt=tuple(context), given=tuple(given))
            found.append(self.answer(row))
        return found

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = True
    ) -> list[float]:
        """Log-probability of whole texts, in windows that do not overlap."""
        return [sum(self.answer(row)[0] for row in self._windows(request)) for request in requests]

    def _windows(self, request: Instance) -> Iterator[Row]:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(request.args[0]),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.model.positions,
            context_len=1,
        )
        for at, window in enumerate(windows, self._id(request)):
            context, given = make_disjoint_window(window)
            yield Row(id=at, prompt=tuple(context), given=tuple(given))

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = True) -> list[str]:
        """The likeliest text after each context, up to a stop string."""
        return [self.answer(self._wanted(request)) for request in requests]

    def _wanted(self, request: Instance) -> Row:
        context, given = request.args
        asked: dict[str, Any] = {**normalize_gen_kwargs(given, _LENGTH)}
        others = sorted(asked.keys() - _KNOWN)
        if asked.get("do_sample") or asked.get("num_beams", 1) != 1 or others:
            what = ", ".join(others) or "sampling or beams"
            raise BadData(
                f"task {request.task_name!r} asks for {what}; expected greedy decoding, where the "
                f"likeliest token is next"
            )
        end, begin = self.tokenizer.decode(self.eot_token_id), self.tokenizer.bos_token
        return Row(
            id=self._id(request),
            prompt=tuple(self._encode(context, begin is None or not context.startswith(begin))),
            length=int(asked["max_gen_toks"]),
            until=tuple(handle_stop_sequences(asked.get("until"), eos=end)),
        )


def _nothing(request: Instance) -> BadData:
    return BadData(
        f"task {request.task_name!r}: sample {request.doc_id} has a continuation without tokens; "
        f"expected one at least"
    )


def cut(text: str, until: Sequence[str]) -> str:
    """A text up to the first of the stop strings; they are looked for in turn, as lm-eval does.

    >>> cut("seven. The end", [".", "T"])
    'seven'
    """
    for stop in until:
        text = text.split(stop)[0] if stop else text
    return text


def rows(model: LanguageModel, data: Requests, index: int) -> list[Row]:
    """The rows of one sample."""
    found: list[Row] = []

    def note(row: Row) -> Any:
        found.append(row)
        return (0.0, False) if row.given else ""

    adapter = Adapter(model, note, data.places)
    for request in data.samples[index].asked:
        getattr(adapter, request.request_type)([request])
    return found
