"""Tunesmith: one typed configuration for any fine-tune, on any backend."""
