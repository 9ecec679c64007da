"""Whether it fits, and what makes it fit.

A run that does not fit even if the estimate is as far too high as estimates get is an error; one that fits only if the estimate
is right, or only if it is too high, needs a person's word. The changes are tried one upon the other, those first that cost the
least in time and quality, until the estimate says that nineteen in twenty such runs fit.

Of a configuration that was run and ran out of memory the estimate was too low: then even the highest estimate of what should fit
has to lie below the estimate of what did not.
"""

from collections.abc import Callable, Iterator

from google.protobuf.json_format import MessageToDict
from tunesmith.client.fixes import apply_fixes
from tunesmith.config.v1 import optimizations_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import FieldEdit, Finding, Fix

from services.preflight import form, methods, words
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, put, warning
from services.preflight.predict import predicted
from workers.providers.provider import Provider

PATH = "schedule.batch_size"
ENABLED = "optimizations.enabled"
# Shorter than this a change to the sequence length would cut most conversations.
LEAST_SEQUENCE = 512
# Each answers the edits of one change, none if it does not apply, and what to call it.
Change = Callable[[JobConfiguration, Provider | None], tuple[str, list[FieldEdit]] | None]


def check(facts: Facts) -> Iterator[Finding]:
    """OUT_OF_MEMORY, MEMORY_TIGHT."""
    expected = facts.prediction
    if facts.ran_out_of_memory_bytes is not None:
        yield _after_running_out(facts, facts.ran_out_of_memory_bytes)
        return
    if expected.fits is not False or expected.memory is None:
        return
    memory, device = expected.memory, expected.device_bytes
    name = expected.place.device.name if expected.place is not None and expected.place.device.name else "the device"
    span = f"{words.size(memory.low_bytes)} to {words.size(memory.high_bytes)}"
    text = f"it takes about {words.size(memory.peak_bytes)} ({span}), and {name} has {words.size(device)}"
    change = smaller(facts)
    advice = "" if change is not None else "; no setting makes it fit: choose a smaller model or a larger device"
    if memory.low_bytes > device:
        yield error("OUT_OF_MEMORY", PATH, f"{text}: it does not fit{advice}", change)
    elif memory.peak_bytes > device:
        yield warning("MEMORY_TIGHT", PATH, f"{text}: it probably does not fit{advice}", change)
    else:
        yield warning("MEMORY_TIGHT", PATH, f"{text}: it fits narrowly, if the estimate is right{advice}", change)


def _after_running_out(facts: Facts, device_bytes: int) -> Finding:
    """What should fit, after the configuration did not."""
    expected = facts.prediction
    text = f"it ran out of memory on a device of {words.size(device_bytes)}" if device_bytes else "it ran out of memory"
    if expected.memory is None:
        return error("OUT_OF_MEMORY", PATH, f"{text}; lower it, or schedule.sequence_length")
    room = min(size for size in (device_bytes, expected.device_bytes, expected.memory.peak_bytes) if size)
    change = smaller(facts, room)
    advice = "" if change is not None else "; no setting makes it fit: choose a smaller model or a larger device"
    text = f"{text}, where about {words.size(expected.memory.peak_bytes)} was expected{advice}"
    return error("OUT_OF_MEMORY", PATH, text, change)


def smaller(facts: Facts, room: int | None = None) -> Fix | None:
    """The first changes, one upon the other, with which it fits into so many bytes, or the device; None if none do."""
    edits: list[FieldEdit] = []
    labels: list[str] = []
    now = facts
    for change in LADDER:
        # A change that halves may be made again and again.
        for _ in range(16):
            made = change(now.configuration, facts.provider)
            if made is None:
                break
            label, more = made
            labels.append(label)
            edits += more
            tried = facts.with_configuration(apply_fixes(facts.submitted, [Finding(fix=fix("", *edits))]))
            now = predicted(tried, memory_only=True)
            if _fits(now, room):
                return _as_fix(labels, edits)
    return None


def _fits(facts: Facts, room: int | None) -> bool:
    memory = facts.prediction.memory
    if room is None or memory is None:
        return bool(facts.prediction.fits)
    return memory.high_bytes <= room


def _as_fix(labels: list[str], edits: list[FieldEdit]) -> Fix:
    """The edits, of each field the last."""
    last = {edit.field_path: edit for edit in edits}
    names = list(dict.fromkeys(labels))
    shown = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return fix(shown[0].upper() + shown[1:], *last.values())


def _switch_on(feature: optimizations_pb2.OptimizationFeature, label: str) -> Change:
    def change(configuration: JobConfiguration, provider: Provider | None) -> tuple[str, list[FieldEdit]] | None:
        if feature in configuration.optimizations.enabled or not methods.acts(provider, ENABLED, feature):
            return None
        names = MessageToDict(configuration.optimizations).get("enabled", [])
        return label, [put(ENABLED, [*names, optimizations_pb2.OptimizationFeature.Name(feature)])]

    return change


def _halve_batch(configuration: JobConfiguration, provider: Provider | None) -> tuple[str, list[FieldEdit]] | None:
    """Half the rows at once, twice as often, as far as the range of the accumulation goes."""
    batch, times = configuration.schedule.batch_size, configuration.schedule.gradient_accumulation
    if batch <= 1:
        return None
    half = batch // 2
    most = form.knobs()["schedule.gradient_accumulation"].rules.int32.lte
    times = min(most, round(times * batch / half))
    return "use smaller batches", [put("schedule.batch_size", half), put("schedule.gradient_accumulation", times)]


def _halve_sequence(configuration: JobConfiguration, provider: Provider | None) -> tuple[str, list[FieldEdit]] | None:
    length = configuration.schedule.sequence_length
    if length <= LEAST_SEQUENCE:
        return None
    return "shorten sequences", [put("schedule.sequence_length", max(LEAST_SEQUENCE, length // 2))]


def _no_masters(configuration: JobConfiguration, provider: Provider | None) -> tuple[str, list[FieldEdit]] | None:
    if configuration.method.type != methods.FULL or not configuration.model.master_weights:
        return None
    return "hold weights in 16 bits", [put("model.master_weights", False)]


def _to(method: int, *before: int) -> Change:
    def change(configuration: JobConfiguration, provider: Provider | None) -> tuple[str, list[FieldEdit]] | None:
        if configuration.method.type not in before or not methods.acts(provider, "method.type", method):
            return None
        name = form.short("method.type", method)
        return f"train with {name}", list(methods.edits(configuration, method))  # type: ignore[arg-type]

    return change


LADDER: tuple[Change, ...] = (
    _switch_on(optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING, "switch on gradient checkpointing"),
    _halve_batch,
    _switch_on(optimizations_pb2.OPTIMIZATION_FEATURE_OPTIMIZER_8BIT, "use an 8-bit optimizer"),
    _no_masters,
    _to(methods.LORA, methods.FULL),
    _to(methods.QLORA, methods.LORA, methods.FULL),
    _halve_sequence,
)
