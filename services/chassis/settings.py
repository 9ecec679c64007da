"""Everything that can be set from the environment, in one frozen class."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

GIB = 1024**3
MIB = 1024**2

Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Settings of a Tunesmith process, read from `TUNESMITH_*` variables.

    Addresses are gRPC targets: `127.0.0.1:50051` or `unix:/path/to/socket`.
    """

    model_config = SettingsConfigDict(env_prefix="TUNESMITH_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    worker_port: int = Field(default=8081, ge=1, le=65535)
    home: Path = Path(".tunesmith")
    database_url: str | None = None
    services_address: str = "127.0.0.1:50051"
    registry_address: str | None = None
    job_address: str | None = None
    parameter_address: str | None = None
    provider_address: str | None = None
    preflight_address: str | None = None
    worker_address: str = "127.0.0.1:8081"
    # Names a browser or a proxy may call the gateway by, besides localhost and `host`.
    allowed_hosts: Names = ()
    # Origins of other platforms' pages that may call the gateway: `https://console.example.org`.
    allowed_origins: Names = ()
    # Folders on the server that base models may be imported from, besides the home.
    import_roots: Names = (str(Path.home()), "/mnt", "/data", "/srv")
    max_dataset_bytes: int = Field(default=10 * GIB, gt=0)
    max_row_bytes: int = Field(default=16 * MIB, gt=0)
    lease_seconds: float = Field(default=30, gt=0)
    # How often a running job stores where its training stands; a crash loses about so much of it.
    training_state_seconds: float = Field(default=60, gt=0)
    # What a worker keeps of inputs that no job uses now.
    cache_max_bytes: int = Field(default=50 * GIB, gt=0)
    # Jobs that a pool's processor runs at once, each with its part of the cores.
    cpu_actors: int = Field(default=1, ge=1, le=64)
    # Whether a Ray cluster that RAY_ADDRESS names is given this program's code; unset: one that is on other machines is.
    ship_code: bool | None = None
    # Engines that a pool offers beside its own trainer: `axolotl,unsloth=/opt/unsloth/bin/python`. For one without a Python of
    # its own Ray makes an environment at its first job.
    engines: Names = ()
    # Whether a first start registers the catalogue of base models and recipes.
    catalog: bool = True
    log_level: str = "INFO"

    @field_validator("allowed_hosts", "allowed_origins", "import_roots", "engines", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    def database(self) -> str:
        """The database's URL: what was set, or SQLite in the home."""
        return self.database_url or f"sqlite:///{self.home / 'tunesmith.db'}"

    def address_of(self, service: str) -> str:
        """Where to reach a service by its name: its own address, or that of the process that runs them all."""
        return getattr(self, f"{service}_address", None) or self.services_address
