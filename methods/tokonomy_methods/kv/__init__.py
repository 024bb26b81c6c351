"""Methods that keep fewer keys and values: a score, a budget, a choice of rows, and when."""
