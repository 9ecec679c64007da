"""The typed client: generated service classes, and what several calls together make easy."""
