"""Estimated memory beside measured memory, configuration by configuration, each in a process of its own."""
