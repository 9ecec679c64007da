"""What a base model can't be, for what is asked of it."""

import pytest
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_NOTE, SEVERITY_WARNING

from tests.unit.services.preflight.known import GPT_2, LLAMA_2_7B, changed, codes, configuration, report, the

FULL = {"type": "TRAINING_METHOD_FULL"}


def test_a_gguf_file_is_served_and_not_trained() -> None:
    found = the(report(model=changed(LLAMA_2_7B, gguf=True, trainable=False)), "GGUF_NOT_TRAINABLE")
    assert found.message.startswith("GGUF models cannot be trained. Use original format.")


def test_a_model_that_is_not_trainable() -> None:
    assert "BASE_MODEL_NOT_TRAINABLE" in codes(report(model=changed(GPT_2, trainable=False)))


def test_quantized_weights_block_full_training_and_nothing_else() -> None:
    quantized = changed(LLAMA_2_7B, quantized=True)
    found = report(configuration(method=FULL), quantized)
    fix = the(found, "QUANTIZED_BASE_BLOCKS_FULL").fix
    assert [edit.field_path for edit in fix.edits] == ["method.type", "method.lora_config"]
    assert "QUANTIZED_BASE_BLOCKS_FULL" not in codes(report(model=quantized))


def test_a_private_model_needs_a_credential_until_it_is_here() -> None:
    private = changed(LLAMA_2_7B, private=True)
    assert "HF_TOKEN" in the(report(model=private), "PRIVATE_MODEL_NEEDS_CREDENTIAL").message
    assert "PRIVATE_MODEL_NEEDS_CREDENTIAL" not in codes(report(model=changed(private, credential_id="HF_TOKEN")))
    assert "PRIVATE_MODEL_NEEDS_CREDENTIAL" not in codes(report(model=changed(private, cache_status="CACHE_STATUS_CACHED")))


@pytest.mark.parametrize(
    ("fields", "severity", "says"),
    [
        ({}, SEVERITY_WARNING, "12.6 GiB before it trains, about 9 min"),
        ({"download_bytes": 500_000_000}, SEVERITY_NOTE, "476.8 MiB"),
        ({"cache_status": "CACHE_STATUS_DOWNLOADING"}, SEVERITY_NOTE, "is being downloaded"),
    ],
)
def test_a_download_is_told_with_its_size_and_time(fields: dict, severity: int, says: str) -> None:
    found = the(report(model=changed(LLAMA_2_7B, **fields)), "MODEL_NOT_CACHED")
    assert found.severity == severity
    assert says in found.message


def test_what_is_here_is_not_downloaded() -> None:
    assert "MODEL_NOT_CACHED" not in codes(report(model=GPT_2))
