"""The digits: real data, a fixed and balanced split."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tokonomy.errors import BadData
from tokonomy_tasks.vision.digits import CARD, Digits, is_test


def test_splits_share_no_sample_and_leave_none_out() -> None:
    train, test = Digits().samples("train"), Digits().samples("test")
    assert not set(train.ids) & set(test.ids)
    assert len(set(train.ids) | set(test.ids)) == 1797
    assert (len(train), len(test)) == (1261, 536)
    assert f"{len(train):,} train and {len(test):,} test" in CARD.split


def test_pixels_are_those_of_scikit_learn() -> None:
    source = load_digits()
    for split in ("train", "test"):
        images = Digits().samples(split)
        for index in range(0, len(images), 25):
            origin = int(images.ids[index].removeprefix("digits-"))
            ink = np.rint(images.read(index)[:, :, 0] / 255 * 16)
            np.testing.assert_array_equal(ink, source.images[origin])
            assert images.classes[images.labels[index]] == str(source.target[origin])


def test_image_is_grey_rgb_over_the_full_range() -> None:
    images = Digits().samples("test")
    pixels = np.stack([images.read(index) for index in range(len(images))])
    assert pixels.shape == (536, 8, 8, 3)
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(("split", "low", "high"), [("train", 120, 130), ("test", 50, 56)])
def test_classes_are_balanced(split: str, low: int, high: int) -> None:
    counts = Counter(Digits().samples(split).labels)
    assert sorted(counts) == list(range(10))
    assert all(low <= count <= high for count in counts.values())


def test_split_covers_the_stored_order_from_end_to_end() -> None:
    chosen = np.flatnonzero(is_test(load_digits().target))
    quarters = np.bincount(chosen * 4 // 1797, minlength=4)
    assert quarters.max() - quarters.min() <= 6


def test_hash_is_pinned_and_differs_between_splits() -> None:
    hashes = [Digits().samples(split).data_hash for split in ("train", "test")]
    assert hashes == [
        "c960c06a4b6230c139bbe90081a6e828ac4c7fb4d6ef68fa1a07a5187b5fa44b",
        "b4e17ada164f145b0784d54f3afacfef54dc96db35cb399ef469267e3c3b1ee4",
    ]


def test_unknown_split_is_refused() -> None:
    with pytest.raises(BadData, match="'train' or 'test'; got 'validation'"):
        Digits().samples("validation")
