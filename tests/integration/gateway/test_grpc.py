"""gRPC and gRPC-web on the public port, and the agents' door on its own."""

import struct

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from tunesmith.job.v1 import job_service_pb2, job_service_pb2_grpc, job_state_pb2
from tunesmith.worker.v1 import worker_service_pb2, worker_service_pb2_grpc

from tests.integration.gateway.conftest import Gateway

pytestmark = pytest.mark.integration

TIMEOUT_S = 10


def test_a_call_passes(channel: grpc.Channel) -> None:
    response = job_service_pb2_grpc.JobServiceStub(channel).GetJob(job_service_pb2.GetJobRequest(id="j7"), timeout=TIMEOUT_S)
    assert response.job.id == "j7"


def test_an_error_keeps_its_details(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        job_service_pb2_grpc.JobServiceStub(channel).CreateJob(job_service_pb2.CreateJobRequest(), timeout=TIMEOUT_S)
    status = rpc_status.from_call(caught.value)
    assert status
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "provider"


def test_a_stream_passes(channel: grpc.Channel) -> None:
    stream = job_service_pb2_grpc.JobServiceStub(channel).WatchJob(job_service_pb2.WatchJobRequest(id="j7"), timeout=TIMEOUT_S)
    assert [message.job.state for message in stream][-1] == job_state_pb2.JOB_STATE_SUCCEEDED


def test_reflection_and_health_pass(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    services = next(iter(stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT_S))).list_services_response.service
    assert "tunesmith.job.v1.JobService" in {service.name for service in services}
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_a_web_call_passes(gateway: Gateway) -> None:
    message = job_service_pb2.GetJobRequest(id="j7").SerializeToString()
    frame = struct.pack(">BI", 0, len(message)) + message
    headers = {
        "content-type": "application/grpc-web+proto",
        "x-grpc-web": "1",
        "Origin": f"http://localhost:{gateway.settings.port}",
    }
    answer = gateway.post("/tunesmith.job.v1.JobService/GetJob", frame, headers)
    assert answer.status == 200
    flag, length = struct.unpack(">BI", answer.body[:5])
    response = job_service_pb2.GetJobResponse.FromString(answer.body[5 : 5 + length])
    assert (flag, response.job.id) == (0, "j7")
    # The trailers come as a frame of their own, because a browser can't read real ones.
    assert answer.body[5 + length] == 0x80
    assert b"grpc-status:0" in answer.body[5 + length :].replace(b" ", b"")


def test_another_name_is_refused_in_grpcs_own_way(gateway: Gateway) -> None:
    options = [("grpc.default_authority", "evil.example")]
    with grpc.insecure_channel(gateway.address, options=options) as foreign, pytest.raises(grpc.RpcError) as caught:
        job_service_pb2_grpc.JobServiceStub(foreign).GetJob(job_service_pb2.GetJobRequest(id="j7"), timeout=TIMEOUT_S)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "TUNESMITH_ALLOWED_HOSTS" in caught.value.details()


def test_agents_have_a_door_of_their_own(worker_channel: grpc.Channel) -> None:
    stub = worker_service_pb2_grpc.WorkerServiceStub(worker_channel)
    stub.RegisterPool(worker_service_pb2.RegisterPoolRequest(pool_id="p1"), timeout=TIMEOUT_S)


def test_the_public_port_has_no_agents_door(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        worker_service_pb2_grpc.WorkerServiceStub(channel).RegisterPool(
            worker_service_pb2.RegisterPoolRequest(pool_id="p1"), timeout=TIMEOUT_S
        )
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "/tunesmith.worker.v1.WorkerService/RegisterPool" in caught.value.details()


def test_the_agents_door_leads_nowhere_else(worker_channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        job_service_pb2_grpc.JobServiceStub(worker_channel).GetJob(job_service_pb2.GetJobRequest(id="j7"), timeout=TIMEOUT_S)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_agents_door_refuses_pages(worker_channel: grpc.Channel) -> None:
    stub = worker_service_pb2_grpc.WorkerServiceStub(worker_channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.RegisterPool(
            worker_service_pb2.RegisterPoolRequest(pool_id="p1"), timeout=TIMEOUT_S, metadata=[("origin", "https://evil.example")]
        )
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
