"""Embedded models: one file per model, its weights under ``weights/``."""
