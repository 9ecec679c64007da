"""Running an engine that is not installed with Tunesmith: in an environment of its own, as a child of the training actor."""
