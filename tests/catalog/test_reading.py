from pathlib import Path

import pytest

from tokonomy.catalog.cards import Claim, MethodCard
from tokonomy.catalog.reading import read_card, without_card
from tokonomy.errors import BadCard

CARD = """
import module_that_does_not_exist
CARD = MethodCard(id="a-b", title="A" "B", families=("vision",), summary="s", kind="training-free",
    lossless="lossy", effect="removed", alters=("x",), sweep=({"r": -1}, {"r": 2}, {}, {}),
    claims=(Claim(model="m", dataset="d", setting="s", metric="top-1", value=1.5, unit="%",
                  source="table 1"),))
print("after")
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "method.py"
    path.write_text(text)
    return path


def test_a_card_is_read_without_running_its_file(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, CARD))
    assert isinstance(card, MethodCard)
    assert (card.id, card.title, card.sweep[0]) == ("a-b", "AB", {"r": -1})
    assert card.claims == (
        Claim(model="m", dataset="d", setting="s", metric="top-1", value=1.5, unit="%",
              source="table 1"),
    )  # fmt: skip


def test_a_file_without_a_card_has_none(tmp_path: Path) -> None:
    assert read_card(write(tmp_path, "# CARD is only mentioned\nx = 1\n")) is None


@pytest.mark.parametrize(
    "text",
    [
        "CARD = MethodCard(id=open('x').read())",
        "CARD = MethodCard(**{'id': 'a'})",
        "CARD = MethodCard('a')",
        "CARD = __import__('os').system('true')",
        "CARD = 3",
        "CARD = MethodCard(id='a'",
        "CARD = MethodCard(id='A B', title='', family='', summary='', kind='training-free',"
        " lossless='lossy', effect='removed', alters=(), sweep=({}, {}, {}, {}))",
        CARD.replace("training-free", "magic"),
        CARD.replace(", {}, {})", ")"),
    ],
)
def test_a_bad_card_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadCard):
        read_card(write(tmp_path, text))


def test_the_card_is_not_part_of_the_code() -> None:
    code = without_card(CARD)
    assert code == '\nimport module_that_does_not_exist\nprint("after")\n'
    assert without_card("X = 1; CARD = 'é'; Y = 2\nZ = 3\n") == "X = 1; ; Y = 2\nZ = 3\n"
    assert without_card("CARD = (\n") == "CARD = (\n"
