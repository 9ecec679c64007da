"""Which files of a model are taken, and which models are not taken at all."""

import json
from pathlib import Path

import pytest

from services.registry.importing.files import read_json, small_files, weight_files
from services.registry.importing.refused import Refused


def test_only_named_files_are_taken() -> None:
    names = ["config.json", "tokenizer.json", "model.safetensors", "training_args.bin", "optimizer.pt", "run.sh", "README.md"]
    assert small_files(names) == ["config.json", "tokenizer.json", "README.md"]


REFUSED = {
    "code": (["config.json", "modeling_x.py", "model.safetensors"], "it holds code (modeling_x.py)"),
    "an adapter": (["adapter_config.json", "adapter_model.safetensors"], "this is an adapter, not a full model"),
    "an adapter beside a configuration": (["config.json", "adapter_config.json"], "this is an adapter"),
    "GGUF": (["model-q4.gguf"], "a GGUF file, which can be served but not trained"),
    "no configuration": (["model.safetensors"], "it has no config.json"),
    "nothing": ([], "it has no config.json"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_folders_that_are_no_model_are_refused(case: str) -> None:
    names, expected = REFUSED[case]
    with pytest.raises(Refused) as refused:
        small_files(names)
    assert expected in str(refused.value)


def with_index(folder: Path, content: object) -> Path:
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    return folder


def test_one_file_goes_before_the_index_and_strays_are_left(tmp_path: Path) -> None:
    names = ["model.safetensors", "consolidated.safetensors", "model.safetensors.index.json"]
    assert weight_files(tmp_path, names) == ["model.safetensors"]
    shards = {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}
    folder = with_index(tmp_path, {"weight_map": shards})
    names = ["model-1.safetensors", "model-2.safetensors", "model-3.safetensors", "model.safetensors.index.json"]
    assert weight_files(folder, names) == ["model-1.safetensors", "model-2.safetensors"]


NO_WEIGHTS = {
    "pickles": (["pytorch_model.bin"], "its weights are a pickle (pytorch_model.bin)"),
    "torch": (["model.pt", "model.pth"], "its weights are a pickle (model.pt)"),
    "another name": (["weights.safetensors"], "weights.safetensors is neither model.safetensors nor named"),
    "nothing": (["config.json"], "it has no weights"),
}


@pytest.mark.parametrize("case", NO_WEIGHTS)
def test_weights_of_another_kind_are_refused_with_the_fix(tmp_path: Path, case: str) -> None:
    names, expected = NO_WEIGHTS[case]
    with pytest.raises(Refused) as refused:
        weight_files(tmp_path, names)
    assert expected in str(refused.value)


INDICES = {
    "a path upwards": ({"weight_map": {"a": "../other.safetensors"}}, "is no safetensors file beside it"),
    "a pickle": ({"weight_map": {"a": "pytorch_model.bin"}}, "is no safetensors file beside it"),
    "a missing shard": ({"weight_map": {"a": "model-9.safetensors"}}, "names model-9.safetensors, which is not there"),
    "no map": ({}, "has no weight_map"),
    "a map to numbers": ({"weight_map": {"a": 1}}, "has no weight_map"),
    "a list": ([], "must hold an object"),
    "too many": ({"weight_map": {str(i): f"model-{i}.safetensors" for i in range(600)}}, "more than 512 files"),
}


@pytest.mark.parametrize("case", INDICES)
def test_an_index_that_lies_is_refused(tmp_path: Path, case: str) -> None:
    content, expected = INDICES[case]
    folder = with_index(tmp_path, content)
    with pytest.raises(Refused) as refused:
        weight_files(folder, ["model.safetensors.index.json", "model-1.safetensors"])
    assert expected in str(refused.value)


CODE = {
    "at the top": {"auto_map": {"AutoModel": "modeling.X"}},
    "deep inside": {"a": [{"b": {"auto_map": {}}}]},
}


@pytest.mark.parametrize("case", CODE)
def test_a_reference_to_code_is_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CODE[case]))
    with pytest.raises(Refused, match=r"config\.json has auto_map"):
        read_json(path)


NO_OBJECT = [("{", "not valid JSON"), ("[" * 100_000, "not valid JSON"), ("[]", "must hold an object")]


@pytest.mark.parametrize(("content", "expected"), NO_OBJECT, ids=["cut off", "brackets", "a list"])
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(Refused, match=expected):
        read_json(path)


def test_a_configuration_of_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(" " * (17 * 1024 * 1024))
    with pytest.raises(Refused, match="larger than"):
        read_json(path)
