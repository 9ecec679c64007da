"""A tiny model, a job that trains it, and a sink that remembers: what every training test starts from."""

import gc
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from google.protobuf.json_format import ParseDict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import ServiceError
from services.chassis.knobs import resolve_defaults
from workers.training.attempt import run
from workers.training.inputs import Inputs
from workers.training.sink import Stopped

TEXTS = [
    "The kettle sings when the water is hot.",
    "A lathe turns wood while a chisel shapes it.",
    "Rivers carry sand to the sea and leave it there.",
    "Every clock in the house shows another time.",
    "She wrote the letter twice and sent neither.",
    "Bread needs flour, water, salt and patience.",
    "The tower leans a little more each year.",
    "Copper turns green where the rain reaches it.",
    "He counted the stairs and came to different numbers.",
    "A good knife is sharp, light and never in the drawer.",
]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}<|{{ message['role'] }}|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(autouse=True, scope="session")
def _quick_runs() -> Iterator[None]:
    # Cores are shared: with one thread a run does not wait for what else runs.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # A run collects garbage twice, which takes half a second each while the imported libraries are searched too.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, and a tokenizer with a chat template."""
    folder = tmp_path_factory.mktemp("tiny-base")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<eos>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=384, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(fast), tie_word_embeddings=True, **shape, **ends)).save_pretrained(folder)
    return folder


@dataclass
class RecordingSink:
    """Remembers what a recipe tells, and answers with the directive of the first rule that fits the steps done so far."""

    artifacts_folder: Path
    directives: dict[int, Any] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: list[tuple[int, int, float, float | None]] = field(default_factory=list)
    points: dict[str, dict[int, float]] = field(default_factory=dict)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    sets: dict[str, tuple[Any, int]] = field(default_factory=dict)
    figures: job_pb2.JobFigures = field(default_factory=job_pb2.JobFigures)
    # By step, then by layer.
    histograms_by_step: dict[int, dict[str, histogram_pb2.WeightHistogram]] = field(default_factory=dict)
    hangs: list[ServiceError] = field(default_factory=list)

    def stage(self, message: str) -> None:
        self.stages.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None:
        self.steps.append((step, total_steps, epoch, remaining_s))

    def metrics(self, step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            assert step not in self.points.setdefault(key, {})
            self.points[key][step] = value

    def evaluated(self, step: int, loss: float) -> None:
        self.evaluations.append((step, loss))

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        stored = self.artifacts_folder / name
        if kind == artifact_pb2.ARTIFACT_KIND_TRAINING_STATE:
            # A later one takes the earlier one's place.
            shutil.rmtree(stored, ignore_errors=True)
        else:
            assert name not in self.sets
        self.sets[name] = (kind, step)
        stored.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, stored)

    def measured(self, figures: job_pb2.JobFigures) -> None:
        self.figures.MergeFrom(figures)

    def histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
        for histogram in histograms:
            layers = self.histograms_by_step.setdefault(histogram.step, {})
            assert histogram.layer not in layers
            layers[histogram.layer] = histogram

    def hung(self, error: ServiceError) -> None:
        self.hangs.append(error)

    def directive(self) -> Any:
        done = self.steps[-1][0] if self.steps else 0
        return self.directives.get(done, worker_service_pb2.DIRECTIVE_CONTINUE)

    def losses(self) -> list[float]:
        return [self.points["train_loss"][step] for step in sorted(self.points["train_loss"])]


ROWS: dict[str, list[dict[str, Any]]] = {
    "TEXT": [{"text": text} for text in TEXTS],
    "PROMPT_COMPLETION": [{"prompt": text[:12], "completion": text[12:]} for text in TEXTS],
    "ALPACA": [
        {"instruction": f"Go on: {text[:8]}", "input": "calmly" if number % 2 else "", "output": text[8:]}
        for number, text in enumerate(TEXTS)
    ],
    "MESSAGES": [
        {"messages": [{"role": "user", "content": text[:9]}, {"role": "assistant", "content": text[9:]}]} for text in TEXTS
    ],
    "SHAREGPT": [{"conversations": [{"from": "human", "value": text[:9]}, {"from": "gpt", "value": text[9:]}]} for text in TEXTS],
    "PREFERENCE": [{"prompt": text[:9], "chosen": text[9:], "rejected": text[:8:-1]} for text in TEXTS],
}


