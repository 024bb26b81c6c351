"""What is read of the YAML file that defines a task of lm-eval."""

from __future__ import annotations

import pytest

from tokonomy.catalog.definitions import called


@pytest.mark.parametrize(
    "text",
    [
        "a: !function m.x",
        "a: !<!function> m.x",
        "a: !functio%6e m.x",
        "a: !function >-\n  m.x",
        "a: !function\n  'm.x'",
        "a: [{b: &b !function m.x}, *b]",
        "a: !function m.x\nb: !function m.y",
    ],
)
def test_the_module_of_a_function_is_found_however_it_is_written(text: str) -> None:
    assert called(text) == ("m",)


@pytest.mark.parametrize(
    "text", ["", "a: m.x", "# !function m.x", "a: '!function m.x'", "a: !function x",
             "a: !function m.x\nb: [", "a: !function m.x\nb: " + "[" * 150_000,
             "a: !function {m: x}"]
)  # fmt: skip
def test_what_names_no_function_or_is_broken_has_none(text: str) -> None:
    assert called(text) == ()
