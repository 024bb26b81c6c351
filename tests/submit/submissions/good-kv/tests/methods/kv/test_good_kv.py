"""Good kv: its rule on cases worked by hand; the contract is tested for every method alike."""

import torch

from tokonomy_methods.kv.good_kv import worth


def test_worth_by_hand() -> None:
    values = torch.tensor([[[[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]]])
    assert worth(values).tolist() == [[[5.0, 1.0, 0.0]]]
