"""Running: a plan of cells, one fresh process for each, one row for each ending."""
