"""Statistics: pure functions from numbers to numbers, the same answer every time."""
