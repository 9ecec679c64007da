"""Loads of preflight questions through the gateway."""

import itertools
import json
from typing import Any

import grpc
from tunesmith.config.v1.method_pb2 import TRAINING_METHOD_LORA
from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.worker.v1.worker_service_pb2 import RegisterPoolRequest
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from bench.load import Latencies, Load, Repeated, run
from bench.plane import POOL_ID, Plane
from starter import pico

_PREFLIGHT = "/tunesmith.preflight.v1.PreflightService"
SIZES = (64, 256, 1024, 4096)
# A GPU with a batch that it can't hold: changes are tried one upon the other until it fits.
TOO_LARGE = {
    "model": {"base_model": pico.HUB_REPO, "precision": "MODEL_PRECISION_FP32"},
    "hardware": {"gpu_type": "RTX 3060"},
    "schedule": {"batch_size": 64, "sequence_length": 33000},
    "method": {"type": "TRAINING_METHOD_FULL"},
}


def add_measured_pool(plane: Plane) -> None:
    """A processor with as many measured products as a probe makes; the figures are of no matter, their number is."""
    device = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="a processor", memory_bytes=2**34, core_count=2)
    device.measurement.memory_bytes_per_second = 1e10
    for precision, m, n in itertools.product((1, 2), SIZES, SIZES):
        device.measurement.matmul_rates.add(precision=precision, m=m, n=n, k=n, flops_per_second=1e11)
    with grpc.insecure_channel(plane.worker_address) as channel:
        request = RegisterPoolRequest(pool_id=POOL_ID, providers=["local"], devices=[device], ready=True)
        WorkerServiceStub(channel).RegisterPool(request)


def configuration(plane: Plane, **sections: Any) -> dict[str, Any]:
    """A job of the starter's model, with other sections."""
    return {
        "model": {"base_model": pico.HUB_REPO},
        "datasets": {"training_file_id": plane.dataset_id},
        "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 8}},
        **sections,
    }


def check(plane: Plane, seconds: float, **sections: Any) -> Latencies:
    """CheckConfiguration as JSON, one after the other, as a form asks while a person types."""
    body = json.dumps({"provider": "local", "configuration": configuration(plane, **sections)}).encode()
    return _posts(plane, "/v1/preflight:check", body, seconds)


def rank(plane: Plane, seconds: float) -> Latencies:
    """RankProviders as JSON."""
    return _posts(plane, "/v1/preflight:rank", json.dumps({"configuration": configuration(plane)}).encode(), seconds)


def check_in_flight(plane: Plane, in_flight: int, seconds: float) -> Latencies:
    """CheckConfiguration over gRPC, so many at once."""
    request = messages.CheckConfigurationRequest(provider="local")
    request.configuration.model.base_model = pico.HUB_REPO
    request.configuration.datasets.training_file_id = plane.dataset_id
    request.configuration.method.type = TRAINING_METHOD_LORA
    request.configuration.method.lora_config.rank = 8
    load = Load(plane.address, f"{_PREFLIGHT}/CheckConfiguration", seconds)
    return run(load, [Repeated([request.SerializeToString()])] * in_flight, min(2, in_flight), {})


def _posts(plane: Plane, path: str, body: bytes, seconds: float) -> Latencies:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {plane.address}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return run(Load(plane.address, "", seconds), [Repeated([head.encode() + body])], 1, {})
