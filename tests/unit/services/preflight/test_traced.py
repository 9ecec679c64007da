"""Memory as a pool traced it, beside what the formulas say."""

import tempfile
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.preflight.v1 import estimate_pb2
from tunesmith.preflight.v1.preflight_service_pb2 import CheckConfigurationRequest
from tunesmith.preflight.v1.preflight_service_pb2_grpc import PreflightServiceStub
from tunesmith.preflight.v1.report_pb2 import Report
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.settings import Settings
from services.preflight.service import build
from tests.fakes.inquiries import Answer, FakeInquiries, with_error
from tests.fakes.registry import FakeRegistry
from tests.fakes.server import running
from tests.unit.services.preflight.known import BASE, GPT_2, changed, codes, the


async def asked(answer: Answer | None, **fields: object) -> tuple[Report, Report, FakeInquiries]:
    """The report by formulas, the traced one, and what pools were asked."""
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        settings = Settings(home=Path(folder), services_address=f"unix:{folder}/s")
        registry, inquiries = FakeRegistry(), FakeInquiries()
        inquiries.answer = answer
        registry.base_models["llama"] = changed(GPT_2, **{"configuration_json": '{"model_type": "gpt2"}', **fields})
        registry.add_dataset("rows", row_count=1000)
        async with running([registry, inquiries, *await build(settings)], settings.services_address) as channel:
            stub = PreflightServiceStub(channel)
            reports = []
            for estimation in ("ESTIMATION_CLOSED_FORM", "ESTIMATION_TRACED"):
                request = ParseDict({"configuration": BASE, "estimation": estimation}, CheckConfigurationRequest())
                reports.append((await stub.CheckConfiguration(request)).report)
        return (*reports, inquiries)


def tracing(activation_bytes: int) -> Answer:
    def answer(inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        trace = inquiry_pb2.Trace(seconds=0.3)
        for name in ("forward", "backward", "optimizer_step"):
            trace.phases.add(name=name, weight_bytes=250_000_000, adapter_bytes=1, activation_bytes=activation_bytes)
        return inquiry_pb2.InquiryAnswer(inquiry_id=inquiry.id, trace=trace)

    return answer


async def test_the_trace_is_the_estimate_and_the_formulas_stand_beside_it() -> None:
    closed, traced, inquiries = await asked(tracing(20_000_000_000))
    memory = traced.memory
    assert memory.basis == estimate_pb2.BASIS_TRACED
    assert memory.closed_form_peak_bytes == closed.memory.peak_bytes
    assert sum(part.bytes for part in memory.components) == memory.peak_bytes > 20_000_000_000
    assert [phase.name for phase in memory.phases] == [phase.name for phase in closed.memory.phases]
    # Far apart: neither is believed.
    assert memory.confidence == estimate_pb2.CONFIDENCE_LOW
    [inquiry] = inquiries.asked
    assert (inquiry.trace.configuration_json, inquiry.trace.row_tokens) == ('{"model_type": "gpt2"}', 1024)
    assert inquiry.trace.configuration.schedule.epochs == 3


async def test_two_ways_that_agree_are_believed() -> None:
    closed, _, _ = await asked(None)
    backward = next(phase for phase in closed.memory.phases if phase.bytes == closed.memory.peak_bytes)
    overhead = next(part.bytes for part in backward.components if part.name == "overhead")
    rest = closed.memory.peak_bytes - overhead - 250_000_000
    _, traced, _ = await asked(tracing(round(rest * 1.02)))
    assert traced.memory.confidence == estimate_pb2.CONFIDENCE_HIGH
    assert traced.memory.peak_bytes != closed.memory.peak_bytes


@pytest.mark.parametrize(
    ("answer", "fields", "says"),
    [
        (None, {}, "no pool is there"),
        (with_error("this architecture needs code of its own"), {}, "needs code of its own"),
        (tracing(1), {"configuration_json": ""}, "config.json is not known"),
    ],
)
async def test_without_a_trace_the_formulas_answer_alone(answer: Answer | None, fields: dict, says: str) -> None:
    closed, traced, _ = await asked(answer, **fields)
    assert says in the(traced, "NOT_TRACED").message
    assert traced.memory == closed.memory
    assert "NOT_TRACED" not in codes(closed)
