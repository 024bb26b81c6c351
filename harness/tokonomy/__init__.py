"""Tokonomy: what token-efficient transformers really save, and what it costs them."""

__version__ = "0.1.0"
