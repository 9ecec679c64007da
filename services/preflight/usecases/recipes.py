"""Which recipes suit a model and a dataset, and how much memory each needs at least."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.config.v1.optimizations_pb2 import OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING
from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, Finding
from tunesmith.preflight.v1.suggestion_pb2 import SuggestedRecipe
from tunesmith.registry.v1 import recipe_pb2

from services.chassis.errors import InvalidArgument
from services.preflight import words
from services.preflight.checks import run_checks
from services.preflight.facts import Facts, gather
from services.preflight.predict import predicted
from services.preflight.prediction import Prediction
from services.preflight.sources import Sources

# Of recipes that suit equally well, the one that costs least goes first.
_PREFERENCE = (
    recipe_pb2.RECIPE_TYPE_DPO,
    recipe_pb2.RECIPE_TYPE_LORA,
    recipe_pb2.RECIPE_TYPE_VISION_LORA,
    recipe_pb2.RECIPE_TYPE_QLORA,
    recipe_pb2.RECIPE_TYPE_FULL,
    recipe_pb2.RECIPE_TYPE_PROMPT_TUNING,
)
_TOO_LARGE = "OUT_OF_MEMORY"
_TRAINING = "datasets.training_file_id"
_SMALLEST_ROW_TOKENS = 512
# Not the recipe's doing: how the model is come by, and what pools there are.
_ABOUT_OTHERS = frozenset({"PRIVATE_MODEL_NEEDS_CREDENTIAL", "MODEL_NOT_CACHED", "NO_SUCH_DEVICE", "NO_POOL"})
# What requests name outside of the configuration, by what is said when it is not there.
_OUTSIDE = {"PROVIDER_UNKNOWN": "provider", "RECIPE_NOT_FOUND": "recipe"}


@dataclass(frozen=True)
class Appraisal:
    """A recipe, tried on a model and a dataset."""

    recipe: recipe_pb2.Recipe
    findings: list[Finding]
    prediction: Prediction
    minimum_device_bytes: int

    @property
    def objection(self) -> str:
        """What speaks against it, in a sentence; empty if nothing does. Too large a batch is no objection."""
        wrong = (one for one in self.findings if one.severity == SEVERITY_ERROR)
        return next((one.message for one in wrong if one.code != _TOO_LARGE or not self.fits_smaller), "")

    @property
    def fits_smaller(self) -> bool:
        """Whether it fits with the smallest batches, if not with its own."""
        return 0 < self.minimum_device_bytes <= self.prediction.device_bytes

    @property
    def rank(self) -> tuple[bool, int]:
        """Smaller is better."""
        place = _PREFERENCE.index(self.recipe.type) if self.recipe.type in _PREFERENCE else len(_PREFERENCE)
        return bool(self.objection), place


async def suggest_recipes(sources: Sources, request: messages.SuggestRecipesRequest) -> messages.SuggestRecipesResponse:
    """Every recipe that is offered, best first. Raises InvalidArgument if there is no such model or dataset."""
    configuration = JobConfiguration(hardware=request.hardware)
    configuration.model.base_model = request.base_model
    if request.training_file_id:
        configuration.datasets.training_file_id = request.training_file_id
    facts = await gather(sources, request.provider, configuration)
    refuse_missing(facts, {"model.base_model": "base_model", _TRAINING: "training_file_id"})
    appraised = appraise_all(facts, await sources.recipes())
    return messages.SuggestRecipesResponse(recipes=[_suggestion(one, first=one is appraised[0]) for one in appraised])


def appraise_all(facts: Facts, recipes: Iterable[recipe_pb2.Recipe]) -> list[Appraisal]:
    """The recipes as they suit what the configuration names, best first."""
    return sorted((_appraise(facts, recipe) for recipe in recipes), key=lambda one: one.rank)


def refuse_missing(facts: Facts, names: dict[str, str]) -> None:
    """Raise InvalidArgument for what was named and is not there; `names` are paths in the configuration as the request's."""
    missing = [one for one in facts.missing if one.severity == SEVERITY_ERROR]
    if missing:
        paths = [_OUTSIDE.get(one.code) or names.get(one.field_path, one.field_path) for one in missing]
        violations = [(path, one.message) for path, one in zip(paths, missing, strict=True)]
        raise InvalidArgument(violations, [one.code for one in missing])


def _appraise(facts: Facts, recipe: recipe_pb2.Recipe) -> Appraisal:
    configuration = JobConfiguration()
    configuration.CopyFrom(recipe.defaults)
    configuration.model.base_model = facts.submitted.model.base_model
    if facts.submitted.datasets.training_file_id:
        configuration.datasets.training_file_id = facts.submitted.datasets.training_file_id
    if facts.submitted.HasField("hardware"):
        configuration.hardware.CopyFrom(facts.submitted.hardware)
    tried = predicted(replace(facts.with_configuration(configuration), recipe=recipe))
    # Nobody has to choose a dataset before a recipe.
    undecided = None if configuration.datasets.training_file_id else _TRAINING
    findings = [one for one in run_checks(tried) if one.code not in _ABOUT_OTHERS and one.field_path != undecided]
    return Appraisal(recipe, findings, tried.prediction, _minimum_device_bytes(tried))


def _minimum_device_bytes(facts: Facts) -> int:
    configuration = JobConfiguration()
    configuration.CopyFrom(facts.submitted)
    configuration.schedule.batch_size = 1
    configuration.schedule.sequence_length = _SMALLEST_ROW_TOKENS
    if OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING not in configuration.optimizations.enabled:
        configuration.optimizations.enabled.append(OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING)
    memory = predicted(facts.with_configuration(configuration), memory_only=True).prediction.memory
    return memory.high_bytes if memory is not None else 0


def _suggestion(appraisal: Appraisal, *, first: bool) -> SuggestedRecipe:
    return SuggestedRecipe(
        recipe=appraisal.recipe,
        suitable=not appraisal.objection,
        recommended=first and not appraisal.objection,
        reason=_reason(appraisal),
        findings=appraisal.findings,
        minimum_device_bytes=appraisal.minimum_device_bytes,
        memory=appraisal.prediction.memory,
    )


def _reason(appraisal: Appraisal) -> str:
    if appraisal.objection:
        return appraisal.objection
    memory, device = appraisal.prediction.memory, appraisal.prediction.device_bytes
    if memory is None:
        return "nothing speaks against it; how much memory it takes is not known"
    takes = f"takes about {words.size(memory.peak_bytes)}"
    if appraisal.prediction.fits is None:
        return f"nothing speaks against it; it {takes}"
    if appraisal.prediction.fits:
        return f"{takes} of {words.size(device)}"
    least = words.size(appraisal.minimum_device_bytes)
    return f"{takes} with its own settings; with smaller batches and checkpointing it fits into {least} of {words.size(device)}"
