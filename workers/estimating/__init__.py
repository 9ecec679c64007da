"""What only torch can tell of a model without having its weights: what it is made of, and the memory that a step takes."""
