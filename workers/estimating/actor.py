"""The estimator: a process beside the training actor that has torch loaded and answers inquiries, one after another.

Like the training actor it holds no Ray code. What passes between it and the agent is bytes.
"""

import contextlib
import os
import resource
from collections import OrderedDict
from pathlib import Path

import psutil
import structlog
from google.rpc import code_pb2, status_pb2
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.errors import ServiceError
from services.chassis.logging import configure_logging

# An inquiry waits for nobody but a person, and training does for the processor.
NICENESS = 10
# What an answer may take beyond what the libraries take once they are loaded; a configuration that wants more is refused.
MAX_EXTRA_BYTES = 1024**3
MAX_CACHED = 256
# The kernel ends this process before a training one where memory runs out.
OOM_SCORE_FILE, OOM_SCORE = Path("/proc/self/oom_score_adj"), "500"

log = structlog.get_logger()


class EstimatorActor:
    """Answers inquiries. What it was asked before it answers from memory."""

    def __init__(self, log_level: str) -> None:
        configure_logging("estimator", log_level)
        _step_back()
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._bounded = False

    def answer(self, inquiry_bytes: bytes) -> bytes:
        """The answer to an inquiry, as bytes: what was asked for, or why there is none."""
        inquiry = inquiry_pb2.Inquiry.FromString(inquiry_bytes)
        inquiry_id, inquiry.id = inquiry.id, ""
        key = inquiry.SerializeToString(deterministic=True)
        known = self._answers.get(key)
        if known is None:
            answer = self._find(inquiry)
            if answer.WhichOneof("kind") != "error" or answer.error.code != code_pb2.INTERNAL:
                self._remember(key, answer.SerializeToString())
        else:
            self._answers.move_to_end(key)
            answer = inquiry_pb2.InquiryAnswer.FromString(known)
        answer.inquiry_id = inquiry_id
        return answer.SerializeToString()

    def _find(self, inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        kind = inquiry.WhichOneof("question")
        try:
            self._load()
            if kind == "profile":
                from workers.estimating.profile import profile

                return inquiry_pb2.InquiryAnswer(profile=profile(inquiry.profile.configuration_json))
            if kind == "trace":
                from workers.estimating.trace import trace

                return inquiry_pb2.InquiryAnswer(trace=trace(inquiry.trace))
        except ServiceError as error:
            return inquiry_pb2.InquiryAnswer(error=error.status())
        except MemoryError:
            text = "answering it takes more memory than it is worth; correct the sizes in config.json"
            return inquiry_pb2.InquiryAnswer(error=status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=text))
        except Exception:
            log.exception("inquiry_failed", kind=kind)
            text = "the estimator failed; its log says how, and the plain estimate stands"
            return inquiry_pb2.InquiryAnswer(error=status_pb2.Status(code=code_pb2.INTERNAL, message=text))
        text = "this pool knows no such question; update it"
        return inquiry_pb2.InquiryAnswer(error=status_pb2.Status(code=code_pb2.UNIMPLEMENTED, message=text))

    def _load(self) -> None:
        """Load the libraries once, and bound what comes on top of them."""
        from workers.estimating import trace  # noqa: F401 - loads torch, transformers, peft and trl

        if not self._bounded:
            self._bounded = True
            used = psutil.Process().memory_info().data
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            soft = used + MAX_EXTRA_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))

    def _remember(self, key: bytes, answer: bytes) -> None:
        self._answers[key] = answer
        if len(self._answers) > MAX_CACHED:
            self._answers.popitem(last=False)


def _step_back() -> None:
    """Leave the processor, the GPU and the memory to those who train."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    # A container may forbid either; answers are the same.
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        OOM_SCORE_FILE.write_text(OOM_SCORE)
