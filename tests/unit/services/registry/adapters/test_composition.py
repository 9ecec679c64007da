"""Weighted sums of adapters through the service's door: exact, and refused where there is no sum."""

import json
from collections.abc import Mapping

import grpc
import numpy as np
import pytest
from safetensors.numpy import load
from tunesmith.registry.v1 import adapter_pb2

from tests.unit.services.registry.adapters.conftest import Room
from tests.unit.services.registry.adapters.files import CONFIG, WEIGHTS, lora, packed, prompt, settings, tensors
from tests.unit.services.registry.conftest import failure, reason_of, violations_of
from tests.unit.services.registry.models import write_model

UP = ("self_attn.q_proj", "mlp.up_proj")


def change(made: Mapping[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """What factors add to each layer's weights."""
    paths = [name.removesuffix(".lora_A.weight") for name in made if name.endswith(".lora_A.weight")]
    return {
        path: scale * made[f"{path}.lora_B.weight"].astype(np.float64) @ made[f"{path}.lora_A.weight"].astype(np.float64)
        for path in paths
    }


def added(*changes: tuple[dict[str, np.ndarray], float]) -> dict[str, np.ndarray]:
    total: dict[str, np.ndarray] = {}
    for one, weight in changes:
        for path, delta in one.items():
            total[path] = total.get(path, 0) + weight * delta
    return total


async def sum_of(room: Room, adapter: adapter_pb2.Adapter) -> tuple[dict[str, np.ndarray], dict]:
    return load(await room.content(adapter, WEIGHTS)), json.loads(await room.content(adapter, CONFIG))


async def test_the_sum_of_two(room: Room) -> None:
    first, second = tensors(seed=1), tensors(rank=3, seed=2)
    one = await room.upload(packed(lora(weights=first)), display_name="one")
    two = await room.upload(packed(lora(configuration=settings(rank=3, alpha=5), weights=second)), display_name="two")
    adapter = await room.compose((one, 0.7), (two, -0.3))
    assert (adapter.display_name, adapter.rank, adapter.alpha, adapter.dropout) == ("one+two", 5, 5.0, 0.0)
    assert (adapter.type, adapter.status) == (adapter_pb2.ADAPTER_TYPE_LORA, adapter_pb2.ADAPTER_STATUS_READY)
    assert [(part.adapter_id, part.weight) for part in adapter.lineage.components] == [(one.id, 0.7), (two.id, -0.3)]
    assert adapter.base_model_id == room.model.id and adapter.parameter_count == one.parameter_count + two.parameter_count
    made, written = await sum_of(room, adapter)
    assert (written["r"], written["lora_alpha"], written["rank_pattern"]) == (5, 5, {})
    expected = added((change(first, 4 / 2), 0.7), (change(second, 5 / 3), -0.3))
    assert expected.keys() == change(made, 1).keys() and len(expected) == 4
    for path, delta in change(made, 1).items():
        np.testing.assert_allclose(delta, expected[path], rtol=1e-5, atol=1e-5)
    assert {tensor.dtype for tensor in made.values()} == {np.dtype(np.float32)}


async def test_adapters_of_other_layers_and_scales(room: Room) -> None:
    first, second = tensors(seed=1), tensors(targets=UP, layers=1, rank=3, seed=2)
    restricted = settings(rank=3, alpha=6, targets=UP, use_rslora=True, layers_to_transform=[0])
    one = await room.upload(packed(lora(weights=first)))
    two = await room.upload(packed(lora(configuration=restricted, weights=second)))
    adapter = await room.compose((one, 1.0), (two, 2.0))
    made, written = await sum_of(room, adapter)
    assert list(adapter.target_modules) == ["q_proj", "up_proj", "v_proj"] and adapter.rank == 5
    # q_proj has rank 5 in layer 0, which is the default, and 2 in layer 1, which no name says.
    assert written["rank_pattern"] == {"^model.layers.1.self_attn.q_proj": 2, "up_proj": 3, "v_proj": 2}
    assert written["alpha_pattern"] == written["rank_pattern"]
    expected = added((change(first, 2), 1), (change(second, 6 / 3**0.5), 2))
    for path, delta in change(made, 1).items():
        np.testing.assert_allclose(delta, expected[path], rtol=1e-5, atol=1e-5)
    assert change(made, 1).keys() == expected.keys()
    # A sum is an adapter like any other.
    again = await room.compose((adapter, 0.5), (one, 1.0))
    made, _ = await sum_of(room, again)
    for path, delta in change(made, 1).items():
        np.testing.assert_allclose(delta, added((expected, 0.5), (change(first, 2), 1))[path], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
async def test_sixteen_bits_are_read_as_they_are(room: Room, dtype: str) -> None:
    made = tensors(seed=3)
    if dtype == "F16":
        stored = {name: tensor.astype(np.float16) for name, tensor in made.items()}
        exact = {name: tensor.astype(np.float32) for name, tensor in stored.items()}
        body = lora(weights=stored)
    else:
        halves = {name: (tensor.view(np.uint32) >> 16).astype(np.uint16) for name, tensor in made.items()}
        exact = {name: (half.astype(np.uint32) << 16).view(np.float32) for name, half in halves.items()}
        body = lora(weights=halves)
        # numpy has no such type; only the header names it.
        body[WEIGHTS] = body[WEIGHTS].replace(b'"U16"', b'"BF16"')
        body[WEIGHTS] = relengthened(body[WEIGHTS])
    one = await room.upload(packed(body))
    two = await room.upload(packed(lora(weights=tensors(seed=4))))
    total, _ = await sum_of(room, await room.compose((one, 1.5), (two, 1.0)))
    expected = added((change(exact, 2), 1.5), (change(tensors(seed=4), 2), 1.0))
    for path, delta in change(total, 1).items():
        np.testing.assert_allclose(delta, expected[path], rtol=1e-5, atol=1e-5)


def relengthened(body: bytes) -> bytes:
    """The file with its header's length as it is now."""
    end = body.index(b"}}") + 2
    while body[end : end + 1] == b" ":
        end += 1
    return (end - 8).to_bytes(8, "little") + body[8:]


async def test_what_has_no_sum_is_refused_by_name(room: Room) -> None:
    one = await room.upload(packed(lora()), display_name="one")
    soft = await room.upload(packed(prompt()), display_name="soft")
    firsts = [name for name in tensors() if "lora_A" in name]
    beside = {name.replace("lora_A.weight", "lora_magnitude_vector"): np.ones(8, np.float32) for name in firsts}
    dora = await room.upload(packed(lora(configuration=settings(use_dora=True), weights=tensors() | beside)), display_name="dora")
    other_model = await room.house.create(local_folder=str(write_model(room.house.imports / "other")), hub_repo="me/other")
    other = await room.upload(packed(lora()), base_model="me/other", display_name="other")
    gone = adapter_pb2.Adapter(id="0192f0c1-7d3a-7a4b-8c7d-2f1e0a9b8c7d")
    found = violations_of(await failure(room.compose((one, 1), (soft, 1), (dora, 1), (other, 1), (gone, 1), (one, 0))))
    told = dict(found)
    assert "soft is of type ADAPTER_TYPE_PROMPT" in told["components[1].adapter_id"]
    assert "dora is of type ADAPTER_TYPE_DORA" in told["components[2].adapter_id"]
    assert f"other was trained on another base model ({other_model.id})" in told["components[3].adapter_id"]
    assert "does not exist" in told["components[4].adapter_id"]
    assert "one is there twice" in told["components[5].adapter_id"]
    assert "adds nothing" in told["components[5].weight"]
    assert len(await room.listed()) == 4


async def test_layers_that_were_trained_whole_have_no_sum(room: Room) -> None:
    whole = tensors() | {"base_model.model.lm_head.weight": np.ones((32, 8), np.float32)}
    files = lora(configuration=settings(modules_to_save=["lm_head"]), weights=whole)
    one = await room.upload(packed(files), display_name="whole")
    two = await room.upload(packed(lora()))
    ((field, said),) = violations_of(await failure(room.compose((one, 1), (two, 1))))
    assert field == "components" and "whole changes more than low-rank factors" in said


async def test_a_sum_of_too_many_ranks_saves_nothing_and_is_refused(room: Room) -> None:
    parts = [await room.upload(packed(lora(weights=tensors(seed=seed)))) for seed in range(4)]
    ((field, said),) = violations_of(await failure(room.compose(*((part, 1.0) for part in parts))))
    assert field == "components" and "rank 8 is not below" in said
    assert len(room.files()) == 8


async def test_a_repeated_composition_is_answered_with_the_first(room: Room) -> None:
    one, two = await room.upload(packed(lora())), await room.upload(packed(lora(weights=tensors(seed=9))))
    first = await room.compose((one, 1), (two, 1), request_id="c")
    assert await room.compose((one, 1), (two, 1), request_id="c") == first
    assert reason_of(await failure(room.compose((one, 1), (two, 2), request_id="c"))) == "REQUEST_ID_REUSED"
    assert len(await room.listed()) == 3


async def test_one_adapter_is_no_sum(room: Room) -> None:
    one = await room.upload(packed(lora()))
    error = await failure(room.compose((one, 1)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and violations_of(error)[0][0] == "components"
