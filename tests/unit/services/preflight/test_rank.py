"""Ranking: a row for every provider, the best first, with what would be dropped and what speaks against it."""

from dataclasses import replace

import pytest
from tunesmith.pool.v1.pool_pb2 import Pool
from tunesmith.preflight.v1.preflight_service_pb2 import RankProvidersRequest, RankProvidersResponse
from tunesmith.provider.v1.lowering_pb2 import LOWERING_ACTION_DROPPED

from services.preflight.usecases import rank
from services.preflight.usecases.rank import rank_providers
from tests.unit.services.preflight.known import CPU_POOL, LLAMA_2_7B, configuration
from tests.unit.services.preflight.sources import KnownSources
from workers.providers import PROVIDERS
from workers.providers.provider import refused

LOCAL = PROVIDERS["local"]
# It would take everything but a learning rate.
PICKY = replace(LOCAL, id="picky", rules={**LOCAL.rules, "optimizer.learning_rate": refused("picky sets its own; remove it")})


async def _ranked(**sections: object) -> RankProvidersResponse:
    return await rank_providers(KnownSources(LLAMA_2_7B), RankProvidersRequest(configuration=configuration(**sections)))


async def test_every_registered_provider_has_a_row() -> None:
    assert sorted(row.provider for row in (await _ranked()).providers) == sorted(PROVIDERS)


async def test_an_engine_that_no_pool_has_comes_last_and_says_what_it_wants() -> None:
    local, *engines = (await _ranked()).providers
    assert (local.provider, local.runnable) == ("local", True)
    assert [(one.provider, one.runnable) for one in engines] == [("axolotl", False), ("unsloth", False)]
    for one in engines:
        assert f"no pool runs {one.provider}; start an agent with TUNESMITH_ENGINES={one.provider}" in one.reason


async def test_an_engine_that_a_pool_has_is_runnable() -> None:
    pool = Pool()
    pool.CopyFrom(CPU_POOL)
    pool.providers.append("axolotl")
    request = RankProvidersRequest(configuration=configuration())
    rows = (await rank_providers(KnownSources(LLAMA_2_7B, pools=[pool]), request)).providers
    assert not any("no pool runs" in row.reason for row in rows if row.provider in ("local", "axolotl"))
    assert sum("no pool runs" in row.reason for row in rows) == 1


async def test_one_that_joins_by_registering_is_ranked_behind_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank, "PROVIDERS", {"picky": PICKY, "local": LOCAL})
    local, picky = (await _ranked()).providers
    assert (local.provider, local.runnable, picky.provider, picky.runnable) == ("local", True, "picky", False)
    assert picky.reason.startswith("would be refused")
    assert "picky sets its own" in picky.reason


async def test_a_row_says_what_is_dropped() -> None:
    local, *_ = (await _ranked(hardware={"strategy": "DISTRIBUTION_STRATEGY_FSDP"})).providers
    assert [field.field_path for field in local.dropped] == ["hardware.strategy"]
    assert all(field.action == LOWERING_ACTION_DROPPED for field in local.dropped)
    assert "1 field does not act" in local.reason


async def test_a_row_has_memory_and_says_whether_it_fits() -> None:
    roomy, *_ = (await _ranked(schedule={"batch_size": 1})).providers
    assert roomy.fits
    assert roomy.memory.peak_bytes > 0
    request = RankProvidersRequest(configuration=configuration())
    rows = (await rank_providers(KnownSources(LLAMA_2_7B, pools=[CPU_POOL]), request)).providers
    (tight,) = [row for row in rows if row.provider == "local"]
    assert not tight.fits
    assert tight.memory.device_bytes == CPU_POOL.devices[0].memory_bytes
