"""`python -m supervisor`: the whole of Tunesmith in the foreground, until Ctrl-C or SIGTERM."""

import sys

from pydantic import ValidationError

from services.chassis.settings import Settings
from supervisor import probes, process
from supervisor.envoy import EnvoySettingsError
from supervisor.home import Home, open_home
from supervisor.ledger import Ledger
from supervisor.lock import HomeTakenError, held
from supervisor.parts import all_parts
from supervisor.signals import inbox
from supervisor.supervise import Supervisor, say

_STALE_PATIENCE_S = 5.0


class PortTakenError(RuntimeError):
    """A port that Tunesmith should listen on is somebody else's. The message names the setting."""


def main() -> int:
    """Run until told to stop. Returns the exit code: 0 after a signal, 1 with a sentence on standard error."""
    try:
        settings = Settings()
        home = open_home(settings.home)
        with held(home.lock):
            return _run(settings, home)
    except ValidationError as error:
        problems = [f"TUNESMITH_{str(each['loc'][0]).upper()}={each['input']}: {each['msg']}" for each in error.errors()]
        return _refuse("\n".join(problems))
    except (HomeTakenError, PortTakenError, EnvoySettingsError, PermissionError) as error:
        return _refuse(str(error))


def _run(settings: Settings, home: Home) -> int:
    ledger = Ledger(home.processes)
    # Signals first: a Ctrl-C while an earlier run is cleared away must not leave half of it.
    with inbox() as signals:
        if left_over := ledger.left_over():
            process.end(left_over, _STALE_PATIENCE_S)
            say(f"ended {len(left_over)} processes that an earlier run left")
        _check_ports(settings)
        process.adopt_orphans()
        return Supervisor(all_parts(settings, home), home, ledger).run(signals)


def _check_ports(settings: Settings) -> None:
    if settings.port == settings.worker_port:
        raise PortTakenError(
            f"TUNESMITH_PORT and TUNESMITH_WORKER_PORT are both {settings.port}; set one of them to another port."
        )
    for name, port in (("TUNESMITH_PORT", settings.port), ("TUNESMITH_WORKER_PORT", settings.worker_port)):
        if not probes.address_is_free(settings.host, port):
            raise PortTakenError(
                f"Port {port} of {settings.host} is in use or not allowed; stop what listens there, or set {name} to a free port."
            )


def _refuse(reason: str) -> int:
    sys.stderr.write(reason + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
