"""The services: they decide and record. They import neither Ray nor torch, and never each other."""
