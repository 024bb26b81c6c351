"""Embedded tasks and the models trained for them."""
