"""A job as a plain Python script on transformers, peft and trl. One file for each part of the script."""
