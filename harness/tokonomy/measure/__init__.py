"""Meters: what is observed while a run is on, and where it was observed."""
