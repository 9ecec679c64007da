"""What can be done to a job: one function an action, one transaction each."""
