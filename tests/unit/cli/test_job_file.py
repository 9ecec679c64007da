"""Reading a job's file: what is wrong, where, and what was meant."""

from pathlib import Path

import pytest
from tunesmith.cli.errors import CliError
from tunesmith.cli.job_file import read_job_file
from tunesmith.config.v1 import method_pb2

MINIMAL = """\
model:
  base_model: tunesmith/pico
datasets:
  training_file_id: rows
method:
  type: TRAINING_METHOD_LORA
  lora_config: {}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return tmp_path / "job.yaml"


def lines_of(file: Path, text: str) -> list[str]:
    """What is said of a file with this text, without the folder's name."""
    file.write_text(text)
    with pytest.raises(CliError) as caught:
        read_job_file(str(file))
    assert caught.value.exit_code == 2
    return [line.removeprefix(f"{file.parent}/") for line in caught.value.lines]


def test_a_configuration(job: Path) -> None:
    job.write_text(MINIMAL + "optimizer:\n  learning_rate: 1e-4\noutput: {suffix: 2026-01-01}\n")
    configuration = read_job_file(str(job)).request.configuration
    assert configuration.method.type == method_pb2.TRAINING_METHOD_LORA
    assert configuration.method.HasField("lora_config")
    # YAML's own idea of 1e-4 is a text, and of 2026-01-01 a date.
    assert configuration.optimizer.learning_rate == 1e-4
    assert configuration.output.suffix == "2026-01-01"


def test_a_whole_request(job: Path) -> None:
    indented = "".join(f"  {line}\n" for line in MINIMAL.splitlines())
    job.write_text(f"request_id: r1\nstrict: true\nprovider: local\nconfiguration:\n{indented}")
    request = read_job_file(str(job)).request
    assert (request.request_id, request.strict, request.configuration.model.base_model) == ("r1", True, "tunesmith/pico")


def test_json_with_tabs_and_escapes_of_its_own(job: Path) -> None:
    job.write_text('{\n\t"model": {"base_model": "a\\/b"},\n\t"metadata": {"local": {"note": "\\ud83d\\ude42"}}\n}')
    configuration = read_job_file(str(job)).request.configuration
    assert configuration.model.base_model == "a/b"
    assert configuration.metadata["local"]["note"] == "🙂"


def test_every_mistake_at_once(job: Path) -> None:
    text = MINIMAL + "schedule:\n  epoch: 3\n  batch_size: many\noptimizer:\n  scheduler:\n    type: cosine\n"
    assert lines_of(job, text) == [
        "job.yaml:9: schedule.epoch: no such field; did you mean epochs?",
        "job.yaml:10: schedule.batch_size: takes a whole number; got 'many'",
        "job.yaml:13: optimizer.scheduler.type: 'cosine' is none of its values; did you mean LR_SCHEDULER_TYPE_COSINE?",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 3", "job.yaml:1: epochs: no such field; did you mean schedule.epochs?"),
        ("schedule: {warmup_ratio: 0.1}", "schedule.warmup_ratio: no such field; did you mean optimizer.scheduler.warmup_ratio?"),
        ("lerning_rate: 1", "did you mean optimizer.learning_rate?"),
        ("output: {zzz: 1}", "output.zzz: no such field; there are suffix"),
        ("method: {type: loora}", "'loora' is none of its values; did you mean TRAINING_METHOD_LORA?"),
        ("method: {type: zzz}", "'zzz' is none of its values; there are TRAINING_METHOD_FULL, TRAINING_METHOD_LORA"),
        ("method: {type: TRAINING_METHOD_LORRA}", "did you mean TRAINING_METHOD_LORA?"),
        ("method: {type: yes}", "method.type: true is none of its values"),
        ("schedule: 3", "schedule: takes a section with epochs"),
        ("schedule: {epochs: 3.5}", "schedule.epochs: takes a whole number; got 3.5"),
        ("schedule: {epochs: true}", "schedule.epochs: takes a whole number; got true"),
        ("schedule: {epochs: 3000000000}", "schedule.epochs: takes a whole number; got 3000000000"),
        ("optimizer: {learning_rate: .nan}", "optimizer.learning_rate: takes a number; got nan"),
        ("optimizer: {learning_rate: [1]}", "optimizer.learning_rate: takes a number; got [1]"),
        ("model: {base_model: 7}", "model.base_model: takes a text; put it in quotes; got 7"),
        ("optimizations: {enabled: OPTIMIZATION_FEATURE_SEQUENCE_PACKING}", "optimizations.enabled: takes a list"),
        (
            "optimizations:\n  enabled:\n    - OPTIMIZATION_FEATURE_SEQUENCE_PACKING\n    - packing",
            "job.yaml:4: optimizations.enabled[1]: 'packing' is none of its values; did you mean OPTIMIZATION_FEATURE_SEQUENCE_P",
        ),
        ("metadata: 3", "metadata: takes a section; got 3"),
        ("model: {}\nmodel: {}", "job.yaml:1: model: is there again in line 2; remove one"),
        ("1: 2", "job.yaml:1: 1: no such field"),
        ("configuration: {}\nstrct: true", "job.yaml:2: strct: no such field; did you mean strict?"),
        ("configuration: {schedule: {epoch: 1}}", "configuration.schedule.epoch: no such field; did you mean epochs?"),
        ("model: [", "job.yaml:1: is neither YAML nor JSON"),
        ("model: \x07", "is neither YAML nor JSON"),
        ("- model", "holds no configuration"),
        ("", "holds no configuration"),
    ],
)
def test_a_mistake(job: Path, text: str, said: str) -> None:
    [line] = lines_of(job, text)
    assert said in line


def test_enum_numbers_are_the_server_s_to_judge(job: Path) -> None:
    job.write_text("method: {type: 99}")
    assert read_job_file(str(job)).request.configuration.method.type == 99


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(CliError, match=r"nowhere\.yaml: No such file"):
        read_job_file("nowhere.yaml")


def test_a_file_that_is_no_text(job: Path) -> None:
    job.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CliError, match="no UTF-8 text"):
        read_job_file(str(job))


def test_where_a_violation_of_the_server_is(job: Path) -> None:
    job.write_text(MINIMAL + "schedule:\n  epochs: 30\n")
    job_file = read_job_file(str(job))
    assert job_file.place("configuration.schedule.epochs") == (f"{job}:9", "schedule.epochs")
    # What is missing has no line; its section has.
    assert job_file.place("configuration.method.prompt_tuning_config.num_virtual_tokens")[0] == f"{job}:5"
    assert job_file.place("configuration.hardware.num_gpus") == (str(job), "hardware.num_gpus")
    assert job_file.place("configuration") == (str(job), "")
    assert job_file.place("provider") == (str(job), "provider")
