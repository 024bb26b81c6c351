from types import SimpleNamespace

import pytest

from tokonomy.measure.noting import calls


def test_calls_are_noted_and_made_and_everything_is_put_back() -> None:
    def double(number: int, *, plus: int = 0) -> int:
        return number * 2 + plus

    holder = SimpleNamespace(double=double, other=abs)
    with calls(holder, ["double", "lacking"]) as made:
        assert made == []
        assert holder.double(3, plus=1) == 7
        assert holder.other is abs
    assert made == ["double"]
    assert holder.double is double
    assert not hasattr(holder, "lacking")


def test_what_raises_is_noted_too() -> None:
    holder = SimpleNamespace(fail=lambda: 1 // 0)
    before = holder.fail
    with calls(holder, ["fail"]) as made, pytest.raises(ZeroDivisionError):
        holder.fail()
    assert made == ["fail"]
    assert holder.fail is before
