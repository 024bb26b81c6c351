"""Methods that do what a method must not; only tests install them."""
