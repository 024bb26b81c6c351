"""Records, the database that keeps them, and what is derived from them."""
