"""Causal language models: what two families share, decoding and the cache of keys and values."""
