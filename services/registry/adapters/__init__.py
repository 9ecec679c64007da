"""Trained weights beside a base model: what they may hold, whether they fit, and how several become one."""
