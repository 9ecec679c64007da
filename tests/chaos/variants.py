"""The jobs that run: few configurations, so that many interrupted runs can be compared with one that was not."""

import http.client
import json
import random
from typing import Any

ROWS = 120
HELD_OUT_ROWS = 12
STEPS = 40
# Dropout draws random numbers at every step, so that going on from a training state has to restore them.
_LORA = {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4, "dropout": 0.1}}
# Method, and what of the schedule is its own.
_VARIANTS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "lora": (_LORA, {"seed": 1}),
    "full": ({"type": "TRAINING_METHOD_FULL"}, {"seed": 2}),
    "lora-accumulated": (_LORA, {"seed": 3, "batch_size": 2, "gradient_accumulation": 2}),
}
VARIANTS = tuple(_VARIANTS)
_WORDS = ("lease", "epoch", "report", "event", "actor", "gateway", "artifact", "checkpoint", "adapter", "loss", "step", "seed")


def upload(port: int, name: str, rows: int, seed: int) -> str:
    """Upload a dataset of sentences that nobody else has; answers its id."""
    chance = random.Random(seed)
    texts = (" ".join(chance.choices(_WORDS, k=chance.randint(8, 24))) for _ in range(rows))
    body = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", f"/v1/datasets:upload?filename={name}.jsonl", body)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return str(answer["dataset"]["id"])
    finally:
        connection.close()


def configuration(variant: str, training: str, validation: str) -> dict[str, Any]:
    """What a variant's jobs are configured with."""
    method, schedule = _VARIANTS[variant]
    return {
        "model": {"base_model": "tunesmith/pico", "precision": "MODEL_PRECISION_FP32"},
        "datasets": {"training_file_id": training, "validation_file_id": validation},
        "method": method,
        "schedule": {"max_steps": STEPS, "batch_size": 4, "sequence_length": 512, "checkpoints": 1, "evaluations": 2} | schedule,
        "optimizer": {"learning_rate": 0.001},
        "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
    }
