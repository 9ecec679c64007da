"""Smart defaults: values for what a person left open, each with its reason. One file a section of the configuration."""
