"""Good questions: its data are what the card says, and the same every time."""

from tokonomy_tasks.language.good_questions import GoodQuestions, begins, rows


def test_samples_are_as_the_card_says() -> None:
    train, test = ({row["prompt"] for row in rows(split, 24)} for split in ("train", "test"))
    assert len(train) == len(test) == 24
    assert not train & test
    found = GoodQuestions().samples("test")
    assert len(found) == 24
    assert found.data_hash == GoodQuestions().samples("test").data_hash


def test_an_answer_counts_where_it_begins_with_what_is_wanted() -> None:
    doc = {"prompt": "", "target": " 42"}
    assert begins(doc, [" 42, and more"]) == {"begins": 1.0}
    assert begins(doc, ["42"]) == {"begins": 0.0}
