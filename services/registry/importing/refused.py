"""Why files are not taken."""


class Refused(Exception):
    """What is wrong with a model's files, in a sentence with the fix; the field that named them is added by the use case."""
