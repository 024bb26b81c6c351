"""Whatever stands in a record, a comment shows it as text: a real parser makes nothing of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hostile import SAMPLES
from tokonomy.submit.markdown import MOST, escape

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
#: What GitHub looks for in text that is rendered already.
CALLED = re.compile(
    r"@\w|#\w|\bgh-[0-9]|\b[a-z][a-z0-9+.-]*:(?:/|\w)|\bwww\.|:[\w+-]+:", re.IGNORECASE
)
MORE = {
    "table": "a | b |\n|---|---|\n| c",
    "heading": "# big\n## more",
    "list": "1. one\n- two\n* three\n+ four",
    "quote": "> said\n    code",
    "fence": "```\nx\n```\n~~~",
    "rule": "---\n***\n===",
    "link": "[x](http://evil.example) ![y](http://evil.example/y.png) [z]: http://evil.example",
    "reference": "[a][b]\n\n[b]: javascript:alert(1)",
    "autolink": "<http://evil.example> http://evil.example www.evil.example me@evil.example",
    "mention": "@admin @org/team #123 GH-123 org/repo#5 :tada:",
    "emphasis": "*a* _b_ ~~c~~ **d** __e__ ~f~",
    "html": "<b>x</b><!-- --><![CDATA[x]]><?php ?>&lt;&#60;&amp;amp;",
    "entity": "&#x3c;img src=x&#x3e;",
    "math": "$x$ $$y$$ $`z`$",
    "break": "a\\\nb  \nc<br>d",
    "footnote": "[^1] [^1]: x",
    "task": "- [x] done",
    "escapes": "\\*\\_\\`\\\\",
}
ALL = SAMPLES | MORE


class Rendered(HTMLParser):
    """Elements and text of what was rendered."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.other: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        self.other.append(decl)


def shown(text: str) -> str:
    """What a reader should see of it."""
    import unicodedata

    acts = {"Cf", "Cs", "Co", "Cn"}
    spaced = re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]", " ", text)
    kept = "".join(c for c in spaced if unicodedata.category(c) not in acts | {"Cc"})
    line = " ".join(kept.split())
    return line if len(line) <= MOST else f"{line[: MOST - 1]}…"


def check_inline(text: str) -> None:
    page = Rendered(MARKDOWN.render(f"Before {escape(text)} after"))
    assert page.tags == [("p", [])]
    assert page.other == []
    assert page.text.replace("\u200b", "").split() == ["Before", *shown(text).split(), "after"]
    assert not CALLED.search(page.text)


def check_cell(text: str) -> None:
    page = Rendered(MARKDOWN.render(f"| a | b |\n|---|---|\n| {escape(text)} | last |\n"))
    assert [tag for tag, _ in page.tags] == [
        "table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td",
    ]  # fmt: skip
    assert [attributes for _, attributes in page.tags if attributes] == []
    found = page.text.replace("\u200b", "").split()
    assert found == ["a", "b", *shown(text).split(), "last"]


@pytest.mark.parametrize("name", ALL)
def test_a_hostile_text_is_only_text(name: str) -> None:
    check_inline(ALL[name])
    check_cell(ALL[name])
    assert "\n" not in escape(ALL[name])


@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(
    st.text(st.sampled_from("ab1 \n\t\\`*_{}[]()<>#+-.!|~$&;:@/\"'=^wW\u202e\u2028é"), max_size=30)
)
def test_any_text_is_only_text(text: str) -> None:
    check_inline(text)
    check_cell(text)


def test_plain_words_stay_readable() -> None:
    assert escape("top-k kept 0.5") == "top\\-k kept 0\\.5"
    assert escape("") == ""
    assert escape("x" * 1000).endswith("…")
