"""A graph for ONNX runtimes: token numbers or pixels in, logits out, for any batch and any length."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from services.chassis.errors import FailedPrecondition
from workers.export import merging
from workers.export.work import Work

# A protobuf message holds 2 GiB at most; from here on, weights lie in a file beside the graph.
_LARGEST_GRAPH_BYTES = 1024**3
_WRITING_PERCENT = 55
_EXAMPLE_LENGTH = 8


class _Texts(torch.nn.Module):
    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of every token, or of every text for a classifier. No cache: a graph that keeps none is good for any caller."""
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
        return logits


class _Images(torch.nn.Module):
    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Logits of every image."""
        logits: torch.Tensor = self.model(pixel_values=pixel_values).logits
        return logits


def write(model: PreTrainedModel, work: Work) -> None:
    """Write the graph and the tokenizer. Weights and arithmetic are in float32, which every runtime has.

    Needs the memory of the weights in float32 twice. Raises FailedPrecondition if torch can't trace the model.
    """
    work.stage("Writing ONNX")
    work.part(_WRITING_PERCENT, 2)
    model = model.float()
    graph, inputs, shapes = _described(model)
    try:
        with _silence(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                (),
                kwargs=inputs,
                dynamo=True,
                input_names=list(inputs),
                output_names=["logits"],
                dynamic_shapes=shapes,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        text = (
            f"torch can't write {type(model).__name__} as an ONNX graph ({str(error).strip().splitlines()[0][:200]}); "
            "export with format MERGED"
        )
        raise FailedPrecondition("ONNX_NOT_POSSIBLE", text) from error
    if program is None:
        raise FailedPrecondition("ONNX_NOT_POSSIBLE", "torch wrote no graph; export with format MERGED")
    work.advance()
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    work.folder.mkdir()
    program.save(work.folder / "model.onnx", external_data=size > _LARGEST_GRAPH_BYTES)
    # Runtimes read from it what the labels and special tokens are.
    model.config.save_pretrained(work.folder)
    merging.copy_processor(work)
    work.advance()


def _described(model: PreTrainedModel) -> tuple[torch.nn.Module, dict[str, torch.Tensor], dict[str, Any]]:
    """The graph's module, an example of its inputs, and which of their sizes vary."""
    any_size = torch.export.Dim.DYNAMIC
    config: Any = model.config
    if model.main_input_name == "pixel_values":
        size = config.image_size if isinstance(config.image_size, int) else config.image_size[0]
        pixels = torch.zeros(2, config.num_channels, size, size)
        return _Images(model), {"pixel_values": pixels}, {"pixel_values": {0: any_size}}
    tokens = torch.ones(2, _EXAMPLE_LENGTH, dtype=torch.long)
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    return _Texts(model), inputs, {name: {0: any_size, 1: any_size} for name in inputs}


@contextmanager
def _silence() -> Iterator[None]:
    """The exporter warns of every library that it does not find."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
