"""The provider service: what each backend can do, and what it makes of a configuration. It stores nothing."""
