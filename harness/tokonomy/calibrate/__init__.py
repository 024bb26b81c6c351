"""Proof that the ruler is straight: known truths, measured as methods are."""
