"""Parts of pages that are long enough for a module of their own: from a record to tables."""
