"""Smart defaults: what is decided stays, what is added has a reason, and what comes out would be accepted."""

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1.pool_pb2 import Pool
from tunesmith.preflight.v1.preflight_service_pb2 import SuggestDefaultsRequest, SuggestDefaultsResponse
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

from services.chassis.errors import InvalidArgument
from services.preflight import form
from services.preflight.defaults.of_hardware import of_hardware
from services.preflight.defaults.suggestion import Circumstances
from services.preflight.usecases.defaults import suggest_defaults
from tests.unit.services.preflight.known import CPU_POOL, GPU_POOL, LLAMA_2_7B, PICO, changed, codes, dataset, older_local, report
from tests.unit.services.preflight.sources import RECIPES, KnownSources
from workers.providers import PROVIDERS

MANY_ROWS = 20_000


def _measured(bf16: float, fp32: float) -> Pool:
    rates = [
        {"precision": f"MATMUL_PRECISION_{name}", "m": 1024, "n": 1024, "k": 1024, "flops_per_second": rate}
        for name, rate in (("BF16", bf16), ("FP32", fp32))
    ]
    pool = Pool()
    pool.CopyFrom(CPU_POOL)
    ParseDict({"matmul_rates": rates}, pool.devices[0].measurement)
    return pool


async def _suggest(sources: KnownSources, recipe: str = "", **sections: Any) -> SuggestDefaultsResponse:
    given = {"model": {"base_model": "llama"}, "datasets": {"training_file_id": "rows"}, **sections}
    request = SuggestDefaultsRequest(configuration=ParseDict(given, JobConfiguration()), recipe=recipe)
    return await suggest_defaults(sources, request)


def _values(answer: SuggestDefaultsResponse) -> Mapping[str, Any]:
    return {one.field_path: MessageToDict(one.value) for one in answer.values}


async def test_a_model_and_a_dataset_are_enough() -> None:
    answer = await _suggest(KnownSources(LLAMA_2_7B))
    assert answer.recipe_id == "lora"
    assert answer.configuration.method.lora_config.rank == 16
    assert answer.configuration.optimizer.learning_rate == pytest.approx(2e-4)
    accepted = report(answer.configuration)
    assert accepted.ok, codes(accepted)


async def test_every_value_has_a_reason_and_stands_in_the_order_of_the_form() -> None:
    answer = await _suggest(KnownSources(LLAMA_2_7B))
    assert len(answer.values) >= 12
    assert all(one.reason for one in answer.values)
    paths = [one.field_path for one in answer.values]
    assert paths == sorted(paths, key=form.order().__getitem__)


async def test_what_is_decided_stays() -> None:
    decided: dict[str, Any] = {"method": {"type": "TRAINING_METHOD_FULL"}, "optimizer": {"learning_rate": 0.5}}
    answer = await _suggest(KnownSources(PICO), **decided)
    assert "optimizer.learning_rate" not in _values(answer)
    assert "method.lora_config.rank" not in _values(answer)
    assert answer.configuration.optimizer.learning_rate == pytest.approx(0.5)
    assert answer.recipe_id == "full"


async def test_a_recipe_of_quantized_weights_is_suggested_as_it_is() -> None:
    answer = await _suggest(KnownSources(LLAMA_2_7B), recipe="QLoRA")
    assert _values(answer)["method.type"] == "TRAINING_METHOD_QLORA"
    assert _values(answer)["model.precision"] == "MODEL_PRECISION_INT4"
    assert report(answer.configuration).ok


async def test_what_would_not_act_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "local", older_local())
    answer = await _suggest(KnownSources(LLAMA_2_7B), recipe="QLoRA")
    assert _values(answer)["method.type"] == "TRAINING_METHOD_LORA"
    assert answer.configuration.model.precision != 0
    assert not answer.configuration.model.HasField("double_quantization")


