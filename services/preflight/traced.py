"""The other way of estimating memory: a pool runs the model's own code without weights, and the formulas are held against it."""

from dataclasses import replace

from tunesmith.config.v1.hardware_pb2 import DISTRIBUTION_STRATEGY_DDP, DISTRIBUTION_STRATEGY_UNSPECIFIED
from tunesmith.config.v1.method_pb2 import TRAINING_OBJECTIVE_DISTILLATION, TRAINING_OBJECTIVE_DPO
from tunesmith.preflight.v1 import estimate_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.worker.v1 import inquiry_pb2

from services.preflight.estimate.workload import Workload
from services.preflight.facts import Facts
from services.preflight.findings import note
from services.preflight.sources import Missing, Sources

TIMEOUT_S = 60.0
# Further apart than this, neither of the two is believed.
AGREEMENT = 0.05
# Every device holds all of it, so that one of them is what was traced.
_WHOLE = (DISTRIBUTION_STRATEGY_UNSPECIFIED, DISTRIBUTION_STRATEGY_DDP)
_OF_TWO_PASSES = (TRAINING_OBJECTIVE_DPO, TRAINING_OBJECTIVE_DISTILLATION)
_COMPONENTS = {
    "weights": "weight_bytes",
    "adapters": "adapter_bytes",
    "gradients": "gradient_bytes",
    "optimizer": "optimizer_bytes",
    "activations": "activation_bytes",
    "logits": "logit_bytes",
}


async def traced(sources: Sources, facts: Facts) -> Facts:
    """The facts with memory as traced; as it was, with a finding that says why, where nobody could trace it."""
    workload, closed = facts.prediction.workload, facts.prediction.memory
    if workload is None or closed is None:
        return facts
    if not workload.base_model.configuration_json:
        return _with(facts, "the model's config.json is not known, so there is nothing to run; the formulas answer alone")
    if workload.strategy not in _WHOLE:
        return _with(facts, "a trace is of one device that holds everything, and this run is split; the formulas answer alone")
    if workload.configuration.method.objective in _OF_TWO_PASSES:
        text = "a trace is of one model that reads each row once, and this objective asks twice; the formulas answer alone"
        return _with(facts, text)
    question = inquiry_pb2.TraceQuestion(
        configuration_json=workload.base_model.configuration_json,
        configuration=workload.configuration,
        dataset_format=facts.training_dataset.format if facts.training_dataset is not None else None,
        row_tokens=workload.row_tokens,
        device_kind=workload.device.kind,
        all_logits=workload.execution.all_logits,
    )
    try:
        answer = await sources.ask(inquiry_pb2.Inquiry(trace=question), TIMEOUT_S)
    except Missing as missing:
        return _with(facts, f"{missing.message}; the formulas answer alone")
    if answer.WhichOneof("kind") != "trace" or not answer.trace.phases:
        return _with(facts, f"{answer.error.message or 'no pool could trace it'}; the formulas answer alone")
    memory = estimate_of(answer.trace, closed, workload)
    return replace(facts, prediction=replace(facts.prediction, memory=memory))


def estimate_of(trace: inquiry_pb2.Trace, closed: estimate_pb2.MemoryEstimate, workload: Workload) -> estimate_pb2.MemoryEstimate:
    """The traced phases, each with the overhead that the formulas know; of phases that were not traced the formulas' own."""
    phases = {phase.name: phase for phase in closed.phases}
    for one in trace.phases:
        overhead = _part(phases[one.name], "overhead") if one.name in phases else 0
        sizes = {name: getattr(one, field) for name, field in _COMPONENTS.items()} | {"overhead": overhead}
        components = [estimate_pb2.MemoryComponent(name=name, bytes=size) for name, size in sizes.items()]
        phases[one.name] = estimate_pb2.MemoryPhase(name=one.name, bytes=sum(sizes.values()), components=components)
    peak = max(phases.values(), key=lambda phase: phase.bytes)
    made = estimate_pb2.MemoryEstimate()
    made.CopyFrom(closed)
    del made.components[:]
    del made.phases[:]
    made.components.extend(peak.components)
    made.phases.extend(phases.values())
    made.peak_bytes = peak.bytes
    # The interval is as wide, in shares, as that of the formulas.
    made.low_bytes = round(closed.low_bytes / closed.peak_bytes * peak.bytes)
    made.high_bytes = round(closed.high_bytes / closed.peak_bytes * peak.bytes)
    made.basis = estimate_pb2.BASIS_TRACED
    made.closed_form_peak_bytes = closed.peak_bytes
    apart = abs(peak.bytes - closed.peak_bytes) / closed.peak_bytes
    agree = apart <= AGREEMENT
    made.confidence = estimate_pb2.CONFIDENCE_HIGH if agree else estimate_pb2.CONFIDENCE_LOW
    made.remarks.append(
        f"A pool ran the model's own code without weights in {trace.seconds:.1f} s; the formulas say "
        f"{closed.peak_bytes / 1e9:.2f} GB, {apart:.1%} {'apart' if agree else 'apart, so that neither is certain'}."
    )
    return made


def _part(phase: estimate_pb2.MemoryPhase, name: str) -> int:
    return next((part.bytes for part in phase.components if part.name == name), 0)


def _with(facts: Facts, why: str) -> Facts:
    finding: Finding = note("NOT_TRACED", "", why)
    return replace(facts, missing=[*facts.missing, finding])
