"""The registry: what can be tuned, and what it can be tuned on."""
