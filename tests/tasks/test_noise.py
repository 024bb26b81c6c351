import numpy as np
import pytest

from tokonomy.errors import BadData
from tokonomy.families import load_family
from tokonomy_tasks.vision.noise import CARD, COUNT, SIDE, Noise


def test_every_image_is_its_own_and_always_the_same() -> None:
    images, again = Noise().samples("test"), load_family("vision").open("noise")
    assert len(images) == COUNT
    first, second = images.read(0), images.read(1)
    assert first.shape == (SIDE, SIDE, 3)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)
    assert np.array_equal(first, again.read(0))
    assert abs(float(first.mean()) - 127.5) < 1


def test_hash_is_pinned() -> None:
    expected = "e1ee63cab95e9124fb2aa60f5badf39b3a0e44f6928888838e60c61fe924397f"
    assert Noise().samples("test").data_hash == expected


def test_nothing_is_scored() -> None:
    assert not CARD.scored
    assert CARD.chance is None
    assert set(Noise().samples("test").labels) == {0}


def test_there_is_no_train_split() -> None:
    with pytest.raises(BadData, match="only split is 'test'; got 'train'"):
        Noise().samples("train")
