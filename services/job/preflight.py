"""What the preflight service says of a job that is to be created."""

import grpc
from tunesmith.config.v1 import job_configuration_pb2
from tunesmith.job.v1 import job_pb2, job_service_pb2
from tunesmith.preflight.v1 import finding_pb2, preflight_service_pb2, report_pb2
from tunesmith.preflight.v1.preflight_service_pb2_grpc import PreflightServiceStub
from tunesmith.provider.v1 import lowering_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument, Unavailable

# Field paths in answers are paths in the request.
SPEC = "configuration"
# The one finding about what is beside the configuration.
OF_THE_REQUEST = {"PROVIDER_UNKNOWN": "provider"}
TIMEOUT_S = 20.0
# A worker waits for the answer to its report.
ADVICE_TIMEOUT_S = 8.0


class Preflight:
    """The preflight service as the job service sees it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PreflightServiceStub(channel)

    async def report(self, request: job_service_pb2.CreateJobRequest) -> report_pb2.Report:
        """Everything about a job's configuration. Raises Unavailable if nobody answers."""
        question = preflight_service_pb2.CheckConfigurationRequest(provider=request.provider, configuration=request.configuration)
        try:
            return (await self._stub.CheckConfiguration(question, timeout=TIMEOUT_S)).report
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED):
                text = "the preflight service does not answer just now, and no job is created unchecked; try again in a moment"
                raise Unavailable("PREFLIGHT_UNAVAILABLE", text) from error
            raise

    async def what_fits(
        self, provider: str, configuration: job_configuration_pb2.JobConfiguration, device_bytes: int
    ) -> finding_pb2.Fix | None:
        """Changes with which a configuration should fit that ran out of memory on a device of so many bytes; None if there are
        none. Raises AioRpcError if nobody answers."""
        question = preflight_service_pb2.CheckConfigurationRequest(
            provider=provider, configuration=configuration, ran_out_of_memory_bytes=device_bytes
        )
        report = (await self._stub.CheckConfiguration(question, timeout=ADVICE_TIMEOUT_S)).report
        found = (one.fix for one in report.findings if one.code == "OUT_OF_MEMORY" and one.HasField("fix"))
        return next(found, None)


def refuse(report: report_pb2.Report, *, accept_warnings: bool, strict: bool) -> None:
    """Raise with every error; if there is none, with every warning that was not accepted.

    If the request is strict, a field that would be dropped is an error too.
    """
    errors = [(_path(one), one.message, one.code) for one in report.findings if one.severity == finding_pb2.SEVERITY_ERROR]
    if strict:
        dropped = [one for one in report.lowering if one.action == lowering_pb2.LOWERING_ACTION_DROPPED]
        errors += [(f"{SPEC}.{one.field_path}", one.detail, "FIELD_DROPPED") for one in dropped]
    if errors:
        raise InvalidArgument([(path, text) for path, text, _ in errors], [code for _, _, code in errors])
    warnings = [one for one in report.findings if one.severity == finding_pb2.SEVERITY_WARNING]
    if warnings and not accept_warnings:
        shown = "; ".join(one.message for one in warnings)
        metadata = {"field_path": _path(warnings[0]), "codes": ",".join(one.code for one in warnings)}
        text = f"{shown}; put it right, or send accept_warnings: true to go on all the same"
        raise FailedPrecondition("WARNINGS_NOT_ACCEPTED", text, metadata)


def figures(report: report_pb2.Report) -> job_pb2.JobFigures:
    """What was expected, for the comparison with what will be measured."""
    expected = job_pb2.JobFigures()
    if report.HasField("memory"):
        expected.peak_memory_bytes = report.memory.peak_bytes
    if report.HasField("throughput"):
        expected.step_seconds = report.throughput.step_seconds
        expected.uncorrected_step_seconds = report.throughput.uncorrected_step_seconds
        expected.tokens_per_second = report.throughput.tokens_per_second
    if report.HasField("duration_seconds"):
        expected.duration_seconds = report.duration_seconds
    return expected


def _path(finding: finding_pb2.Finding) -> str:
    if finding.code in OF_THE_REQUEST:
        return OF_THE_REQUEST[finding.code]
    return f"{SPEC}.{finding.field_path}" if finding.field_path else SPEC
