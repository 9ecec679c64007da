"""Training recipes, one straight line a method. The only place that imports torch, transformers, peft and trl."""
