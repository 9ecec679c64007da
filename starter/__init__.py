"""What a first start is given: a small model that trains in a minute, and the demo that trains it."""
