"""The parameter service: what can be configured, computed from descriptors. It stores nothing."""
