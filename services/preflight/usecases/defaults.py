"""Values for what a person left open, each with its reason."""

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.preflight.v1.suggestion_pb2 import SuggestedValue
from tunesmith.registry.v1 import base_model_pb2, recipe_pb2

from services.chassis.errors import InvalidArgument
from services.preflight import form
from services.preflight.defaults.advise import advise
from services.preflight.defaults.suggestion import Circumstances
from services.preflight.facts import Facts, gather
from services.preflight.predict import predicted
from services.preflight.sources import Sources
from services.preflight.usecases.recipes import appraise_all, refuse_missing
from workers.providers.provider import Provider

_MODEL = "model.base_model"


async def suggest_defaults(sources: Sources, request: messages.SuggestDefaultsRequest) -> messages.SuggestDefaultsResponse:
    """The configuration completed. Raises InvalidArgument if it names no base model, or something that is not there."""
    if not request.configuration.model.base_model:
        raise InvalidArgument([(f"configuration.{_MODEL}", "is required: what suits depends on the model; choose one first")])
    facts = predicted(await gather(sources, request.provider, request.configuration, request.recipe))
    refuse_missing(facts, {path: f"configuration.{path}" for path in (_MODEL, "datasets.training_file_id")})
    if facts.base_model is None or facts.provider is None:
        text = f"nothing is known yet of {request.configuration.model.base_model}; register it as a base model first"
        raise InvalidArgument([(f"configuration.{_MODEL}", text)])
    recipe = facts.recipe or _recommended(facts, await sources.recipes())
    draft = JobConfiguration()
    draft.CopyFrom(request.configuration)
    values = [
        SuggestedValue(field_path=one.path, value=ParseDict(one.value, Value()), reason=one.reason)
        for one in advise(_circumstances(facts, facts.base_model, facts.provider, recipe), draft)
    ]
    values.sort(key=lambda one: form.order()[one.field_path])
    return messages.SuggestDefaultsResponse(configuration=draft, values=values, recipe_id=recipe.id if recipe is not None else "")


def _recommended(facts: Facts, recipes: list[recipe_pb2.Recipe]) -> recipe_pb2.Recipe | None:
    """The best recipe that trains the way that is decided already, if there is one that suits."""
    method = facts.submitted.method
    fitting = [
        recipe
        for recipe in recipes
        if (not method.HasField("type") or recipe.defaults.method.type == method.type)
        and (not method.HasField("objective") or recipe.defaults.method.objective in (0, method.objective))
    ]
    best = next(iter(appraise_all(facts, fitting)), None)
    return best.recipe if best is not None and not best.objection else None


def _circumstances(
    facts: Facts, base_model: base_model_pb2.BaseModel, provider: Provider, recipe: recipe_pb2.Recipe | None
) -> Circumstances:
    place = facts.prediction.place

    def fits(draft: JobConfiguration) -> bool | None:
        return predicted(facts.with_configuration(draft), memory_only=True).prediction.fits

    return Circumstances(
        base_model=base_model,
        dataset=facts.training_dataset,
        statistics=facts.statistics,
        recipe=recipe,
        provider=provider,
        device=place.device if place is not None else None,
        device_count=place.device_count if place is not None else 1,
        fits=fits,
    )
