"""The whole script, put together from its parts."""

from typing import Any

from tunesmith.config.v1 import method_pb2

from workers.providers.local import preference
from workers.providers.local.plan import TrainingPlan, plan
from workers.providers.local.provider import LOCAL
from workers.providers.local.script import model, reporting, rows, trainer, trainers
from workers.providers.local.script.code import Code, call, lines, literal
from workers.providers.script import Script, ScriptedJob, one_line

FILE_NAME = "train.py"
# What the job runs on; a test compares them with the lock file.
VERSIONS = {
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "trl": "1.16.0",
    "peft": "0.21.2",
    "accelerate": "1.15.0",
    "datasets": "5.2.0",
    "bitsandbytes": "0.50.2",
}
# What peft makes an adapter from, by `peft_type`.
PEFT_CLASSES = {
    "LORA": "LoraConfig",
    "PROMPT_TUNING": "PromptTuningConfig",
    "PREFIX_TUNING": "PrefixTuningConfig",
    "P_TUNING": "PromptEncoderConfig",
}
# What scripts are written for.
OBJECTIVES = (
    method_pb2.TRAINING_OBJECTIVE_SFT,
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING,
    method_pb2.TRAINING_OBJECTIVE_DPO,
)


def python_script(job: ScriptedJob) -> Script:
    """What `local` does with a job, as a script with the same losses.

    Raises ValueError for what `local` refuses, and for an objective that no script is written for.
    """
    if job.configuration.method.objective not in OBJECTIVES:
        name = method_pb2.TrainingObjective.Name(job.configuration.method.objective).removeprefix("TRAINING_OBJECTIVE_")
        raise ValueError(f"no Python script is written for objective {name}; download the job's result instead")
    writing = _Writing(job, plan(job.configuration, job.training_dataset.format))
    return Script(FILE_NAME, writing.whole(), tuple(writing.differences()))


