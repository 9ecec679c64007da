"""What is raised for a setting that the stack can't start with."""


class EnvoySettingsError(ValueError):
    """A setting that Envoy's configuration can't be made from. The message names it and says what it should look like."""
