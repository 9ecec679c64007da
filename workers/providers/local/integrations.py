"""Where else metrics and weights go."""

from workers.providers.credentials import MLFLOW, TOKEN_RULE, WANDB, Secret, is_token_variable
from workers.providers.local.rules import sent
from workers.providers.provider import REFUSED, SENT, JobConfiguration, Lowered, Rule

_PUSHED = "the result is pushed there once it is stored; a repository that is not there is made, private"


def _begins(library: str, what: str) -> Rule:
    return sent(f"{library} gets {what}; a worker without that package says so, and trains on")


def key_rule(tracker: str, secret: Secret) -> Rule:
    """What is said of a credential that names a tracker's key."""

    def rule(resolved: JobConfiguration) -> list[Lowered]:
        name = getattr(resolved.integrations, tracker).credential_id
        if not secret.allows(name):
            return [Lowered(REFUSED, secret.rule)]
        return [Lowered(SENT, f"the worker takes the key from its environment variable {name or secret.variable}")]

    return rule


def _hub_credential(resolved: JobConfiguration) -> list[Lowered]:
    name = resolved.integrations.huggingface.credential_id
    if name and not is_token_variable(name):
        return [Lowered(REFUSED, TOKEN_RULE)]
    return [Lowered(SENT, f"the worker takes the token from its environment variable {name or 'HF_TOKEN'}")]


RULES: dict[str, Rule] = {
    "integrations.wandb.project": _begins("wandb", "a run in this project, with configuration and metrics"),
    "integrations.wandb.run_name": sent("wandb calls the run by it"),
    "integrations.wandb.credential_id": key_rule("wandb", WANDB),
    "integrations.wandb.base_url": sent("wandb speaks to this server"),
    "integrations.huggingface.credential_id": _hub_credential,
    "integrations.huggingface.output_repo_name": sent(_PUSHED),
    "integrations.mlflow.experiment": _begins("mlflow", "a run in this experiment, with configuration and metrics"),
    "integrations.mlflow.run_name": sent("mlflow calls the run by it"),
    "integrations.mlflow.tracking_uri": sent("mlflow speaks to this server"),
    "integrations.mlflow.credential_id": key_rule("mlflow", MLFLOW),
    "integrations.trackio.project": _begins("trackio", "a run in this project, with configuration and metrics"),
    "integrations.trackio.run_name": sent("trackio calls the run by it"),
    "integrations.trackio.space_id": sent("trackio shows the run in this Space"),
}
