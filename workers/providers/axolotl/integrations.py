"""Where else metrics go. Keys are the worker's: its runner puts them into the engine's environment."""

from typing import Any

from workers.providers.axolotl.rules import given
from workers.providers.credentials import MLFLOW, WANDB
from workers.providers.local.integrations import key_rule
from workers.providers.local.rules import sent
from workers.providers.provider import JobConfiguration, Rule, dropped

_NO_PUSH = "Axolotl would need the hub's token for the whole run; export the job's artifacts to a hub when it is done"


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it."""
    integrations = resolved.integrations
    wandb, mlflow, trackio = integrations.wandb, integrations.mlflow, integrations.trackio
    values: dict[str, Any] = {}
    if integrations.HasField("wandb"):
        values |= {"use_wandb": True, "wandb_project": wandb.project, "wandb_name": wandb.run_name or None}
    if integrations.HasField("mlflow"):
        values |= {"use_mlflow": True, "mlflow_experiment_name": mlflow.experiment, "mlflow_run_name": mlflow.run_name or None}
        values |= {"mlflow_tracking_uri": mlflow.tracking_uri or None}
    if integrations.HasField("trackio"):
        values |= {"use_trackio": True, "trackio_project_name": trackio.project, "trackio_run_name": trackio.run_name or None}
        values |= {"trackio_space_id": trackio.space_id or None}
    return {name: value for name, value in values.items() if value is not None}


RULES: dict[str, Rule] = {
    "integrations.wandb.project": given(arguments, "wandb_project"),
    "integrations.wandb.run_name": given(arguments, "wandb_name"),
    "integrations.wandb.credential_id": key_rule("wandb", WANDB),
    "integrations.wandb.base_url": sent("the engine's environment gets it as WANDB_BASE_URL"),
    "integrations.huggingface.credential_id": dropped(_NO_PUSH),
    "integrations.huggingface.output_repo_name": dropped(_NO_PUSH),
    "integrations.mlflow.experiment": given(arguments, "mlflow_experiment_name"),
    "integrations.mlflow.run_name": given(arguments, "mlflow_run_name"),
    "integrations.mlflow.tracking_uri": given(arguments, "mlflow_tracking_uri"),
    "integrations.mlflow.credential_id": key_rule("mlflow", MLFLOW),
    "integrations.trackio.project": given(arguments, "trackio_project_name"),
    "integrations.trackio.run_name": given(arguments, "trackio_run_name"),
    "integrations.trackio.space_id": given(arguments, "trackio_space_id"),
}
