"""From one shape of conversation to another: a reader a source, a writer a target, and one form between them."""
