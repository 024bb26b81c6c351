"""A scripted NVIDIA driver behind the real ``pynvml``, for tests and for machines without a GPU.

A profile says what each GPU does over time and what goes wrong; two libraries play it alike, one
in C and one in Python. What they say is marked as scripted and is never a measurement.
"""

from tokonomy.measure.scripted.course import Course, flat, ramps, steps
from tokonomy.measure.scripted.install import Installed, installed
from tokonomy.measure.scripted.library import build, lent
from tokonomy.measure.scripted.meter import true_energy_uj
from tokonomy.measure.scripted.profile import (
    Event,
    Fault,
    Field,
    Gpu,
    Process,
    Profile,
    Slice,
    until,
)

__all__ = [
    "Course",
    "Event",
    "Fault",
    "Field",
    "Gpu",
    "Installed",
    "Process",
    "Profile",
    "Slice",
    "build",
    "flat",
    "installed",
    "lent",
    "ramps",
    "steps",
    "true_energy_uj",
    "until",
]