class _Writing:
    """One job on its way to a script."""

    def __init__(self, job: ScriptedJob, planned: TrainingPlan) -> None:
        self.job = job
        self.plan = planned
        self.pairs = preference.is_objective(job.configuration)
        pieces = job.configuration.method.objective == method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING
        self.classes = trainers.classes(planned, pairs=self.pairs, pieces=pieces)
        self.copies = pieces
        self.environment = reporting.environment(job.configuration)
        # Text to begin with is read with the base model's tokenizer, which only an argument knows.
        self.from_text = (planned.adapter or {}).get("prompt_tuning_init") == "TEXT"

    def whole(self) -> str:
        """The script."""
        answers_only = bool(self.plan.trainer.get("assistant_only_loss"))
        top = lines(self._docstring(), "", self._imports(), "", self._constants())
        functions = [
            *rows.reading(self.job.training_dataset.format, answers_only=answers_only),
            *self.classes,
            *model.functions(self.plan, self.job.base_model),
            self._arguments(),
            self._main(),
        ]
        return "\n\n\n".join([top, *functions, 'if __name__ == "__main__":\n    main()\n'])

    def differences(self) -> list[str]:
        """What it does otherwise than the job."""
        job = self.job
        found = []
        if job.provider != LOCAL.id:
            found.append(f"It trains as provider local does; the job ran on {job.provider}, whose losses are others.")
        processes = job.configuration.hardware.num_processes or job.configuration.hardware.num_gpus
        if processes > 1:
            found.append(
                f"Start it with `torchrun --nproc_per_node={processes} {FILE_NAME} …`, as the job has so many processes."
            )
        datasets = [job.training_dataset, *([job.validation_dataset] if self.plan.evaluations and job.validation_dataset else [])]
        ahead = [model.difference(job.base_model), *dict.fromkeys(rows.difference(dataset) for dataset in datasets)]
        found += [each for each in ahead if each is not None]
        return found + model.differences(self.plan) + trainer.differences(self.plan) + reporting.differences(job.configuration)

    def _docstring(self) -> str:
        method = method_pb2.TrainingMethod.Name(self.job.configuration.method.type).removeprefix("TRAINING_METHOD_")
        pinned = [f"{name}=={version}" for name, version in VERSIONS.items() if self._needs(name)]
        validation = " --validation-file validation.jsonl" if self.plan.evaluations else ""
        title = one_line(self.job.display_name) or "A fine-tune"
        return f'''"""{title} ({method}).

Does what Tunesmith's job {self.job.id} does, and has the same losses. Run it with

    pip install {" ".join(pinned[:3])}
    pip install {" ".join(pinned[3:])}
    python {FILE_NAME} training.jsonl{validation}
"""'''

    def _needs(self, library: str) -> bool:
        if library == "peft":
            return self.plan.adapter is not None
        if library == "bitsandbytes":
            return "quantization_config" in self.plan.weights or self.plan.trainer["optim"] not in (
                "adamw_torch_fused",
                "adamw_torch",
            )
        return True

    def _imports(self) -> str:
        kinds, deeper = trainers.imports(self.plan, pairs=self.pairs)
        names = sorted([*model.imports(self.plan), *kinds], key=str.casefold)
        trl = ["DPOConfig", "DPOTrainer"] if self.pairs else ["SFTConfig", "SFTTrainer"]
        packs = trainers.packs(self.plan) and not self.pairs
        reference_free = self.pairs and self.plan.objective.get("reference_free")
        return lines(
            "import argparse",
            "import copy" if self.copies else None,
            "import json",
            "import os" if self.environment else None,
            "from pathlib import Path",
            "from types import SimpleNamespace" if reference_free else None,
            "",
            "import torch",
            rows.imports(self.job.training_dataset.format),
            f"from peft import {PEFT_CLASSES[self.plan.adapter['peft_type']]}" if self.plan.adapter is not None else None,
            f"from transformers import {', '.join([*names, 'set_seed'])}",
            *deeper,
            f"from trl import {', '.join([*trl, *(['pack_dataset'] if packs else [])])}",
            "from trl.trainer.sft_trainer import DataCollatorForLanguageModeling" if packs else None,
        )

    def _constants(self) -> str:
        base_model = self.job.base_model
        return lines(
            f"BASE_MODEL = {literal(base_model.hub_repo)}" if base_model.hub_repo else None,
            f"REVISION = {literal(base_model.revision)}" if base_model.revision else None,
            f"SEED = {self.plan.trainer['seed']}",
            f"MAX_LENGTH = {self.plan.trainer['max_length']}",
            model.constants(self.plan),
            None if self.from_text or self.plan.adapter is None else self._adapter("ADAPTER = ", 0),
        )

    def _adapter(self, prefix: str, indent: int) -> str:
        assert self.plan.adapter is not None
        given: dict[str, Any] = {name: value for name, value in self.plan.adapter.items() if name != "peft_type"}
        if self.from_text:
            given["tokenizer_name_or_path"] = Code("arguments.base_model")
            if self.job.base_model.revision:
                given["tokenizer_kwargs"] = {"revision": Code("REVISION")}
        return call(PEFT_CLASSES[self.plan.adapter["peft_type"]], given, indent, prefix)

    def _arguments(self) -> str:
        found = model.difference(self.job.base_model) is None
        base = 'default=BASE_MODEL, help="Its hub name, or a folder."' if found else 'required=True, help="A folder."'
        validation = None
        if self.plan.evaluations:
            validation = '    parser.add_argument("--validation-file", required=True, help="Rows of the same kind.")'
        return lines(
            "def parse_arguments():",
            '    """The files to read and to write."""',
            "    parser = argparse.ArgumentParser()",
            '    parser.add_argument("training_file", help="JSON lines, or one JSON array.")',
            validation,
            f'    parser.add_argument("--base-model", {base})',
            '    parser.add_argument("--output", default="output", help="The folder that gets the result.")',
            "    return parser.parse_args()",
        )

    def _main(self) -> str:
        own = "Trainer" if self.classes else "SFTTrainer"
        trackers = reporting.arguments(self.job.configuration, one_line(self.job.display_name))
        return lines(
            "def main():",
            '    """Train, and store the result."""',
            "    arguments = parse_arguments()",
            self.environment,
            "    set_seed(SEED)",
            model.loading(self.plan, self.job.base_model),
            "",
            self._adapter("adapter = ", 1) if self.from_text else None,
            trainer.configuration(self.plan, trackers, pairs=self.pairs),
            trainer.trainer(self.plan, self.job.base_model, own, pairs=self.pairs),
            "",
            trainer.training(self.plan),
        )
