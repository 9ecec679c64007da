"""What the recipe that a configuration was made from needs of model, dataset and configuration."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding, Fix
from tunesmith.registry.v1.recipe_pb2 import Recipe

from services.chassis.knobs import native
from services.preflight import form, methods
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, note, put, warning
from services.preflight.formats import format_name, modality_name


def check(facts: Facts) -> Iterator[Finding]:
    """RECIPE_INACTIVE, RECIPE_METHOD_DIFFERS, RECIPE_REFUSES_QUANTIZED, RECIPE_NEEDS_WIDER_MODEL, RECIPE_FAMILY_UNTRIED,
    RECIPE_MODALITY_DIFFERS, RECIPE_DATASET_FORMAT, RECIPE_FIELD_MISSING."""
    recipe = facts.recipe
    if recipe is None:
        return
    if not recipe.active:
        yield note(
            "RECIPE_INACTIVE", "", f"the recipe {recipe.display_name} is no longer offered; choose another one for new jobs"
        )
    yield from _of_model(facts, recipe)
    yield from _of_configuration(facts, recipe)
    dataset = facts.training_dataset
    if dataset is not None and recipe.dataset_formats and dataset.format not in recipe.dataset_formats:
        wanted = ", ".join(format_name(one) for one in recipe.dataset_formats)
        text = (
            f"the recipe {recipe.display_name} trains on {wanted}, and {dataset.display_name} holds {format_name(dataset.format)}"
        )
        yield error("RECIPE_DATASET_FORMAT", "datasets.training_file_id", f"{text}; convert it, or choose another recipe")


def _of_model(facts: Facts, recipe: Recipe) -> Iterator[Finding]:
    model, path, name = facts.base_model, "model.base_model", recipe.display_name
    if model is None:
        return
    if model.quantized and not recipe.quantized_base_allowed:
        text = f"the recipe {name} needs original weights, and {model.display_name} is stored quantized; choose LoRA or QLoRA"
        yield error("RECIPE_REFUSES_QUANTIZED", path, text)
    hidden = model.architecture.hidden_size
    if 0 < hidden < recipe.min_hidden_size:
        text = (
            f"the recipe {name} needs a hidden size of at least {recipe.min_hidden_size}, and {model.display_name} has {hidden}"
        )
        yield error("RECIPE_NEEDS_WIDER_MODEL", path, f"{text}; choose a larger model or another recipe")
    if recipe.supported_families and model.family and model.family not in recipe.supported_families:
        text = f"the recipe {name} was tried with {', '.join(recipe.supported_families)}, not with {model.family}"
        yield warning("RECIPE_FAMILY_UNTRIED", path, f"{text}; it may work")
    if recipe.modality and model.modality and recipe.modality != model.modality:
        text = f"the recipe {name} is for {modality_name(recipe.modality)} models, and {model.display_name} is one of "
        yield error("RECIPE_MODALITY_DIFFERS", path, f"{text}{modality_name(model.modality)}; choose another recipe")


def _of_configuration(facts: Facts, recipe: Recipe) -> Iterator[Finding]:
    wanted = recipe.defaults.method.type
    if wanted and wanted != facts.configuration.method.type:
        now = form.short("method.type", facts.configuration.method.type)
        text = (
            f"the recipe {recipe.display_name} trains with {form.short('method.type', wanted)}, and the configuration says {now}"
        )
        change = methods.to_method(facts.configuration, wanted) if methods.acts(facts.provider, "method.type", wanted) else None
        yield note("RECIPE_METHOD_DIFFERS", "method.type", text, change)
    for path in recipe.required_fields:
        if path in form.knobs() and form.value_at(facts.submitted, path) in (None, ""):
            text = f"{path} is required by the recipe {recipe.display_name}: {form.knobs()[path].knob.help}"
            yield error("RECIPE_FIELD_MISSING", path, text, _default(path))


def _default(path: str) -> Fix | None:
    knob = form.knobs()[path]
    default = knob.knob.default_value
    if not default.WhichOneof("kind"):
        return None
    value = default.text if knob.field.enum_type is not None else native(knob.field, default)
    return fix(f"Set {form.label(path).lower()} to {value}", put(path, value))