@dataclass
class Job:
    """A job on the tiny model, ready to run."""

    assignment: worker_service_pb2.Assignment
    inputs: Inputs
    sink: RecordingSink

    def run(self) -> RecordingSink:
        run(self.assignment, self.inputs, self.sink)
        return self.sink

    def stopped(self) -> RecordingSink:
        """Run until it is told to stop."""
        with pytest.raises(Stopped):
            self.run()
        return self.sink

    def next_attempt(self, directives: dict[int, Any] | None = None) -> "Job":
        """The same job on another folder, from where this attempt stood."""
        folder = self.inputs.work_folder.parent / "next"
        inputs = replace(
            self.inputs,
            work_folder=folder / "work",
            training_state=self.sink.artifacts_folder / "training-state",
        )
        return Job(self.assignment, inputs, RecordingSink(folder / "stored", directives or {}))


@pytest.fixture
def rows() -> dict[str, list[dict[str, Any]]]:
    """Ten rows of each format."""
    return ROWS


@pytest.fixture
def make_job(tiny_base: Path, tmp_path: Path) -> Callable[..., Job]:
    """A job of five steps on rows of a format; `configuration` is merged over small settings, None taking one away."""

    def make(
        dataset_format: str = "TEXT",
        configuration: dict[str, Any] | None = None,
        *,
        method: str = "LORA",
        evaluate: bool = False,
        training: list[dict[str, Any]] | None = None,
        validation: list[dict[str, Any]] | None = None,
        base: Path | None = None,
        directives: dict[int, Any] | None = None,
    ) -> Job:
        number = len(list(tmp_path.iterdir()))
        folder = tmp_path / f"job-{number}"
        folder.mkdir()
        assignment = worker_service_pb2.Assignment(
            lease=worker_service_pb2.LeaseToken(job_id=f"job-{number}", epoch=1),
            base_model=base_model_pb2.BaseModel(id="base-1", display_name="tiny", hub_repo="tunesmith/tiny", revision="abc123"),
            training_dataset=_dataset("train-1", dataset_format),
        )
        settings: dict[str, Any] = {
            "model": {"base_model": "base-1", "precision": "MODEL_PRECISION_FP32"},
            "datasets": {"training_file_id": "train-1"},
            "method": {"type": f"TRAINING_METHOD_{method}"},
            "schedule": {"batch_size": 2, "sequence_length": 512, "max_steps": 5, "checkpoints": 0, "seed": 7},
            "optimizer": {"learning_rate": 1e-3},
            "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
        }
        if method == "LORA":
            settings["method"]["lora_config"] = {"rank": 4, "alpha": 8}
        if evaluate:
            assignment.validation_dataset.CopyFrom(_dataset("valid-1", dataset_format))
            settings["datasets"]["validation_file_id"] = "valid-1"
        ParseDict(_merged(settings, configuration or {}), assignment.configuration)
        resolve_defaults(assignment.configuration)
        training_rows = _write(folder / "training.jsonl", training or ROWS[dataset_format][:8])
        validation_rows = _write(folder / "validation.jsonl", validation or ROWS[dataset_format][8:]) if evaluate else None
        inputs = Inputs(str(base or tiny_base), None, training_rows, validation_rows, folder / "work")
        return Job(assignment, inputs, RecordingSink(folder / "stored", directives or {}))

    return make


def _dataset(dataset_id: str, dataset_format: str) -> dataset_pb2.Dataset:
    return dataset_pb2.Dataset(
        id=dataset_id,
        display_name=f"{dataset_id} rows",
        version=1,
        format=dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{dataset_format}"),
        row_count=8,
        sha256="0" * 64,
    )


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if inner else value
    return {key: value for key, value in merged.items() if value is not None}
