"""What is in a dataset, in figures: counted by a process of its own, once for each tokenizer."""
