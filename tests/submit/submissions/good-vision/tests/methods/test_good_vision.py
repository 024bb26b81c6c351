"""Good vision: its rule on cases worked by hand; the contract is tested for every method alike."""

import torch

from tokonomy_methods.vision.good_vision import worth


def test_worth_by_hand() -> None:
    patches = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]])
    assert worth(patches).tolist() == [[5.0, 1.0, 0.0]]
