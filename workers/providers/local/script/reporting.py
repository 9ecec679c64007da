"""Where else the script's figures go: transformers reports to the same trackers as the job."""

from typing import Any

from workers.providers.local.script.code import literal
from workers.providers.provider import JobConfiguration

NO_PUSH = "The script pushes nothing to the Hugging Face Hub: `hf upload <user/model> <output folder>` does."
_TRACKERS = ("wandb", "mlflow", "trackio")


def arguments(configuration: JobConfiguration, display_name: str) -> dict[str, Any]:
    """For the trainer's configuration."""
    integrations = configuration.integrations
    trackers = [name for name in _TRACKERS if integrations.HasField(name)]
    if not trackers:
        return {"report_to": "none"}
    given = {"report_to": trackers, "run_name": getattr(integrations, trackers[0]).run_name or display_name}
    if integrations.HasField("trackio"):
        given |= {"project": integrations.trackio.project}
        given |= {"trackio_space_id": integrations.trackio.space_id} if integrations.trackio.space_id else {}
    return given


def environment(configuration: JobConfiguration) -> str | None:
    """Statements that set what the trackers read from the environment; None if there is nothing to set."""
    wandb, mlflow = configuration.integrations.wandb, configuration.integrations.mlflow
    wanted = {
        "WANDB_PROJECT": wandb.project,
        "WANDB_BASE_URL": wandb.base_url,
        "MLFLOW_EXPERIMENT_NAME": mlflow.experiment,
        "MLFLOW_TRACKING_URI": mlflow.tracking_uri,
    }
    written = [f"    os.environ.setdefault({literal(name)}, {literal(value)})" for name, value in wanted.items() if value]
    return "\n".join(written) if written else None


def differences(configuration: JobConfiguration) -> list[str]:
    """What goes nowhere."""
    return [NO_PUSH] if configuration.integrations.HasField("huggingface") else []
