"""Tokonomy."""
