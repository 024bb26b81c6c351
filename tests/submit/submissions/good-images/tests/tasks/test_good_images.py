"""Good images: its data are what the card says, and the same every time."""

import pytest

from tokonomy.errors import BadData
from tokonomy_tasks.vision.good_images import COUNT, GoodImages, image


def test_images_are_as_the_card_says() -> None:
    train, test = GoodImages().samples("train"), GoodImages().samples("test")
    assert len(train) == len(test) == COUNT
    assert not set(train.ids) & set(test.ids)
    assert train.data_hash != test.data_hash
    assert test.read(0).shape == (8, 8, 3)
    assert (test.read(0) == image(1, 0)).all()
    with pytest.raises(BadData, match="the split is 'train' or 'test'"):
        GoodImages().samples("validation")
