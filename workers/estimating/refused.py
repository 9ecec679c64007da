"""Why there is no answer."""

from services.chassis.errors import InvalidArgument


class Refused(InvalidArgument):
    """A model can't be built or traced; the message ends in what to do next."""

    def __init__(self, text: str, field_path: str = "configuration_json") -> None:
        super().__init__([(field_path, text)])
