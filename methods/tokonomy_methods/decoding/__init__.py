"""Methods that get more than one token out of a pass of the model."""
