"""Checks of hyper-parameters that several methods share."""

from __future__ import annotations

from tokonomy.errors import BadParameter


def whole(name: str, value: object, low: int, high: int) -> None:
    """Raise ``BadParameter`` unless ``value`` is a whole number from ``low`` to ``high``."""
    if type(value) is not int or not low <= value <= high:
        raise BadParameter(f"{name} must be a whole number from {low} to {high}; got {value!r}")


def real(name: str, value: object, low: float, high: float) -> None:
    """Raise ``BadParameter`` unless ``value`` is a number from ``low`` to ``high``."""
    if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator] # is one
        raise BadParameter(f"{name} must be a number from {low:g} to {high:g}; got {value!r}")
