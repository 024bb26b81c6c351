"""Cards, the registry that finds them, and suites."""
