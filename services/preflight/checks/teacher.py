"""Whether a distillation's teacher can be asked, and says the same tokens as the model that learns."""

from collections.abc import Iterator

from tunesmith.config.v1 import method_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1.base_model_pb2 import BaseModel

from services.preflight.facts import TEACHER, Facts
from services.preflight.findings import error

# One tokenizer's models round their vocabularies up to different sizes: Qwen 2.5 has 151,936 entries in small models and 152,064
# in large ones.
ROUNDING = 1024
TOKENIZER_FILE = "tokenizer.json"
_READS_TEXT = (base_model_pb2.MODALITY_UNSPECIFIED, base_model_pb2.MODALITY_TEXT)


def check(facts: Facts) -> Iterator[Finding]:
    """TEACHER_NOT_LOADABLE, TEACHER_VOCABULARY_DIFFERS."""
    teacher, student = facts.teacher, facts.base_model
    if teacher is None or facts.configuration.method.objective != method_pb2.TRAINING_OBJECTIVE_DISTILLATION:
        return
    if teacher.gguf or teacher.modality not in _READS_TEXT:
        what = "a GGUF file" if teacher.gguf else "no language model"
        text = f"{teacher.display_name} is {what}, so nobody can ask it for each token; choose a language model with safetensors"
        yield error("TEACHER_NOT_LOADABLE", TEACHER, text)
    elif student is not None and _differ(student, teacher):
        sizes = f"{vocabulary_size(teacher):,} tokens and {student.display_name} {vocabulary_size(student):,}"
        text = (
            f"{teacher.display_name} tells {sizes}, so their distributions can't be compared; "
            "choose a teacher that was trained with the same tokenizer"
        )
        yield error("TEACHER_VOCABULARY_DIFFERS", TEACHER, text)


def vocabulary_size(model: BaseModel) -> int:
    """Entries of a model's output layer; 0 while nobody knows."""
    return int(model.architecture.vocabulary_size)


def _differ(student: BaseModel, teacher: BaseModel) -> bool:
    """Whether sizes tell two tokenizers apart. Of those that don't, the worker compares every token."""
    ours, theirs = vocabulary_size(student), vocabulary_size(teacher)
    return bool(ours and theirs) and abs(ours - theirs) >= ROUNDING and not _same_tokenizer(student, teacher)


def _same_tokenizer(student: BaseModel, teacher: BaseModel) -> bool:
    ours, theirs = ({file.sha256 for file in model.files if file.path == TOKENIZER_FILE} for model in (student, teacher))
    return bool(ours & theirs - {""})
