"""The job service's three doors: people and programs, pools' listing, and agents."""
