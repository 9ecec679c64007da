"""What the tensors' names and shapes have to be, beside the configuration and beside the base model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from tunesmith.registry.v1 import base_model_pb2, model_profile_pb2

from services.registry.adapters import weights
from services.registry.adapters.configuration import read
from services.registry.adapters.fit import check_fit
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor, read_header
from tests.unit.services.registry.adapters.files import settings, tensors
from tests.unit.services.registry.models import HIDDEN

Q = "base_model.model.model.layers.0.self_attn.q_proj"
Change = Callable[[dict[str, np.ndarray]], Any]


def header(folder: Path, made: Mapping[str, np.ndarray]) -> list[Tensor]:
    (folder / "adapter_model.safetensors").write_bytes(save(dict(made)))
    return read_header(folder / "adapter_model.safetensors")


def drop(name: str) -> Change:
    return lambda made: made.pop(name)


def put(name: str, *shape: int, dtype: type = np.float32) -> Change:
    return lambda made: made.update({name: np.ones(shape, dtype)})


BROKEN: dict[str, tuple[Change, dict[str, Any], str]] = {
    "no tensors": (lambda made: made.clear(), {}, "holds 0 tensors"),
    "half a pair": (drop(f"{Q}.lora_B.weight"), {}, "has no lora_B.weight of model.layers.0.self_attn.q_proj"),
    "another rank": (put(f"{Q}.lora_A.weight", 3, HIDDEN), {}, "of rank 3 and 2, and the configuration says 2"),
    "a rank that only the file has": (lambda made: None, {"r": 3}, "of rank 2 and 2, and the configuration says 3"),
    "a shard": (put(f"{Q}.lora_A.weight", 0, HIDDEN), {}, "a shard of it was saved"),
    "whole numbers": (put(f"{Q}.lora_A.weight", 2, HIDDEN, dtype=np.int32), {}, "as I32"),
    "names of another library": (put("lora_te_layer_0.weight", 2, 2), {}, "names begin with base_model.model."),
    "a layer that is no target": (lambda made: None, {"target_modules": ["q_proj"]}, "which target_modules does not name"),
    "a target without factors": (lambda made: None, {"target_modules": ["q_proj", "v_proj", "k_proj"]}, "no factors of k_proj"),
    "a whole layer": (put("base_model.model.score.weight", 2, HIDDEN), {}, "neither LoRA nor modules_to_save"),
    "magnitudes without DoRA": (put(f"{Q}.lora_magnitude_vector", HIDDEN), {}, "use_dora contradict"),
    "DoRA without magnitudes": (lambda made: None, {"use_dora": True}, "use_dora contradict"),
    "a bias that is not announced": (put(f"{Q}.lora_B.bias", HIDDEN), {}, "lora_bias contradict"),
    "factors of one dimension": (put(f"{Q}.lora_A.weight", 2), {}, "which are none"),
}


def test_there_are_broken_ones() -> None:
    assert len(BROKEN) == 14


@pytest.mark.parametrize("case", BROKEN)
def test_tensors_that_the_configuration_does_not_account_for_are_refused(tmp_path: Path, case: str) -> None:
    change, changes, text = BROKEN[case]
    made = tensors()
    change(made)
    with pytest.raises(Refused) as refusal:
        weights.sort(header(tmp_path, made), read(settings(**changes)))
    assert text in str(refusal.value)


def test_layers_that_were_trained_whole_are_taken_if_they_are_announced(tmp_path: Path) -> None:
    made = tensors()
    put("base_model.model.score.weight", 2, HIDDEN)(made)
    held = weights.sort(header(tmp_path, made), read(settings(modules_to_save=["score"])))
    assert [tensor.name for tensor in held.others] == ["base_model.model.score.weight"]
    assert held.layer_names == ["q_proj", "v_proj"]


def profiled(**paths: tuple[int, int]) -> base_model_pb2.BaseModel:
    """A model that a pool has built."""
    model = base_model_pb2.BaseModel(hub_repo="me/tiny", modality=base_model_pb2.MODALITY_TEXT)
    model.architecture.hidden_size, model.architecture.layer_count = HIDDEN, 2
    for path, (before, after) in paths.items():
        model.profile.modules.add(
            path=path, kind=model_profile_pb2.MODULE_KIND_LINEAR, input_size=before, output_size=after, count=2
        )
    return model


Q_PATH, V_PATH = "model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.v_proj"
GOOD = {Q_PATH: (HIDDEN, HIDDEN), V_PATH: (HIDDEN, HIDDEN // 2)}


def test_an_adapter_that_fits_a_model_that_was_built(tmp_path: Path) -> None:
    configuration = read(settings())
    check_fit(configuration, weights.sort(header(tmp_path, tensors()), configuration), profiled(**GOOD))


MISFITS = {
    "another size": ({**GOOD, V_PATH: (HIDDEN, HIDDEN)}, "has factors for 8 to 4, the model's layer is 8 to 8"),
    "no such layer": ({Q_PATH: (HIDDEN, HIDDEN)}, f"the model has no {V_PATH}"),
    "the name in another place": ({**{Q_PATH: GOOD[Q_PATH]}, "encoder.*.v_proj": (HIDDEN, 4)}, f"the model has no {V_PATH}"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_a_model_that_was_built_is_told(tmp_path: Path, case: str) -> None:
    modules, text = MISFITS[case]
    configuration = read(settings())
    held = weights.sort(header(tmp_path, tensors()), configuration)
    with pytest.raises(Refused) as refusal:
        check_fit(configuration, held, profiled(**modules))
    assert text in str(refusal.value) and "does not fit me/tiny" in str(refusal.value)


def test_a_layer_that_was_trained_whole_has_the_model_s_shape(tmp_path: Path) -> None:
    made = tensors()
    put("base_model.model.lm_head.weight", 32, HIDDEN)(made)
    configuration = read(settings(modules_to_save=["lm_head"]))
    held = weights.sort(header(tmp_path, made), configuration)
    check_fit(configuration, held, profiled(**GOOD, lm_head=(HIDDEN, 32)))
    with pytest.raises(Refused, match=r"lm_head\.weight is 8 to 32, the model's layer is 8 to 33"):
        check_fit(configuration, held, profiled(**GOOD, lm_head=(HIDDEN, 33)))


def test_everything_is_told_at_once_and_cut(tmp_path: Path) -> None:
    configuration = read(settings())
    model = profiled(**dict.fromkeys(GOOD, (HIDDEN + 1, HIDDEN + 1)))
    model.architecture.hidden_size = 2
    with pytest.raises(Refused) as refusal:
        check_fit(configuration, weights.sort(header(tmp_path, tensors()), configuration), model)
    assert "rank 2 is not below" in str(refusal.value) and "9 to 9" in str(refusal.value)
