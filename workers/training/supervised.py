"""Supervised fine-tuning, full or LoRA: set up, train, save, clean up.

With equal arguments and seed in float32, a script that calls trl's SFTTrainer itself gets the same loss at every step: nothing
here touches what the trainer computes. The trainer runs on the first GPU, or on the CPU where there is none; torch's threads are
the caller's choice. BF16 means autocast to bfloat16 with trained weights in float32 or in bfloat16 (see TrainingPlan.weights).
An attempt that goes on where an earlier one stood gets the same losses as one that was never interrupted (see training_state).
Not covered: several devices, packing.
"""

import shutil
import time
import traceback
from pathlib import Path

from safetensors import SafetensorError
from transformers import set_seed
from tunesmith.config.v1 import method_pb2
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import InvalidArgument, ServiceError
from services.chassis.failpoints import failpoint
from workers.providers.local_datasets import SHAPES, RowShape, refuse_dataset
from workers.providers.local_plan import TrainingPlan, plan
from workers.training.base import check_chat_template, load_base
from workers.training.cadence import Cadence
from workers.training.inputs import Inputs
from workers.training.memory import MemoryMeter, release
from workers.training.optimizer_state import forget_overrides
from workers.training.quiet import quiet
from workers.training.recorder import Recorder
from workers.training.rows import Row, read_rows
from workers.training.saving import save_weights
from workers.training.sink import Sink, obey
from workers.training.tokenised import TokenisedRows
from workers.training.trainer import TRAINING_PATH, VALIDATION_PATH, Trainer, make_trainer, total_steps
from workers.training.training_state import Facts, TrainingState, Unusable, facts_of, write

STATE_NAME = "training-state"

Assignment = worker_service_pb2.Assignment


def run(assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
    """Train, and store the result as artifacts. Raises Stopped if told to, and else what `failures.status_of` explains.

    May be called again and again in one process: nothing is left over, and an equal job gets equal losses.
    """
    try:
        with quiet():
            _run(assignment, inputs, sink)
    except BaseException as error:
        # The frames that the exception went through hold the model and its gradients for as long as somebody holds it.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        forget_overrides()
        release()


def _run(assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
    meter = MemoryMeter()
    _check_datasets(assignment)
    the_plan = plan(assignment.configuration, assignment.training_dataset.format)
    recorder = Recorder(sink, the_plan, meter, Cadence(inputs.training_state_seconds))
    set_seed(the_plan.sft["seed"])

    sink.stage(f"Loading {assignment.base_model.display_name}")
    model, tokenizer = load_base(inputs, the_plan)
    obey(sink)

    sink.stage("Preparing the data")
    if SHAPES[assignment.training_dataset.format] is RowShape.MESSAGES:
        check_chat_template(tokenizer, assistant_only=the_plan.sft["assistant_only_loss"])
    training, validation = _rows(assignment, inputs, the_plan)
    folder = inputs.work_folder / "trainer"
    tokenised = TokenisedRows(inputs.tokenised_folder, assignment)
    trainer = make_trainer(the_plan, model, tokenizer, training, validation, tokenised, folder, recorder, sink)
    obey(sink)

    facts = facts_of(assignment, total_steps(trainer))

    def store_weights(kind: artifact_pb2.ArtifactKind, name: str, step: int) -> None:
        folder = inputs.work_folder / name
        save_weights(trainer.model, tokenizer, folder, assignment, the_plan, recorder.losses(step))
        _store(sink, kind, name, step, folder)

    def store_what_is_due(step: int) -> None:
        if recorder.is_checkpoint(step):
            store_weights(artifact_pb2.ARTIFACT_KIND_CHECKPOINT, f"checkpoint-{step}", step)
        if recorder.is_state_due():
            _store_state(trainer, facts, recorder, inputs.work_folder, sink)

    trainer.save = store_what_is_due
    earlier = _earlier_state(inputs, trainer, facts, sink)
    if earlier is None:
        trainer.train()
    else:
        recorder.take_over(earlier.recorded)
        trainer.go_on_from(earlier)

    sink.stage("Saving the result")
    adapter = assignment.configuration.method.type == method_pb2.TRAINING_METHOD_LORA
    kind, name = (artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter") if adapter else (artifact_pb2.ARTIFACT_KIND_MODEL, "model")
    store_weights(kind, name, trainer.state.global_step)
    failpoint("result.stored")
    sink.measured(recorder.figures())


def _earlier_state(inputs: Inputs, trainer: Trainer, facts: Facts, sink: Sink) -> TrainingState | None:
    """Where to go on from; None, with a warning if there was something, to begin at the beginning."""
    if inputs.training_state is None:
        return None
    try:
        earlier = TrainingState.read(inputs.training_state)
        earlier.check(trainer, facts)
    except Unusable as reason:
        sink.warning(f"Where the attempt before stood can't be used, so this one starts over: {reason}")
        return None
    device = trainer.args.device.type
    if earlier.device != device:
        text = f"The first {earlier.step} steps were trained on {earlier.device} and the rest is on {device}; figures may jump"
        sink.warning(text)
    return earlier


def _store_state(trainer: Trainer, facts: Facts, recorder: Recorder, work_folder: Path, sink: Sink) -> None:
    """Store where training stands. Training goes on if that is refused."""
    began = time.monotonic()
    step, folder = trainer.state.global_step, work_folder / STATE_NAME
    try:
        write(trainer, folder, facts, recorder.recorded())
        _store(sink, artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, STATE_NAME, step, folder)
    except (ServiceError, OSError, SafetensorError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        sink.warning(f"Where training stands at step {step} could not be stored, so a crash or a pause loses more: {error}")
        recorder.state_failed(time.monotonic() - began)
        return
    failpoint("training_state.stored")
    recorder.state_stored(time.monotonic() - began)


def _store(sink: Sink, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
    sink.add_artifacts(kind, name, step, folder)
    shutil.rmtree(folder)


def _check_datasets(assignment: Assignment) -> None:
    """What the job service checked at creation: a worker relies on nobody."""
    strategy = assignment.configuration.datasets.strategy
    refusals = refuse_dataset(assignment.training_dataset.format, strategy)
    if assignment.HasField("validation_dataset"):
        refusals += refuse_dataset(assignment.validation_dataset.format, strategy, VALIDATION_PATH)
    if refusals:
        raise InvalidArgument([(refusal.field_path, refusal.detail) for refusal in refusals])
    shape = SHAPES[assignment.training_dataset.format]
    if assignment.HasField("validation_dataset") and SHAPES[assignment.validation_dataset.format] is not shape:
        text = f"the training dataset holds {shape.value}; upload validation rows of the same kind"
        raise InvalidArgument([(VALIDATION_PATH, text)])


def _rows(assignment: Assignment, inputs: Inputs, the_plan: TrainingPlan) -> tuple[list[Row], list[Row] | None]:
    training = read_rows(inputs.training_rows, assignment.training_dataset.format, TRAINING_PATH)
    if not the_plan.evaluations or inputs.validation_rows is None:
        return training, None
    return training, read_rows(inputs.validation_rows, assignment.validation_dataset.format, VALIDATION_PATH)
