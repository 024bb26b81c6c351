"""Text that every Python installation holds: the language reference and the library's sources.

The reference repeats whole sections between its topics. Each paragraph is kept once, where it
stands first, so that no paragraph of the test split was seen in training; one sentence in eighty
was, in another paragraph. Another version of Python has other texts, and its samples another hash.
"""

from __future__ import annotations

import hashlib
import re
import sysconfig
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics

from tokonomy.errors import BadData

#: Characters of a passage of the reference, at least, but for a topic's last.
PASSAGE = 2000
#: One passage or file in so many is for testing.
TEST_SHARE = 10
#: Parts of the library that are no library: tests, tables, bundled tools.
_LEFT_OUT = frozenset(
    {
        "__pycache__",
        "dist-packages",
        "encodings",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    }
)
_LEAST = 200  # characters of a source file worth reading


def for_test(text: str) -> bool:
    """Whether a text is of the test split, by its hash."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % TEST_SHARE == 0


def _chosen(texts: list[str], key: list[str], split: str) -> tuple[str, ...]:
    if split not in ("train", "test"):
        raise BadData(f"split is 'train' or 'test'; got {split!r}")
    pairs = zip(texts, key, strict=True)
    return tuple(text for text, name in pairs if for_test(name) == (split == "test"))


@cache
def reference(split: str) -> tuple[str, ...]:
    """Passages of the language reference, each whole paragraphs of one topic."""
    passages: list[str] = []
    seen: set[str] = set()
    for name in sorted(topics):
        parts: list[str] = []
        for paragraph in re.split(r"\n\s*\n", topics[name]):
            words = " ".join(paragraph.split())
            if not words or words in seen:
                continue
            seen.add(words)
            parts.append(paragraph.rstrip())
            if sum(map(len, parts)) > PASSAGE:
                passages.append("\n\n".join(parts))
                parts = []
        if parts:
            passages.append("\n\n".join(parts))
    return _chosen(passages, passages, split)


@cache
def sources(split: str) -> tuple[str, ...]:
    """Modules of the standard library, in the order of their paths, split by path."""
    library = Path(sysconfig.get_paths()["stdlib"])
    texts, names = list[str](), list[str]()
    for path in sorted([*library.glob("*.py"), *library.glob("*/*.py")]):
        name = path.relative_to(library).as_posix()
        if name.partition("/")[0] in _LEFT_OUT:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if len(text) >= _LEAST:
            texts.append(text)
            names.append(name)
    return _chosen(texts, names, split)
