"""The `unsloth` provider: Unsloth's loader and kernels, in an environment of its own on a pool that has it."""

from tunesmith.config.v1 import datasets_pb2, method_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.engines import wanted
from workers.providers.local import datasets, optimizer, schedule
from workers.providers.local.script.rows import CONVERSIONS
from workers.providers.provider import DROPPED, REFUSED, FieldLowering, NeverActs, Provider, Rule, dropped, settings_of
from workers.providers.unsloth import loading, optimizations
from workers.providers.unsloth.translation import translate

PROVIDER_ID = "unsloth"
_ONE_DEVICE = "unsloth trains on the first GPU of the pool that leases the job"
_NO_TRACKERS = "unsloth's script reports to no tracker; read the job's metrics, or use provider local"
_NO_PUSH = "export the job's artifacts to a hub when it is done"

# Those of texts, which the script that Unsloth is run with can read.
FORMATS = tuple(each for each in CONVERSIONS if datasets.SHAPES[each] in datasets.READ[method_pb2.TRAINING_OBJECTIVE_SFT])

RULES: dict[str, Rule] = {
    **loading.RULES,
    **datasets.RULES,
    **schedule.RULES,
    **optimizer.RULES,
    **optimizations.RULES,
    "schedule.early_stopping_patience": dropped("unsloth runs to the end; remove it, or use provider local"),
    "schedule.keep_best": dropped("unsloth's result is what stands at the end; remove it, or use provider local"),
    "schedule.histograms": dropped("unsloth takes no histograms; remove it, or use provider local"),
    "schedule.step_timeout_seconds": dropped("unsloth waits for a step as long as it takes; remove it"),
    "hardware.gpu_type": dropped(f"{_ONE_DEVICE}; run a pool on the GPU you want"),
    "hardware.num_gpus": dropped(f"{_ONE_DEVICE}; remove it"),
    "hardware.strategy": dropped(f"{_ONE_DEVICE}, so there is nothing to distribute; remove it"),
    "hardware.num_processes": dropped(f"{_ONE_DEVICE}, in one process; remove it"),
    "hardware.gpu_share": dropped(f"{_ONE_DEVICE}, all of it; remove it"),
    **{f"integrations.wandb.{name}": dropped(_NO_TRACKERS) for name in ("project", "run_name", "credential_id", "base_url")},
    **{f"integrations.huggingface.{name}": dropped(_NO_PUSH) for name in ("credential_id", "output_repo_name")},
    **{
        f"integrations.mlflow.{name}": dropped(_NO_TRACKERS)
        for name in ("experiment", "run_name", "tracking_uri", "credential_id")
    },
    **{f"integrations.trackio.{name}": dropped(_NO_TRACKERS) for name in ("project", "run_name", "space_id")},
    "output.suffix": dropped("unsloth's result has no title; remove it"),
    "metadata": NeverActs(DROPPED, "unsloth reads no settings that no check has seen; remove it", settings_of(PROVIDER_ID)),
}


def refuse_dataset(
    dataset_format: dataset_pb2.DatasetFormat,
    strategy: datasets_pb2.DatasetStrategy | None,
    field_path: str = "datasets.training_file_id",
    objective: method_pb2.TrainingObjective = method_pb2.TRAINING_OBJECTIVE_SFT,
) -> list[FieldLowering]:
    """Why Unsloth can't train on such a dataset here; empty if it can. Another objective is refused by itself."""
    refusals = datasets.refuse_dataset(dataset_format, strategy, field_path, method_pb2.TRAINING_OBJECTIVE_SFT)
    if dataset_format in FORMATS or refusals:
        return refusals
    detail = "unsloth trains on text alone here; upload a text dataset, or use provider local"
    return [FieldLowering(field_path=field_path, action=REFUSED, detail=detail)]


UNSLOTH = Provider(
    id=PROVIDER_ID,
    display_name="Unsloth (on a pool that has it)",
    rules=RULES,
    choices={
        "method.type": loading.METHODS,
        "method.objective": loading.OBJECTIVES,
        "model.precision": loading.PRECISIONS,
        "optimizations.enabled": optimizations.OPTIMIZATIONS,
    },
    dataset_formats=FORMATS,
    translate=translate,
    refuse_dataset=refuse_dataset,
    wanted=wanted(PROVIDER_ID),
)
