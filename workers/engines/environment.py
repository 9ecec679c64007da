"""The Python that an engine runs in. Beside `cluster` the only file that speaks to Ray: an actor asks it for one more process."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.chassis.errors import FailedPrecondition
from workers.engines.offered import offered
from workers.providers.engines import ENGINES, SETTING, wanted

# An engine and its libraries are some gigabytes.
MAKING_S = 3600.0
LOOK_S = 0.5
# For Ray's uv, beside what it passes by itself.
_INSTALL_OPTIONS = ["--no-cache"]


class _Here:
    """What runs in the environment. Ray pickles this class with all it names, so it imports what it needs."""

    def python(self) -> str:
        import sys

        return sys.executable


@contextmanager
def engine_python(provider: str, look: Callable[[], None]) -> Iterator[str]:
    """The engine's Python while a job needs it; `look` is called while it is made, and may raise to stop.

    Raises FailedPrecondition if this pool has none, or if it can't be made.
    """
    given = offered(part.strip() for part in os.environ.get(SETTING, "").split(",") if part.strip())
    if provider not in given:
        text = f"this pool does not run {provider}; {wanted(provider)}"
        raise FailedPrecondition("ENGINE_NOT_OFFERED", text)
    python = given[provider]
    if python is None:
        with _made_by_ray(ENGINES[provider].packages, look) as made:
            yield made
        return
    if not Path(python).is_file():
        text = f"{SETTING} says that {provider} runs in {python}, which is not there; correct it and start the agent again"
        raise FailedPrecondition("ENGINE_NOT_INSTALLED", text)
    yield python


@contextmanager
def _made_by_ray(packages: tuple[str, ...], look: Callable[[], None]) -> Iterator[str]:
    """Ray makes an environment once for each machine, and keeps it while a process of it lives."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    environment = {"uv": {"packages": list(packages), "uv_pip_install_options": _INSTALL_OPTIONS}}
    holder: Any = ray.remote(_Here).options(num_cpus=0, num_gpus=0, runtime_env=environment, scheduling_strategy=here).remote()
    try:
        answer, until = holder.python.remote(), time.monotonic() + MAKING_S
        while not ray.wait([answer], timeout=LOOK_S)[0] and time.monotonic() < until:
            look()
        python: str = ray.get(answer, timeout=0)
        yield python
    except RayError as error:
        text = f"the environment for {', '.join(packages)} could not be made on this pool: {str(error).strip().splitlines()[-1]}"
        raise FailedPrecondition("ENGINE_NOT_INSTALLED", text) from error
    finally:
        ray.kill(holder, no_restart=True)
