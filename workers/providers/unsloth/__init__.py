"""Unsloth as a backend: its loader and its kernels, with the recipe of `local` for rows, schedule and optimiser."""
