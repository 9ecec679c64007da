"""What a recipe may say: its defaults hold by themselves, and the fields that it names are there."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

from tunesmith.client.field_problems import leaf_paths
from tunesmith.client.validation import violations_of
from tunesmith.config.v1 import method_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import base_model_pb2, recipe_pb2
from tunesmith.registry.v1 import recipe_service_pb2 as messages

from services.chassis.errors import InvalidArgument
from services.registry.domain import refuse_control_characters

# What only a job knows. A recipe that named them would be that job.
_OF_A_JOB = (("model", "base_model"), ("datasets", "training_file_id"), ("datasets", "validation_file_id"))
_PLACEHOLDER = "of-the-job"

_METHODS: Mapping[int, method_pb2.TrainingMethod] = {
    recipe_pb2.RECIPE_TYPE_LORA: method_pb2.TRAINING_METHOD_LORA,
    recipe_pb2.RECIPE_TYPE_QLORA: method_pb2.TRAINING_METHOD_QLORA,
    recipe_pb2.RECIPE_TYPE_FULL: method_pb2.TRAINING_METHOD_FULL,
    recipe_pb2.RECIPE_TYPE_VISION_LORA: method_pb2.TRAINING_METHOD_LORA,
    recipe_pb2.RECIPE_TYPE_PROMPT_TUNING: method_pb2.TRAINING_METHOD_PROMPT_TUNING,
}

_PATHS = frozenset(leaf_paths(JobConfiguration.DESCRIPTOR))


def checked(content: messages.RecipeContent, field: str) -> recipe_pb2.Recipe:
    """A recipe that says this, without id and times. Raises InvalidArgument with everything that is wrong below `field`."""
    refuse_control_characters(f"{field}.display_name", content.display_name)
    violations = [
        *_of_a_job(content.defaults, f"{field}.defaults"),
        *_broken_rules(content, f"{field}.defaults"),
        *_contradictions(content, f"{field}.defaults"),
        *_unknown(content.required_fields, f"{field}.required_fields"),
        *_unknown(content.optional_fields, f"{field}.optional_fields"),
    ]
    if violations:
        raise InvalidArgument(violations)
    return recipe_pb2.Recipe(
        display_name=content.display_name,
        description=content.description,
        type=content.type,
        modality=content.modality or base_model_pb2.MODALITY_TEXT,
        defaults=content.defaults,
        required_fields=content.required_fields,
        optional_fields=content.optional_fields,
        supported_families=content.supported_families,
        dataset_formats=content.dataset_formats,
        quantized_base_allowed=content.quantized_base_allowed,
        min_hidden_size=content.min_hidden_size,
        recommended=content.recommended,
        active=content.active if content.HasField("active") else True,
    )


def _of_a_job(defaults: JobConfiguration, field: str) -> Iterator[tuple[str, str]]:
    for section, name in _OF_A_JOB:
        if getattr(defaults, section).HasField(name):
            yield (
                f"{field}.{section}.{name}",
                "is chosen for each job, not by a recipe; leave it out, and name it in required_fields",
            )


def _broken_rules(content: messages.RecipeContent, field: str) -> Iterator[tuple[str, str]]:
    """What would be refused in every job with these defaults, whichever model and dataset it had."""
    completed = JobConfiguration()
    completed.CopyFrom(content.defaults)
    completed.model.base_model = _PLACEHOLDER
    completed.datasets.training_file_id = _PLACEHOLDER
    completed.datasets.ClearField("validation_file_id")
    if not completed.method.HasField("type"):
        completed.method.type = _METHODS.get(content.type, method_pb2.TRAINING_METHOD_FULL)
        _add_shape(completed.method)
    for violation in violations_of(completed, field):
        yield violation.field, violation.description


def _add_shape(method: method_pb2.Method) -> None:
    """The section that a method cannot do without; it may be empty, and the job has to send it anyway."""
    if method.type in (method_pb2.TRAINING_METHOD_LORA, method_pb2.TRAINING_METHOD_QLORA):
        method.lora_config.SetInParent()
    elif method.type == method_pb2.TRAINING_METHOD_PROMPT_TUNING:
        method.prompt_tuning_config.SetInParent()


def _contradictions(content: messages.RecipeContent, field: str) -> Iterator[tuple[str, str]]:
    """Where the defaults train in another way than the recipe's type says."""
    method = content.defaults.method
    wanted = _METHODS.get(content.type)
    kind = recipe_pb2.RecipeType.Name(content.type)
    if wanted is not None and method.HasField("type") and method.type != wanted:
        text = f"is not what {kind} trains; set it to {method_pb2.TrainingMethod.Name(wanted)}, or change the recipe's type"
        yield f"{field}.method.type", text
    preferences = content.type == recipe_pb2.RECIPE_TYPE_DPO
    objective = method_pb2.TRAINING_OBJECTIVE_DPO if preferences else method_pb2.TRAINING_OBJECTIVE_SFT
    if method.HasField("objective") and method.objective != objective:
        name = method_pb2.TrainingObjective.Name(objective)
        yield f"{field}.method.objective", f"is not what {kind} optimises; set it to {name}, or change the recipe's type"


def _unknown(paths: Iterable[str], field: str) -> Iterator[tuple[str, str]]:
    """Paths that no configuration has."""
    for index, path in enumerate(paths):
        if path not in _PATHS:
            near = difflib.get_close_matches(path, sorted(_PATHS), 1)
            advice = f"did you mean {near[0]}?" if near else "GET /v1/parameters lists its fields"
            yield f"{field}[{index}]", f"{path!r} is no field of a configuration; {advice}"
