"""A package that a test installs beside Tokonomy."""
