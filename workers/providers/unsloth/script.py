"""The script that Unsloth is run with: its loader, and the rows and the trainer of `local`."""

from typing import Any

from workers.providers.local.script import rows
from workers.providers.local.script.code import Code, call, lines, literal
from workers.providers.script import Script, ScriptedJob, one_line
from workers.providers.unsloth.translation import VERSION, translate

FILE_NAME = "train.py"
OUTPUT_FOLDER = "output"
_PARSER = '''\
def parse_arguments():
    """The files to read and to write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("training_file")
    parser.add_argument("--validation-file")
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--output", default="output")
    return parser.parse_args()'''


def unsloth_script(job: ScriptedJob) -> Script:
    """A job as a script for Unsloth. Raises ValueError for what it can't do."""
    given = translate(job.configuration, job.training_dataset.format)
    whole = [
        lines(
            f'"""{one_line(job.display_name) or "A fine-tune"}, for unsloth=={VERSION}: Tunesmith\'s job {one_line(job.id)}."""',
            "",
            "import argparse",
            "import json",
            "from pathlib import Path",
            "",
            "# Before the libraries that it patches.",
            "from unsloth import FastLanguageModel  # isort: skip",
            "import torch",
            rows.imports(job.training_dataset.format),
            "from trl import SFTConfig, SFTTrainer",
        ),
        *rows.reading(job.training_dataset.format, answers_only=bool(given["trainer"].get("assistant_only_loss"))),
        _PARSER,
        _main(given, evaluations=job.configuration.schedule.evaluations if job.validation_dataset is not None else 0),
        'if __name__ == "__main__":\n    main()\n',
    ]
    return Script(FILE_NAME, "\n\n\n".join(whole))


def _main(given: dict[str, Any], *, evaluations: int) -> str:
    return lines(
        "def main():",
        '    """Train, and store the result."""',
        "    arguments = parse_arguments()",
        call("FastLanguageModel.from_pretrained", _loader(given["loader"]), 1, "model, tokenizer = "),
        _adapter(given["adapter"]),
        call("SFTConfig", _config(given["trainer"], evaluations), 1, "config = "),
        call("SFTTrainer", _trainer(evaluations), 1, "trainer = "),
        "    trainer.train()",
        "    trainer.evaluate()" if evaluations == 1 else None,
        "    trainer.save_model()",
        "    trainer.save_state()",
    )


def _loader(given: dict[str, Any]) -> dict[str, Any]:
    # Its loader for CPUs does not know the name.
    mixed = {name: value for name, value in given.items() if name == "float32_mixed_precision"}
    plain = {name: value for name, value in given.items() if name not in mixed}
    plain |= {"model_name": Code("arguments.base_model"), "dtype": Code(f"torch.{given['dtype']}")}
    unpacked = Code(f"({literal(mixed)} if torch.cuda.is_available() else {{}})")
    return plain | ({"**mixed": unpacked} if mixed else {})


def _adapter(given: dict[str, Any] | None) -> str | None:
    if given is None:
        return None
    return call("FastLanguageModel.get_peft_model", {"model": Code("model"), **given}, 1, "model = ")


def _config(trainer: dict[str, Any], evaluations: int) -> dict[str, Any]:
    given: dict[str, Any] = {"output_dir": Code("arguments.output"), "use_cpu": Code("not torch.cuda.is_available()")}
    given |= {name: value for name, value in trainer.items() if value is not None}
    if evaluations > 1:
        given |= {"eval_strategy": "steps", "eval_steps": Code(f"1 / {evaluations}")}
    return given | {"save_strategy": "no", "report_to": "none"}


def _trainer(evaluations: int) -> dict[str, Any]:
    given: dict[str, Any] = {"model": Code("model"), "args": Code("config")}
    given["train_dataset"] = Code("read_rows(arguments.training_file)")
    if evaluations:
        given["eval_dataset"] = Code("read_rows(arguments.validation_file)")
    return given | {"processing_class": Code("tokenizer")}
