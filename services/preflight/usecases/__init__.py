"""What the preflight service can be asked."""
