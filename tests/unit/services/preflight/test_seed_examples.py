"""The mistakes and edge cases that people met with before there was a preflight, each by its name."""

from tunesmith import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.estimate_pb2 import BASIS_PLAIN_LOOP
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING
from tunesmith.registry.v1.base_model_pb2 import BaseModel

from tests.unit.services.preflight.known import (
    CPU_POOL,
    GIB,
    GPT_2,
    LLAMA_2_7B,
    PICO,
    changed,
    codes,
    configuration,
    dataset,
    report,
    the,
)

PHI_2 = BaseModel(
    id="phi",
    display_name="Phi-2",
    hub_repo="microsoft/phi-2",
    family="phi",
    trainable=True,
    cache_status="CACHE_STATUS_NOT_CACHED",
    download_bytes=5_563_000_000,
    estimated_download_seconds=222.5,
)


def test_llama_2_7b_qlora_on_two_a100() -> None:
    made = configuration(
        model={"base_model": "llama", "precision": "MODEL_PRECISION_INT4"},
        method={"type": "TRAINING_METHOD_QLORA", "lora_config": {"rank": 16, "alpha": 32}},
        schedule={"batch_size": 4, "gradient_accumulation": 4},
        hardware={"gpu_type": "A100", "num_gpus": 2},
        optimizations={"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]},
    )
    found = report(made, LLAMA_2_7B, pools=[CPU_POOL], training_dataset=dataset(row_count=500))
    assert found.placement.device.name == "NVIDIA A100 80GB"
    assert (found.placement.device_count, found.memory.device_count, found.memory.basis) == (2, 2, BASIS_PLAIN_LOOP)
    # 6.7 billion weights at 4.127 bits and the rest of the model at 16; the whole fits easily.
    parts = {part.name: part.bytes for part in found.memory.components}
    assert 3.2 * GIB < parts["weights"] < 4.2 * GIB
    assert sum(parts.values()) == found.memory.peak_bytes
    assert found.memory.high_bytes < found.memory.device_bytes
    assert found.memory.trainable_parameter_count == 39_976_960
    assert found.download_bytes == LLAMA_2_7B.download_bytes
    assert {"NO_SUCH_DEVICE", "MODEL_NOT_CACHED"} == set(codes(found, SEVERITY_WARNING))


def test_gpt_2_with_q_proj() -> None:
    targets = {"rank": 8, "trainable_modules": "q_proj,v_proj,k_proj,dense"}
    made = configuration(method={"type": "TRAINING_METHOD_LORA", "lora_config": targets})
    found = report(made, GPT_2)
    finding = the(found, "LORA_TARGET_NOT_FOUND")
    assert not found.ok
    assert finding.fix.label == "Set targets to c_attn, c_proj"
    fixed = apply_fixes(made, [finding])
    assert fixed.method.lora_config.trainable_modules == "c_attn,c_proj"
    assert report(fixed, GPT_2).ok


def test_chat_on_gpt_2() -> None:
    chat = configuration(datasets={"training_file_id": "rows", "strategy": "DATASET_STRATEGY_CHAT"})
    on_messages = the(report(chat, GPT_2, training_dataset=dataset("MESSAGES")), "NO_CHAT_TEMPLATE")
    assert on_messages.severity == SEVERITY_ERROR
    assert "strategy STANDARD" in on_messages.message and "choose a model that has one" in on_messages.message
    on_text = report(chat, GPT_2, training_dataset=dataset("TEXT"))
    assert not on_text.ok
    assert report(apply_fixes(chat, on_text.findings), GPT_2, training_dataset=dataset("TEXT")).ok


def test_messages_with_standard_strategy() -> None:
    standard = configuration(datasets={"training_file_id": "rows", "strategy": "DATASET_STRATEGY_STANDARD"})
    found = report(standard, PICO, training_dataset=dataset("MESSAGES"))
    finding = the(found, "STRATEGY_MISMATCH")
    assert not found.ok
    assert "STANDARD can't read messages" in finding.message
    assert report(apply_fixes(standard, [finding]), PICO, training_dataset=dataset("MESSAGES")).ok


def test_minus_one_epochs() -> None:
    made = configuration(schedule={"epochs": -1})
    found = report(made, PICO)
    finding = the(found, "OUT_OF_RANGE")
    assert (finding.field_path, finding.fix.label) == ("schedule.epochs", "Set epochs to 1")
    assert "schedule.epochs is -1" in finding.message
    assert report(apply_fixes(made, [finding]), PICO).ok


def test_invalid_batch_sizes_and_learning_rates() -> None:
    made = configuration(schedule={"batch_size": 0}, optimizer={"learning_rate": -0.1})
    found = [one for one in report(made, PICO).findings if one.code == "OUT_OF_RANGE"]
    assert {one.field_path for one in found} == {"schedule.batch_size", "optimizer.learning_rate"}
    assert report(apply_fixes(made, found), PICO).ok


def test_model_name_missing() -> None:
    finding = the(report(configuration(model=None), model=None), "REQUIRED_FIELD")
    assert finding.field_path == "model.base_model"
    assert "model.base_model is required" in finding.message


def test_training_method_missing() -> None:
    made = configuration(method=None)
    finding = the(report(made, PICO), "REQUIRED_FIELD")
    assert finding.field_path == "method.type"
    assert report(apply_fixes(made, [finding]), PICO).ok


def test_phi_2_that_is_not_cached() -> None:
    finding = the(report(model=PHI_2), "MODEL_NOT_CACHED")
    assert finding.severity == SEVERITY_WARNING
    assert "5.2 GiB" in finding.message and "about 4 min" in finding.message and ":download" in finding.message


def test_fewer_than_ten_examples() -> None:
    found = report(model=PICO, training_dataset=dataset(row_count=9))
    assert the(found, "FEW_ROWS").severity == SEVERITY_WARNING
    assert found.ok


def test_a_quantized_base_blocks_full_training() -> None:
    made = configuration(method={"type": "TRAINING_METHOD_FULL"})
    quantized = changed(PICO, quantized=True)
    found = report(made, quantized)
    assert not found.ok
    assert report(apply_fixes(made, found.findings), quantized).ok


def test_a_gguf_model_is_not_trained() -> None:
    found = report(model=changed(PICO, gguf=True))
    assert "GGUF models cannot be trained. Use original format." in the(found, "GGUF_NOT_TRAINABLE").message
    assert not found.ok


def test_failed_integrity_blocks() -> None:
    found = report(model=PICO, training_dataset=dataset(integrity={"status": "INTEGRITY_STATUS_FAILED"}))
    assert not found.ok
    assert "/v1/datasets/rows:verify" in the(found, "DATASET_INTEGRITY_FAILED").message


def test_no_gpu_offers_to_queue_or_to_switch() -> None:
    made = configuration(hardware={"gpu_type": "A100"})
    finding = the(report(made, PICO, pools=[CPU_POOL]), "NO_SUCH_DEVICE")
    assert "queue the job anyway" in finding.message and "what there is" in finding.message
    assert "NO_SUCH_DEVICE" not in codes(report(apply_fixes(made, [finding]), PICO, pools=[CPU_POOL]))


def test_an_encrypted_or_private_model_asks_for_its_credential() -> None:
    found = report(model=changed(LLAMA_2_7B, private=True))
    assert not found.ok
    assert "credential_id" in the(found, "PRIVATE_MODEL_NEEDS_CREDENTIAL").message


def test_the_defaults_need_nobodys_word() -> None:
    least = JobConfiguration()
    least.model.base_model, least.datasets.training_file_id = "pico", "rows"
    least.method.type = 2
    least.method.lora_config.SetInParent()
    found = report(least, PICO, pools=[CPU_POOL])
    assert found.ok
    assert codes(found, SEVERITY_WARNING) == []
    assert set(codes(found, SEVERITY_NOTE)) <= {"LEARNING_RATE_LOW", "MOSTLY_PADDING", "SEQUENCE_BEYOND_POSITIONS"}
