"""Reading a card out of a file without running the file.

Only literals and calls of the card classes are understood, so a card cannot do anything.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from tokonomy.catalog.cards import Card, Claim, MethodCard, ModelCard, TaskCard
from tokonomy.errors import BadCard

_CALLS: dict[str, Any] = {cls.__name__: cls for cls in (Claim, MethodCard, ModelCard, TaskCard)}


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords) if name in _CALLS:
            return _CALLS[name](**{word.arg or "**": _value(word.value) for word in keywords})
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {
                _value(key): _value(value) for key, value in zip(keys, values, strict=True) if key
            }
        case _:
            return ast.literal_eval(node)


def _assigned(tree: ast.Module) -> ast.Assign | ast.AnnAssign | None:
    for node in tree.body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else ([node.target] if isinstance(node, ast.AnnAssign) else [])
        )
        if any(isinstance(target, ast.Name) and target.id == "CARD" for target in targets):
            return node  # type: ignore[return-value] # only the two kinds above have targets
    return None


def read_card(path: Path) -> Card | None:
    """The card in a file, or None where the file has none; raises ``BadCard``."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadCard(f"{path.name}: expected UTF-8; {error.reason}") from None
    return parse_card(path.name, text)


def parse_card(name: str, text: str) -> Card | None:
    """The card in the text of a file of that name."""
    if "CARD" not in text:
        return None
    try:
        node = _assigned(ast.parse(text))
        if node is None or node.value is None:
            return None
        card = _value(node.value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise BadCard(
            f"{name}: a card is a call of a card class with literals only; {said[:200]}"
        ) from None
    if not isinstance(card, MethodCard | TaskCard | ModelCard):
        raise BadCard(
            f"{name}: CARD must be a MethodCard, TaskCard or ModelCard; got {type(card).__name__}"
        )
    return card


def without_card(text: str) -> str:
    """A source with the lines of its card cut out: what can change a result.

    Whatever else stands on those lines stays; a source that does not parse stays whole.
    """
    try:
        node = _assigned(ast.parse(text)) if "CARD" in text else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    if node is None or node.end_lineno is None or node.end_col_offset is None:
        return text
    lines = re.split(r"(?<=\n)", text)  # as Python numbers lines; splitlines knows more ends
    first, last = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
    beside = first[: node.col_offset] + last[node.end_col_offset :]  # offsets count bytes
    kept = [beside.decode()] if beside.strip() else []
    return "".join(lines[: node.lineno - 1] + kept + lines[node.end_lineno :])
