"""Image classification: one file per task."""
