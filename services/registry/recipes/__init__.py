"""Ways to train: what a recipe may say, and where it is kept."""
