"""Assignments for tests: a LoRA job on the local provider."""

from tunesmith.config.v1 import method_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

ROWS = b'{"prompt": "a", "completion": " b"}\n' * 100


def lora_assignment(lease_seconds: float = 30.0) -> worker.Assignment:
    """What a worker is given, less what the fake door fills in."""
    assignment = worker.Assignment(provider="local", display_name="a job", lease_seconds=lease_seconds)
    method = assignment.configuration.method
    method.type = method_pb2.TRAINING_METHOD_LORA
    method.objective = method_pb2.TRAINING_OBJECTIVE_SFT
    assignment.base_model.display_name = "pico"
    assignment.training_dataset.display_name = "rows"
    assignment.training_dataset.format = dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION
    return assignment
