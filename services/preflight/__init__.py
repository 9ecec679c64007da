"""The preflight service: what is wrong with a job, what it needs and what it costs, before it runs. It stores nothing."""