async def test_epochs_and_batch_follow_the_number_of_rows() -> None:
    few = await _suggest(KnownSources(PICO, dataset(row_count=60)))
    many = await _suggest(KnownSources(PICO, dataset(row_count=MANY_ROWS)))
    assert few.configuration.schedule.epochs > many.configuration.schedule.epochs
    together = [
        answer.configuration.schedule.batch_size * answer.configuration.schedule.gradient_accumulation for answer in (few, many)
    ]
    assert together == [8, 64]
    # The recipe's own goes before what few rows suggest.
    assert few.configuration.method.lora_config.rank == 16


async def test_sequences_are_as_long_as_ninety_nine_in_a_hundred_rows() -> None:
    statistics = DatasetStatistics(p99_tokens=900, mean_tokens=300, max_tokens=2000)
    answer = await _suggest(KnownSources(LLAMA_2_7B, statistics=statistics))
    assert answer.configuration.schedule.sequence_length == 1024
    longer = DatasetStatistics(p99_tokens=9000, mean_tokens=300, max_tokens=9000)
    answer = await _suggest(KnownSources(LLAMA_2_7B, statistics=longer))
    assert answer.configuration.schedule.sequence_length == LLAMA_2_7B.architecture.max_position_count


async def test_memory_is_saved_where_it_is_short_and_only_there() -> None:
    # Llama-2-7B's weights alone have 13.5 GB.
    small = Pool()
    small.CopyFrom(GPU_POOL)
    small.devices[0].memory_bytes = 18 * 1024**3
    roomy = await _suggest(KnownSources(LLAMA_2_7B))
    tight = await _suggest(KnownSources(LLAMA_2_7B, pools=[small]))
    checkpointing = "OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"
    assert checkpointing not in _values(roomy)["optimizations.enabled"]
    assert checkpointing in _values(tight)["optimizations.enabled"]
    assert tight.configuration.schedule.batch_size <= roomy.configuration.schedule.batch_size


async def test_precision_is_what_the_device_multiplies_fastest() -> None:
    slow = await _suggest(KnownSources(PICO, pools=[_measured(bf16=2e10, fp32=1e11)]))
    fast = await _suggest(KnownSources(PICO, pools=[_measured(bf16=3e11, fp32=1e11)]))
    assert _values(slow)["model.precision"] == "MODEL_PRECISION_FP32"
    assert _values(fast)["model.precision"] == "MODEL_PRECISION_BF16"


SIZES = {3e9: "DISTRIBUTION_STRATEGY_DDP", 7e9: "DISTRIBUTION_STRATEGY_FSDP", 71e9: "DISTRIBUTION_STRATEGY_ZERO_3"}


@pytest.mark.parametrize(("parameters", "strategy"), SIZES.items())
async def test_several_gpus_share_by_the_size_of_the_model(parameters: float, strategy: str) -> None:
    """The rule of the seed; advised whatever the provider makes of it, so asked of the adviser itself."""
    model = changed(LLAMA_2_7B, parameter_count=str(int(parameters)))
    circumstances = Circumstances(model, None, None, None, PROVIDERS["local"], None, 2, lambda _: None)
    draft = ParseDict({"hardware": {"num_gpus": 2}}, JobConfiguration())
    assert [one.value for one in of_hardware(circumstances, draft)] == [strategy]
    assert list(of_hardware(circumstances, JobConfiguration())) == []


async def test_messages_are_rendered_as_chat() -> None:
    chat = await _suggest(KnownSources(PICO, dataset("MESSAGES")))
    assert _values(chat)["datasets.strategy"] == "DATASET_STRATEGY_CHAT"


async def test_without_a_model_nothing_is_suggested() -> None:
    with pytest.raises(InvalidArgument, match="choose one first"):
        await suggest_defaults(KnownSources(PICO), SuggestDefaultsRequest())
    with pytest.raises(InvalidArgument, match="no base model"):
        await _suggest(KnownSources(None))


def test_the_recipes_of_these_tests() -> None:
    assert [recipe.id for recipe in RECIPES] == ["qlora", "lora", "full", "dpo"]
