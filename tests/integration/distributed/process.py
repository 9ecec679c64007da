"""`python -m tests.integration.distributed.process RANK COUNT PORT`: one of the processes that train together, job after job.

Each line of the standard input names a folder that has `assignment`, serialised, and `inputs.json`. What the process told is then
in `told-<rank>.json` there, what it stored below `stored`, and the line is repeated on the standard output.
"""

import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM
from tunesmith.worker.v1 import worker_service_pb2

from tests.integration.training.conftest import RecordingSink
from workers.distributed.process import run
from workers.distributed.whole import whole
from workers.training.inputs import Inputs
from workers.training.sink import Stopped


def main(rank: int, count: int, port: int) -> None:
    """Meet the others, then run what is asked for."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=count)
    answers = os.fdopen(os.dup(1), "w")
    # What libraries print is no answer.
    os.dup2(2, 1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        folder = Path(line.strip())
        told = gathered(folder) if (folder / "gather").exists() else attempt(folder, rank)
        (folder / f"told-{rank}.json").write_text(json.dumps(told))
        print(folder, file=answers, flush=True)


def attempt(folder: Path, rank: int) -> dict[str, Any]:
    """Run one; answers what it told."""
    assignment = worker_service_pb2.Assignment.FromString((folder / "assignment").read_bytes())
    given = json.loads((folder / "inputs.json").read_text())
    rows, validation, earlier = (given[name] and Path(given[name]) for name in ("training", "validation", "earlier"))
    work = folder / f"work-{rank}"
    inputs = Inputs(given["base_model"], None, Path(rows), validation, work, earlier, teacher_model=given["teacher"])
    # Only the first process is told; the others have to hear it from there.
    directives = {int(step): value for step, value in given["directives"].items()} if rank == 0 else {}
    sink = RecordingSink(folder / "stored", directives)
    ended = "succeeded"
    try:
        run(assignment, inputs, sink)
    except Stopped as stopped:
        ended = worker_service_pb2.Directive.Name(stopped.directive)
    except BaseException as error:
        traceback.print_exc()
        ended = f"{type(error).__name__}: {error}"
    said = asdict(sink)
    kept = ("points", "stages", "warnings", "evaluations")
    return {"ended": ended, "sets": {name: step for name, (_, step) in sink.sets.items()}} | {name: said[name] for name in kept}


def gathered(folder: Path) -> dict[str, Any]:
    """Split the model that `gather` names, make it whole again and put it back; answers what was seen of it."""
    model: Any = AutoModelForCausalLM.from_pretrained((folder / "gather").read_text())
    original = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True, cpu_offload=True)
    # As accelerate gathers weights that FSDP2 has split.
    accelerator = SimpleNamespace(get_state_dict=lambda wrapped: get_model_state_dict(wrapped, options=options))
    trainer = SimpleNamespace(accelerator=accelerator, model=model, model_wrapped=model)

    def split() -> int:
        return sum(isinstance(parameter, DTensor) for parameter in model.parameters())

    before = split()
    with whole(trainer, first=dist.get_rank() == 0):
        inside = split()
        same = inside == 0 and all(torch.equal(original[name], parameter) for name, parameter in model.named_parameters())
        if inside == 0:
            model.save_pretrained(folder / "stored")
    tokens = torch.arange(8).reshape(1, 8)
    return {"before": before, "inside": inside, "same": same, "after": split(), "loss": float(model(tokens, labels=tokens).loss)}


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:4]))
