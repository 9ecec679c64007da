"""Predicted and measured seconds of an optimiser step, configuration by configuration."""
