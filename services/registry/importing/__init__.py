"""From somebody's files to a base model: which files are taken, what they may hold, what the model is."""
