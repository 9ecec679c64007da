"""What the public API says of a job when all is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SUCCEEDED = "JOB_STATE_SUCCEEDED"


@dataclass(frozen=True)
class Event:
    """One of ListJobEvents."""

    sequence: int
    type: str
    state: str
    attempt: int
    message: str


@dataclass(frozen=True)
class Artifact:
    """One of ListArtifacts."""

    id: str
    set_id: str
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class JobRecord:
    """A job with all that belongs to it. Its display name is the request_id that made it."""

    id: str
    display_name: str
    state: str
    variant: str
    events: Sequence[Event]
    # Series: step: value.
    series: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    artifacts: Sequence[Artifact] = ()
