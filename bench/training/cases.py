"""The model and the rows that every arm trains on, and the arms' settings."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.registry.v1 import dataset_pb2

from bench.recipe import ALPACA
from starter.docstrings import docstrings
from workers.training.rows import read_rows

# As trl has them where nobody says otherwise.
BATCH_SIZE, SEQUENCE_LENGTH, LEARNING_RATE, SEED = 8, 1024, 2e-5, 42
RANK, ALPHA = 8, 16
# One pass over so many rows, drawn once; and where it is only to be seen that everything works.
ROW_COUNT, QUICK_ROW_COUNT = 160, 32
VOCABULARY_SIZE = 8192
# 34 million parameters.
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY_SIZE,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 10,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 1,
}


@dataclass(frozen=True)
class Settings:
    """What our arms differ in."""

    precision: str
    optimizations: tuple[str, ...]
    batch_size: int = BATCH_SIZE
    gradient_accumulation: int = 1
    # Whether anything is told of a step.
    tells: bool = True

    def configuration(self) -> dict[str, Any]:
        """As JSON; what is left out gets its default."""
        return {
            "model": {"base_model": "measured", "precision": f"MODEL_PRECISION_{self.precision}"},
            "datasets": {"training_file_id": "rows"},
            "method": {
                "type": "TRAINING_METHOD_LORA",
                "lora_config": {"rank": RANK, "alpha": ALPHA, "dropout": 0.0, "trainable_modules": "all-linear"},
            },
            "schedule": {
                "epochs": 1,
                "batch_size": self.batch_size,
                "gradient_accumulation": self.gradient_accumulation,
                "sequence_length": SEQUENCE_LENGTH,
                "checkpoints": 0,
                "seed": SEED,
            },
            "optimizer": {
                "learning_rate": LEARNING_RATE,
                "scheduler": {"type": "LR_SCHEDULER_TYPE_LINEAR", "warmup_ratio": 0},
                "weight_decay": 0,
                "max_gradient_norm": 1,
            },
            "optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}" for name in self.optimizations]},
        }


EQUAL = Settings("FP32", ("DYNAMIC_PADDING",))
SILENT = Settings("FP32", ("DYNAMIC_PADDING",), tells=False)


def write_rows(folder: Path, count: int) -> Path:
    """Prompts and completions: instructions of the Alpaca file, or where there is none the docstrings that every Python has."""
    target = folder / "rows.jsonl"
    if ALPACA.is_file():
        drawn = random.Random(SEED).sample(json.loads(ALPACA.read_text(encoding="utf-8")), count)
        source = folder / "alpaca.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in drawn), encoding="utf-8")
        rows = read_rows(source, dataset_pb2.DATASET_FORMAT_ALPACA, "rows")
    else:
        rows = [{"prompt": f"{found.signature}\n", "completion": found.text} for found in docstrings(count)]
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return target


def write_model(folder: Path, rows: Path) -> list[int]:
    """Random weights in float32 with a tokenizer made of the rows. Returns the rows' lengths in tokens, the end included."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    texts = [row["prompt"] + row["completion"] for row in map(json.loads, rows.read_text(encoding="utf-8").splitlines())]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY_SIZE,
            special_tokens=["<pad>", "<eos>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>").save_pretrained(folder)
    torch.manual_seed(SEED)
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(folder)
    return [len(encoded.ids) + 1 for encoded in tokenizer.encode_batch(texts)]
