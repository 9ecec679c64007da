"""Training with transformers, peft and trl on the pool's own devices. One file for each section of a configuration: what the
trainer gets of it, and what is said of each of its fields.
"""
