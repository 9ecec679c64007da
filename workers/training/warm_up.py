"""A first run, so that the first job does not pay for what a process does once."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.knobs import resolve_defaults
from workers.training.attempt import run
from workers.training.inputs import Inputs
from workers.training.quiet import quiet
from workers.training.sink import Nobody

ROW_COUNT = 4
STEP_COUNT = 2
_WIDTH = 32
_PAD, _END = "<pad>", "<eos>"


def warm_up(folder: Path) -> None:
    """Train a model of a few thousand random weights for a moment: threads start, kernels are chosen, what is lazy is loaded.

    Writes below `folder` only.
    """
    base, rows = folder / "base", folder / "rows.jsonl"
    with quiet():
        _write_model(base)
    rows.write_text("".join(json.dumps({"prompt": "a" * 40, "completion": "b" * (40 + n)}) + "\n" for n in range(ROW_COUNT)))
    assignment = _assignment()
    run(assignment, Inputs(str(base), None, rows, None, folder / "work"), Nobody())


def _write_model(folder: Path) -> None:
    vocabulary = [_PAD, _END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(vocabulary)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=_PAD, eos_token=_END).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=_WIDTH,
        intermediate_size=_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=1,
    )
    with torch.random.fork_rng():
        LlamaForCausalLM(config).save_pretrained(folder)


def _assignment() -> worker_service_pb2.Assignment:
    assignment = worker_service_pb2.Assignment(provider="local")
    assignment.base_model.display_name = "warm-up"
    assignment.training_dataset.format = dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION
    configuration = assignment.configuration
    configuration.model.precision = model_pb2.MODEL_PRECISION_FP32
    configuration.method.type = method_pb2.TRAINING_METHOD_LORA
    configuration.method.lora_config.SetInParent()
    configuration.schedule.max_steps = STEP_COUNT
    configuration.schedule.batch_size = 2
    configuration.schedule.sequence_length = 512
    configuration.schedule.checkpoints = 0
    configuration.optimizations.enabled.append(optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING)
    resolve_defaults(configuration)
    return assignment
