"""Language tasks: text of the Python installation, generated tests, and what lm-eval offers."""
