"""Numbers outside of the range in which results are usually good.

Only what somebody set is looked at: a default needs no confirmation. The numbers that ruin most runs when they are off (epochs,
batch size, learning rate, rank) are warnings; the others are notes. The recommended ranges are those of models with a billion
parameters. A model of a few million is trained with rates and ranks that would ruin a large one, so on such a model a knob with
a logarithmic scale may be ten times off before it is a warning.
"""

from collections.abc import Iterator

from tunesmith.options.v1 import field_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding

from services.chassis.knobs import KnobField, set_paths
from services.preflight import form
from services.preflight.facts import Facts
from services.preflight.findings import fix, note, put, warning

WARNED_OF = frozenset({"schedule.epochs", "schedule.batch_size", "optimizer.learning_rate", "method.lora_config.rank"})
# Alpha is good or bad by its rank.
JUDGED_ELSEWHERE = frozenset({"method.lora_config.alpha"})
SMALL_MODEL_PARAMETERS = 100_000_000
SMALL_MODEL_FACTOR = 10.0
_LOGARITHMIC = (field_pb2.SCALE_LOG2, field_pb2.SCALE_LOG10)


def check(facts: Facts) -> Iterator[Finding]:
    """OUTSIDE_RECOMMENDED."""
    asked = set(set_paths(facts.submitted)) - {finding.field_path for finding in facts.broken_rules} - JUDGED_ELSEWHERE
    if facts.row_ceiling < facts.configuration.schedule.sequence_length:
        # The model's own limit is the nearer one.
        asked.discard("schedule.sequence_length")
    for path, knob in form.knobs().items():
        value = form.value_at(facts.configuration, path) if path in asked and knob.knob.HasField("recommended") else None
        if value is None or recommended(knob, value) == value:
            continue
        nearest = recommended(knob, value)
        least, most = knob.knob.recommended.min, knob.knob.recommended.max
        text = f"{path} is {value:g}, and {least:g} to {most:g} is recommended: {knob.knob.help}"
        say = warning if path in WARNED_OF and not _bearable(facts, knob, value) else note
        yield say("OUTSIDE_RECOMMENDED", path, text, fix(f"Set {form.label(path).lower()} to {nearest:g}", put(path, nearest)))


def recommended(knob: KnobField, value: float) -> float:
    """The value of the recommended range that is nearest to another."""
    return float(min(max(value, knob.knob.recommended.min), knob.knob.recommended.max))


def _bearable(facts: Facts, knob: KnobField, value: float) -> bool:
    model = facts.base_model
    if model is None or not 0 < model.parameter_count < SMALL_MODEL_PARAMETERS or knob.knob.scale not in _LOGARITHMIC:
        return False
    least, most = knob.knob.recommended.min, knob.knob.recommended.max
    return least / SMALL_MODEL_FACTOR <= value <= most * SMALL_MODEL_FACTOR
