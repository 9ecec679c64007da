"""`tunesmith.validate`: the server's words, without a server."""

import subprocess
import sys

import pytest
import tunesmith
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.errors import InvalidArgument
from services.chassis.validation import check
from tests.contract.golden_cases import golden_cases

GOOD = {
    "model": {"base_model": "m"},
    "datasets": {"training_file_id": "d"},
    "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 8}},
}


def test_nothing_wrong() -> None:
    assert tunesmith.validate(GOOD) == []
    assert tunesmith.validate(ParseDict(GOOD, JobConfiguration())) == []


def test_it_says_what_the_server_says() -> None:
    message = ParseDict({**GOOD, "schedule": {"epochs": 99}, "optimizer": {"learning_rate": 7}}, JobConfiguration())
    with pytest.raises(InvalidArgument) as caught:
        check(message)
    found = tunesmith.validate(message)
    assert [(one.field, one.description) for one in found] == caught.value.violations
    assert [one.reason for one in found] == caught.value.rule_ids
    assert {one.field for one in found} == {"schedule.epochs", "optimizer.learning_rate"}


def test_every_golden_case_is_judged_as_it_should_be() -> None:
    cases = golden_cases()
    assert len(cases) >= 100
    for case in cases:
        said = {(one.field, one.reason, one.description) for one in tunesmith.validate(case.configuration)}
        assert said == set(case.violations), case.name


def test_a_dict_that_does_not_fit() -> None:
    (found,) = tunesmith.validate({**GOOD, "schedule": {"epoch": 3}})
    assert (found.field, found.description) == ("schedule.epoch", "no such field; did you mean epochs?")


def test_without_protovalidate_it_says_how_to_get_it() -> None:
    program = "import sys; sys.modules['protovalidate'] = None; import tunesmith; tunesmith.validate({})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ImportError" in done.stderr
    assert "pip install tunesmith[validate]" in done.stderr


def test_messages_alone_import_no_grpc() -> None:
    program = "import sys, tunesmith.config.v1.job_configuration_pb2; print('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
