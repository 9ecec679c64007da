"""What the registry stores and composes of adapters is what PEFT loads: its change of the weights is the sum of the others'."""

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.api import httpbody_pb2
from tunesmith.registry.v1 import adapter_pb2, base_model_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages
from tunesmith.registry.v1.adapter_service_pb2_grpc import AdapterServiceStub
from tunesmith.registry.v1.registry_service_pb2 import CreateBaseModelRequest
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from services.chassis.settings import Settings
from services.registry.service import build
from tests.fakes.server import running

pytestmark = pytest.mark.integration

SIZES = {"vocab_size": 96, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {**SIZES, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
              "num_key_value_heads": 2},
    "gpt2": {**SIZES, "n_embd": 64, "n_layer": 3, "n_head": 4},
}  # fmt: skip
# Each with its share, its LoraConfig, and the type that its factors are stored in.
TERMS: dict[str, dict[str, list[tuple[float, dict[str, Any], str]]]] = {
    "llama": {
        "alike": [
            (0.7, {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}, "float32"),
            (0.3, {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}, "float32"),
        ],
        "other ranks, layers, scales and types": [
            (0.7, {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"],
                   "rank_pattern": {"layers.1.self_attn.q_proj": 6}}, "bfloat16"),
            (-1.3, {"r": 8, "lora_alpha": 4, "target_modules": "all-linear", "use_rslora": True}, "float32"),
            (2.0, {"r": 3, "target_modules": ["q_proj", "o_proj"], "layers_to_transform": [0, 2],
                   "alpha_pattern": {"o_proj": 5}}, "float16"),
            (0.5, {"r": 2, "target_modules": r"model\.layers\.1\.mlp\.(up|gate)_proj"}, "float32"),
            (1.0, {"r": 2, "target_modules": ["embed_tokens", "q_proj"]}, "float32"),
        ],
    },
    "gpt2": {
        "transposed layers": [
            (0.6, {"r": 4, "target_modules": ["c_attn"], "fan_in_fan_out": True}, "float32"),
            (0.4, {"r": 2, "target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}, "float32"),
        ],
    },
}  # fmt: skip
CASES = [(family, case) for family, cases in TERMS.items() for case in cases]


def base(family: str) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **MODELS[family])).eval()


def adapter_files(family: str, configuration: Mapping[str, Any], dtype: str, seed: int, folder: Path) -> dict[str, bytes]:
    """What PEFT saves of a trained adapter: both factors far from zero."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(base(family), LoraConfig(task_type="CAUSAL_LM", **configuration))
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter).to(getattr(torch, dtype))
    model.save_pretrained(folder, save_embedding_layers=False)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def deltas(family: str, folder: Path) -> dict[str, Any]:
    """What a stored adapter changes of each layer's weights, as PEFT computes it; nothing may be missing or left over."""
    import torch
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    model = PeftModel.from_pretrained(base(family), str(folder), torch_device="cpu")
    layers = {name: layer for name, layer in model.base_model.model.named_modules() if isinstance(layer, LoraLayer)}
    assert layers and not any(parameter.dtype != torch.float32 for layer in layers.values() for parameter in layer.parameters())
    return {name: layer.get_delta_weight("default").detach() for name, layer in layers.items()}


def tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(f"adapter/{name}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return packed.getvalue()


class Room:
    """A registry with a model of a family."""

    def __init__(self, channel: Any, imports: Path) -> None:
        self.adapters = AdapterServiceStub(channel)
        self._registry = RegistryServiceStub(channel)
        self._imports = imports

    async def add_model(self, family: str) -> base_model_pb2.BaseModel:
        base(family).save_pretrained(self._imports / family)
        request = CreateBaseModelRequest(local_folder=str(self._imports / family), hub_repo=f"tiny/{family}")
        return (await self._registry.CreateBaseModel(request)).base_model

    async def upload(self, files: Mapping[str, bytes], model: base_model_pb2.BaseModel) -> adapter_pb2.Adapter:
        async def stream() -> AsyncIterator[messages.UploadAdapterRequest]:
            yield messages.UploadAdapterRequest(base_model=model.id, data=httpbody_pb2.HttpBody(data=tar(files)))

        return (await self.adapters.UploadAdapter(stream())).adapter

    async def download(self, adapter: adapter_pb2.Adapter, folder: Path) -> Path:
        await asyncio.to_thread(folder.mkdir)
        for file in adapter.files:
            request = messages.ReadAdapterFileRequest(id=adapter.id, path=file.path)
            body = b"".join([response.chunk async for response in self.adapters.ReadAdapterFile(request)])
            await asyncio.to_thread((folder / file.path).write_bytes, body)
        return folder


@pytest.fixture
async def room(home: Path) -> AsyncIterator[Room]:
    imports = home / "imports"
    imports.mkdir()
    settings = Settings(home=home / "home", job_address=f"unix:{home}/nobody", import_roots=(str(imports),))
    settings.home.mkdir()
    async with running(await build(settings), f"unix:{home}/registry") as channel:
        yield Room(channel, imports)


def test_there_are_cases() -> None:
    assert len(CASES) == 3


@pytest.mark.parametrize(("family", "case"), CASES)
async def test_the_sum_changes_what_its_parts_change(room: Room, tmp_path: Path, family: str, case: str) -> None:
    import torch

    model = await room.add_model(family)
    expected: dict[str, Any] = {}
    components = []
    for index, (weight, configuration, dtype) in enumerate(TERMS[family][case]):
        files = adapter_files(family, configuration, dtype, index, tmp_path / f"peft-{index}")
        stored = await room.upload(files, model)
        components.append(adapter_pb2.AdapterWeight(adapter_id=stored.id, weight=weight))
        own = deltas(family, tmp_path / f"peft-{index}")
        as_stored = deltas(family, await room.download(stored, tmp_path / f"stored-{index}"))
        # Writing the configuration anew has changed nothing.
        assert own.keys() == as_stored.keys() and all(torch.equal(own[name], as_stored[name]) for name in own)
        for name, delta in own.items():
            expected[name] = expected.get(name, 0) + weight * delta.double()
    response = await room.adapters.ComposeAdapters(messages.ComposeAdaptersRequest(components=components))
    made = deltas(family, await room.download(response.adapter, tmp_path / "sum"))
    assert made.keys() == expected.keys()
    for name, delta in made.items():
        assert torch.allclose(delta.double(), expected[name], rtol=1e-5, atol=1e-5), name
    written = json.loads((tmp_path / "sum" / "adapter_config.json").read_text())
    assert written["r"] == written["lora_alpha"] == sum(item["r"] for _, item, _ in TERMS[family][case])


async def test_a_soft_prompt_is_stored_as_it_was(room: Room, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel, PromptTuningConfig, get_peft_model

    model = await room.add_model("llama")
    tuned = get_peft_model(base("llama"), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5))
    tuned.save_pretrained(tmp_path / "peft", save_embedding_layers=False)
    stored = await room.upload({path.name: path.read_bytes() for path in (tmp_path / "peft").iterdir()}, model)
    assert (stored.type, stored.parameter_count) == (adapter_pb2.ADAPTER_TYPE_PROMPT, 5 * 64)
    loaded = PeftModel.from_pretrained(base("llama"), str(await room.download(stored, tmp_path / "stored")), torch_device="cpu")
    tokens = torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        assert torch.equal(loaded(tokens).logits, tuned.eval()(tokens).logits)


async def test_dora_is_stored_as_it_was(room: Room, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel

    model = await room.add_model("llama")
    configuration = {"r": 4, "target_modules": ["q_proj"], "use_dora": True}
    stored = await room.upload(adapter_files("llama", configuration, "float32", 1, tmp_path / "peft"), model)
    assert stored.type == adapter_pb2.ADAPTER_TYPE_DORA
    tokens = torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        first, second = (
            PeftModel.from_pretrained(base("llama"), str(folder), torch_device="cpu")(tokens).logits
            for folder in (tmp_path / "peft", await room.download(stored, tmp_path / "stored"))
        )
    assert torch.equal(first, second)
