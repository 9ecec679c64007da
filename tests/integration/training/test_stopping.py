"""A person can stop a job at any batch, and what can't go on stops by itself with a reason."""

import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument, ReasonedError
from workers.training.failures import explain
from workers.training.inputs import Inputs
from workers.training.sink import Stopped

from .conftest import TEXTS, Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
CANCEL, PAUSE = worker_service_pb2.DIRECTIVE_CANCEL, worker_service_pb2.DIRECTIVE_PAUSE


def stopped(job: Job) -> RecordingSink:
    with pytest.raises(Stopped) as stop:
        job.run()
    assert stop.value.directive in (CANCEL, PAUSE)
    return job.sink


def refused(job: Job) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as refusal:
        job.run()
    assert job.sink.sets == {}
    return refusal.value


def test_a_cancelled_job_stops_at_the_next_step_and_saves_nothing(make_job: MakeJob) -> None:
    sink = stopped(make_job("TEXT", {"schedule": {"checkpoints": 5}}, directives={2: CANCEL}))
    assert list(sink.points["train_loss"]) == [1, 2]
    assert list(sink.sets) == ["checkpoint-1", "checkpoint-1-state"]


def test_a_cancelled_job_stops_between_the_batches_of_a_step(make_job: MakeJob) -> None:
    job = make_job("TEXT", {"schedule": {"gradient_accumulation": 4}})
    heard = cancel_after(job.sink, "Training", batches=2)
    sink = stopped(job)
    assert (heard["batches"], sink.points) == (2, {})


def test_a_cancelled_job_stops_within_an_evaluation(make_job: MakeJob) -> None:
    job = make_job("TEXT", evaluate=True)
    heard = cancel_after(job.sink, "Training", batches=1)
    sink = stopped(job)
    assert (heard["batches"], sink.evaluations, sink.points) == (1, [], {})


def test_a_job_stops_before_its_training_began(make_job: MakeJob) -> None:
    job = make_job("TEXT", directives={0: PAUSE})
    assert stopped(job).stages == []
    assert job.sink.sets == {}


def test_a_paused_job_saves_where_it_stopped(make_job: MakeJob) -> None:
    sink = stopped(make_job("TEXT", directives={2: PAUSE}))
    assert sink.sets == {"training-state": (artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, 2)}
    assert list(sink.points["train_loss"]) == [1, 2]


def test_a_pause_at_a_checkpoint_stores_both(make_job: MakeJob) -> None:
    sink = stopped(make_job("TEXT", {"schedule": {"checkpoints": 5}}, directives={2: PAUSE}))
    checkpoints = ["checkpoint-1", "checkpoint-1-state", "checkpoint-2", "checkpoint-2-state"]
    assert list(sink.sets) == [*checkpoints, "training-state"]


def test_a_job_paused_at_its_last_step_is_done(make_job: MakeJob) -> None:
    assert list(make_job("TEXT", directives={5: PAUSE}).run().sets) == ["adapter"]


def test_a_spoiled_loss_ends_the_job(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_base, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    job = make_job("TEXT", base=broken)
    with pytest.raises(FailedPrecondition, match=r"nan at step 1.*optimizer.learning_rate"):
        job.run()
    assert job.sink.sets == {}


def test_modules_the_model_lacks_are_named(make_job: MakeJob) -> None:
    refusal = refused(make_job("TEXT", {"method": {"lora_config": {"trainable_modules": "q_proj,query,c_attn"}}}))
    assert refusal.violations[0][0] == "method.lora_config.trainable_modules"
    assert "no query, c_attn" in refusal.message
    assert "q_proj" in refusal.message.split("it has")[1]


def test_an_adapter_on_the_output_layer_is_refused(make_job: MakeJob) -> None:
    assert "lm_head" in refused(make_job("TEXT", {"method": {"lora_config": {"trainable_modules": "q_proj,lm_head"}}})).message


def test_messages_need_a_template_that_marks_the_answers(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(tiny_base, tmp_path / "plain")
    template = plain / "chat_template.jinja"
    template.write_text(template.read_text().replace("{% generation %}", "").replace("{% endgeneration %}", ""))
    refusal = refused(make_job("MESSAGES", base=plain))
    assert refusal.violations[0][0] == "schedule.train_on_inputs"
    assert "set train_on_inputs to ENABLED" in refusal.message
    make_job("MESSAGES", {"schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}}, base=plain).run()
    template.unlink()
    assert "no chat template" in refused(make_job("MESSAGES", base=plain)).message


def test_rows_with_nothing_left_to_learn_are_named(make_job: MakeJob) -> None:
    long = {"prompt": "word " * 600, "completion": "end"}
    sink = make_job("PROMPT_COMPLETION", training=[long, {"prompt": "a", "completion": "b"}]).run()
    assert "1 of 2 rows" in sink.warnings[0]
    assert "raise schedule.sequence_length" in refused(make_job("PROMPT_COMPLETION", training=[long])).message


def test_a_cut_row_is_no_secret(make_job: MakeJob) -> None:
    sink = make_job("TEXT", training=[{"text": "word " * 900}, *({"text": text} for text in TEXTS)]).run()
    assert sink.warnings == ["1 of 11 rows of datasets.training_file_id fill all 512 tokens and may have been cut"]


def test_validation_rows_have_to_be_of_the_training_rows_kind(make_job: MakeJob) -> None:
    job = make_job("TEXT", evaluate=True)
    job.assignment.validation_dataset.format = make_job("MESSAGES").assignment.training_dataset.format
    refusal = refused(job)
    assert refusal.violations[0][0] == "datasets.validation_file_id"
    assert "upload validation rows of the same kind" in refusal.message


def test_a_model_that_can_not_be_fetched_is_explained(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    job = make_job("TEXT")
    job.inputs = Inputs("nobody/nothing", "main", job.inputs.training_rows, None, job.inputs.work_folder)
    with pytest.raises(OSError) as failure:
        job.run()
    explained = explain(failure.value)
    assert isinstance(explained, ReasonedError)
    assert explained.reason == "HUB_UNREACHABLE"


def test_weights_that_could_run_code_are_not_loaded(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    pickled = shutil.copytree(tiny_base, tmp_path / "pickled")
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(OSError) as failure:
        make_job("TEXT", base=pickled).run()
    explained = explain(failure.value)
    assert isinstance(explained, ReasonedError)
    assert explained.reason == "BASE_MODEL_NOT_SAFETENSORS"


def cancel_after(sink: RecordingSink, stage: str, batches: int) -> dict[str, int]:
    """Cancel at the n-th question after a stage began; a question comes after every batch."""
    heard = {"batches": 0}

    def directive() -> worker_service_pb2.Directive:
        if not any(entered.startswith(stage) for entered in sink.stages):
            return worker_service_pb2.DIRECTIVE_CONTINUE
        heard["batches"] += 1
        return CANCEL if heard["batches"] >= batches else worker_service_pb2.DIRECTIVE_CONTINUE

    sink.directive = directive  # type: ignore[method-assign]
    return heard
