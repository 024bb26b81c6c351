"""What is measured: functions of a batch, two of them side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokonomy.store.fields import Arm

Predict = Callable[[Any], Any]
"""From a batch to an output."""

Seen = Callable[[Arm, int, Any], None]
"""Gets an arm, the number of a batch and the output for it, outside of whatever is measured."""
