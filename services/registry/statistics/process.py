"""A process that counts, so that tokenizers, which are other people's files, are read where they can harm nobody."""

import asyncio
import json
import sys
from dataclasses import asdict

from tunesmith.registry.v1 import dataset_statistics_pb2

from services.chassis.errors import FailedPrecondition
from services.registry.statistics.counting import Task

_COUNTED = "COUNTED"
_SHOWN_CHARACTERS = 300
_FIXES = {
    "ROWS_UNREADABLE": "verify the dataset, and upload it again if its file was changed",
    "TOKENIZER_UNREADABLE": "import the base model again, or leave base_model unset for an estimate",
}


async def count_in_process(task: Task) -> dataset_statistics_pb2.DatasetStatistics:
    """Start the process and wait for its answer. Cancelling ends it.

    Raises FailedPrecondition, reason ROWS_UNREADABLE or TOKENIZER_UNREADABLE, and RuntimeError if it ended otherwise.
    """
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "services.registry.statistics"]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        process.stdin.write(json.dumps(asdict(task)).encode() + b"\n")
        # Its standard input stays open: the process ends when it closes.
        answer, said = await asyncio.gather(process.stdout.read(), process.stderr.read())
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        process.stdin.close()
    outcome, _, content = answer.partition(b"\n")
    if outcome == _COUNTED.encode():
        return dataset_statistics_pb2.DatasetStatistics.FromString(content)
    reason = outcome.decode(errors="replace")
    if reason in _FIXES:
        text = content.decode(errors="replace")[:_SHOWN_CHARACTERS]
        raise FailedPrecondition(reason, f"the dataset can't be counted: {text}; {_FIXES[reason]}")
    raise RuntimeError(f"counting ended with {process.returncode}: {said.decode(errors='replace')[-_SHOWN_CHARACTERS:]}")
