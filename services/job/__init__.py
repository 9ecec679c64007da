"""The job service: durable work, the pools that lease it, and the agents' door."""
