"""Quantities as functions of time: points that are held or joined, once or for ever.

The C library computes the same expressions in the same order, so both give the same doubles;
``exact`` is the independent one, in fractions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A quantity over the seconds since the script began.

    Attributes:
        points: (seconds, value), the first at 0, in order of time; of two points at one time the
            later holds from then on.
        ramps: Whether points are joined by lines; else each value holds until the next point.
        repeat_s: The points are repeated with this period; after the last one its value holds.
    """

    points: tuple[tuple[float, float], ...]
    ramps: bool = False
    repeat_s: float | None = None

    def __post_init__(self) -> None:
        times = [at for at, _ in self.points]
        if not times or times[0] != 0:
            raise ValueError(f"expected a first point at 0 s, got {times[:1]}")
        if any(later < sooner for sooner, later in pairwise(times)):
            raise ValueError(f"expected points in order of time, got {times}")
        if not all(math.isfinite(number) for point in self.points for number in point):
            raise ValueError("expected finite points")
        if self.repeat_s is not None and not (self.repeat_s > 0 and self.repeat_s >= times[-1]):
            raise ValueError(f"expected a period of at least {times[-1]} s, got {self.repeat_s}")


def flat(value: float) -> Course:
    """The same value always."""
    return Course(points=((0.0, float(value)),))


def steps(*points: tuple[float, float], repeat_s: float | None = None) -> Course:
    """Each value holds until the next point."""
    return Course(points=points, repeat_s=repeat_s)


def ramps(*points: tuple[float, float], repeat_s: float | None = None) -> Course:
    """Lines between points; two points at one time make a step."""
    return Course(points=points, ramps=True, repeat_s=repeat_s)


def scaled(course: Course, factor: float) -> Course:
    """The course in another unit."""
    points = tuple((at, value * factor) for at, value in course.points)
    return Course(points=points, ramps=course.ramps, repeat_s=course.repeat_s)


def value(course: Course, seconds: float) -> float:
    """What it is at a time; at a step, what it becomes."""
    local = math.fmod(seconds, course.repeat_s) if course.repeat_s else seconds
    points, last = course.points, 0
    while last + 1 < len(points) and points[last + 1][0] <= local:
        last += 1
    (since, low) = points[last]
    if not course.ramps or last + 1 == len(points):
        return low
    (until, high) = points[last + 1]
    return low + (high - low) * ((local - since) / (until - since))


def whole(course: Course, seconds: float) -> int:
    """The value at a time, rounded, as drivers tell it."""
    return math.floor(value(course, seconds) + 0.5)


def _once(course: Course, seconds: float) -> float:
    """Integral over the first period, from 0."""
    total, points = 0.0, course.points
    for index, (since, low) in enumerate(points):
        if since >= seconds:
            break
        final = index + 1 == len(points)
        until = seconds if final or points[index + 1][0] > seconds else points[index + 1][0]
        if course.ramps and not final and points[index + 1][0] > since:
            reach = (until - since) / (points[index + 1][0] - since)
            total += (until - since) * (low + (points[index + 1][1] - low) * reach * 0.5)
        else:
            total += (until - since) * low
    return total


def integral(course: Course, seconds: float) -> float:
    """Integral from 0 to a time, in the value's unit times seconds."""
    if not course.repeat_s:
        return _once(course, seconds)
    local = math.fmod(seconds, course.repeat_s)
    periods = math.floor((seconds - local) / course.repeat_s + 0.5)
    return periods * _once(course, course.repeat_s) + _once(course, local)


def _exact_once(course: Course, seconds: Fraction) -> Fraction:
    total = Fraction(0)
    ends = [Fraction(at) for at, _ in course.points[1:]] + [max(seconds, Fraction(0))]
    for index, (at, height) in enumerate(course.points):
        since, low, end = Fraction(at), Fraction(height), ends[index]
        until = min(end, seconds)
        if until <= since:
            continue
        joined = course.ramps and index + 1 < len(course.points)
        high = Fraction(course.points[index + 1][1]) if joined else low
        total += (until - since) * (low + (high - low) * (until - since) / (end - since) / 2)
    return total


def exact(course: Course, seconds: Fraction) -> Fraction:
    """The integral from 0 to a time without any rounding."""
    if not course.repeat_s:
        return _exact_once(course, seconds)
    period = Fraction(course.repeat_s)
    periods, local = divmod(seconds, period)
    return periods * _exact_once(course, period) + _exact_once(course, local)
