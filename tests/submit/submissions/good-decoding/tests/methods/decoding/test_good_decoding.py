"""Good decoding: its rule on cases worked by hand; the contract is tested for every method alike."""

from tokonomy_methods.decoding.good_decoding import guess


def test_guesses_by_hand() -> None:
    assert list(guess([5, 6, 7, 8], 2)) == [7, 8]
    assert list(guess([5], 2)) == [5]
