"""Planted truths: the unmodified model with a known cost added, to test the ruler and no model."""
