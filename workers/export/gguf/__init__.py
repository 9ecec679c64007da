"""One file that llama.cpp loads: weights under its names and in its layout, the tokenizer, and the numbers of a forward pass."""
