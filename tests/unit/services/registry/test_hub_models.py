"""Hub models are registered: what the hub says is kept, what it keeps to itself is said, and what runs code is refused."""

import json
from pathlib import Path

import pytest
from tunesmith.registry.v1 import base_model_pb2

from services.registry.service import build
from tests.fakes.hub import FakeHub, Fault
from tests.fakes.inquiries import with_profile
from tests.fakes.server import running
from tests.unit.services.registry.conftest import House, RegistryServiceStub, failure, reason_of, violations_of
from tests.unit.services.registry.models import LLAMA, TEMPLATE, write_model

REPO = "me/tiny"
CARD = {"license": "apache-2.0"}
TOKEN = "hf_a_secret_that_nobody_may_read"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    return files_of(write_model(tmp_path / "model"))


async def test_what_the_hub_says_is_kept(hub: FakeHub, house: House, files: dict[str, bytes]) -> None:
    hub.add(REPO, {**files, "pytorch_model.bin": b"x" * 999, "onnx/model.onnx": b"y"}, card=CARD)
    model = await house.create(hub={"repo": REPO})
    assert (model.family, model.architecture.hidden_size, model.architecture.tied_embeddings) == ("llama", 8, False)
    assert (model.license, model.private, model.quantized, model.gguf) == ("apache-2.0", False, False, False)
    assert (model.tokenizer, model.chat_template, model.has_chat_template) == ("LlamaTokenizerFast", TEMPLATE, True)
    assert json.loads(model.configuration_json) == LLAMA
    assert model.download_bytes == sum(map(len, files.values()))
    assert model.estimated_download_seconds == pytest.approx(model.download_bytes / 25e6)
    assert (model.trainable, model.servable, model.lifecycle) == (True, True, base_model_pb2.LIFECYCLE_STAGING)
    assert model.profile_status == base_model_pb2.PROFILE_STATUS_PENDING
    assert model.cache_status == base_model_pb2.CACHE_STATUS_NOT_CACHED and not model.HasField("parameter_count")
    # Nothing of the weights was asked for.
    assert hub.asked_for(".safetensors") == 0 and len(hub.requests) == 3


async def test_what_the_request_says_wins(hub: FakeHub, house: House, files: dict[str, bytes]) -> None:
    hub.add(REPO, files, card=CARD)
    source = {"repo": REPO, "has_chat_template": False, "download_bytes": 7}
    lifecycle = base_model_pb2.LIFECYCLE_PRODUCTION
    model = await house.create(hub=source, license="mit", lifecycle=lifecycle)
    assert (model.license, model.lifecycle, model.has_chat_template, model.download_bytes) == ("mit", lifecycle, False, 7)


async def test_a_given_configuration_spares_the_question(hub: FakeHub, house: House) -> None:
    given = json.dumps({**LLAMA, "torch_dtype": "bfloat16"})
    model = await house.create(hub={"repo": REPO, "configuration_json": given, "private": True})
    assert (model.family, model.dtype, model.private, model.configuration_json) == ("llama", "BF16", True, given)
    assert model.profile_status == base_model_pb2.PROFILE_STATUS_PENDING and not model.HasField("has_chat_template")
    assert hub.requests == []


async def test_a_configuration_that_names_code_is_listed_and_not_trained(house: House) -> None:
    own = json.dumps({"model_type": "qwen", "hidden_size": 8, "auto_map": {"AutoConfig": "configuration_qwen.QWenConfig"}})
    model = await house.create(hub={"repo": "Qwen/Qwen-7B-Chat", "configuration_json": own})
    assert not model.trainable and not model.servable
    assert model.profile_status == base_model_pb2.PROFILE_STATUS_FAILED and "code of its own" in model.profile_error
    assert house.inquiries.asked == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model_type": "../x"}'])
async def test_a_given_configuration_must_be_one(house: House, text: str) -> None:
    call = house.create(hub={"repo": REPO, "configuration_json": text or " "})
    assert violations_of(await failure(call))[0][0] == "hub.configuration_json"
    assert house.stored() == (0, 0, [])


async def test_a_quantized_model_is_not_trained(hub: FakeHub, house: House, files: dict[str, bytes]) -> None:
    quantized = {**LLAMA, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    hub.add(REPO, {**files, "config.json": json.dumps(quantized).encode()})
    model = await house.create(hub={"repo": REPO})
    assert model.quantized and not model.trainable and model.servable


async def test_a_gguf_file_is_served_and_not_trained(hub: FakeHub, house: House) -> None:
    hub.add("me/tiny-gguf", {"tiny.Q4_K_M.gguf": b"GGUF", "README.md": b"", "config.json": b"{}"})
    model = await house.create(hub={"repo": "me/tiny-gguf"})
    assert model.gguf and model.servable and not model.trainable
    assert "register the safetensors model" in model.profile_error
    error = await failure(house.download(model.id))
    assert reason_of(error) == "NO_SAFETENSORS"


REFUSED = {
    "code": ({"modeling_tiny.py": b"print(1)"}, "it holds code (modeling_tiny.py)"),
    "a reference to code": ({"config.json": json.dumps({**LLAMA, "auto_map": {}}).encode()}, "config.json has auto_map"),
    "code in the tokenizer": ({"tokenizer_config.json": b'{"auto_map": {}}'}, "tokenizer_config.json has auto_map"),
    "an adapter": ({"adapter_config.json": b"{}"}, "this is an adapter"),
    "no family": ({"config.json": b"{}"}, "no model_type"),
    "a configuration that is none": ({"config.json": b"\xff\xfe"}, "config.json is not valid JSON"),
    "no configuration": ({"config.json": None}, "it has no config.json"),
    "pickles alone": ({"model.safetensors": None, "pytorch_model.bin": b"x"}, "its weights are a pickle (pytorch_model.bin)"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_may_harm_is_refused(hub: FakeHub, house: House, files: dict[str, bytes], case: str) -> None:
    change, expected = REFUSED[case]
    hub.add(REPO, {name: content for name, content in {**files, **change}.items() if content is not None})
    ((field, text),) = violations_of(await failure(house.create(hub={"repo": REPO})))
    assert field == "hub.repo" and expected in text
    assert house.stored() == (0, 0, [])


async def test_a_name_that_the_hub_does_not_know(hub: FakeHub, house: House, files: dict[str, bytes]) -> None:
    hub.add(REPO, files)
    ((field, text),) = violations_of(await failure(house.create(hub={"repo": "me/tinny"})))
    assert field == "hub.repo" and "has no model me/tinny" in text and "credential_id" in text
    ((_, text),) = violations_of(await failure(house.create(hub={"repo": REPO, "revision": "v9"})))
    assert "no such revision" in text
    assert house.stored() == (0, 0, [])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.UNAVAILABLE, Fault.NO_JSON, Fault.TRUNCATED])
async def test_a_hub_that_is_away_leaves_open_what_is_unknown(
    hub: FakeHub, house: House, files: dict[str, bytes], fault: Fault
) -> None:
    hub.add(REPO, files)
    hub.faults["config.json" if fault is Fault.TRUNCATED else "/me/tiny"] = [fault]
    model = await house.create(hub={"repo": REPO})
    assert (model.hub_repo, model.family, model.trainable) == (REPO, "", True)
    assert model.profile_status == base_model_pb2.PROFILE_STATUS_FAILED
    assert f"{hub.url}/{REPO} describes it" in model.profile_error
    assert not model.HasField("parameter_count") and not model.HasField("has_chat_template")
    # Where the hub got as far as listing its files, their sizes are known.
    assert model.HasField("estimated_download_seconds") == (fault is Fault.TRUNCATED)


async def test_nobody_is_asked_while_offline(hub: FakeHub, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = await house.create(hub={"repo": REPO})
    assert "HF_HUB_OFFLINE" in model.profile_error and hub.requests == []
    assert reason_of(await failure(house.download(model.id))) == "HUB_OFFLINE"


async def test_a_gated_model_says_how_to_open_it(hub: FakeHub, house: House, files: dict[str, bytes]) -> None:
    hub.add(REPO, files, gated=True, token=TOKEN, card={"license": "other", "license_name": "llama3.2"})
    model = await house.create(hub={"repo": REPO})
    assert (model.private, model.license, model.family) == (True, "llama3.2", "")
    assert "accept its terms" in model.profile_error and "credential_id" in model.profile_error
    error = await failure(house.download(model.id))
    assert reason_of(error) == "CREDENTIAL_MISSING" and "set credential_id" in error.details()


async def test_a_private_model_is_read_with_its_credential(
    hub: FakeHub, house: House, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, files, private=True, token=TOKEN)
    unset = {"repo": REPO, "private": True, "credential_id": "MY_HUB_TOKEN"}
    model = await house.create(hub=unset)
    assert "no token in the environment variable MY_HUB_TOKEN" in model.profile_error and hub.requests == []
    error = await failure(house.download(model.id))
    assert reason_of(error) == "CREDENTIAL_UNSET" and "MY_HUB_TOKEN" in error.details()

    await house.delete(model.id)
    monkeypatch.setenv("MY_HUB_TOKEN", "hf_wrong")
    wrong = await house.create(hub=unset)
    assert "the token in MY_HUB_TOKEN may read it" in wrong.profile_error

    await house.delete(wrong.id)
    monkeypatch.setenv("MY_HUB_TOKEN", TOKEN)
    model = await house.create(hub=unset)
    assert (model.family, model.private, model.credential_id) == ("llama", True, "MY_HUB_TOKEN")


async def test_a_token_is_stored_and_told_nowhere(
    hub: FakeHub,
    house: House,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hub.add(REPO, files, private=True, token=TOKEN)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    model = await house.create(hub={"repo": REPO, "private": True, "credential_id": "HF_TOKEN"})
    hub.faults["tokenizer.json"] = [Fault.UNAVAILABLE] * 3
    await house.download(model.id)
    failed = await house.downloaded(model.id)
    assert failed.download.state == base_model_pb2.DOWNLOAD_STATE_FAILED
    await house.download(model.id)
    done = await house.downloaded(model.id)
    assert done.cache_status == base_model_pb2.CACHE_STATUS_CACHED
    assert TOKEN not in str(failed) + str(done)
    said = capfd.readouterr()
    assert TOKEN not in said.out + said.err
    for path in house.settings.home.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    # Object stores are another origin: the token stays behind.
    redirected = [request for request in hub.requests if request.path.startswith("/blobs/")]
    assert redirected and all(request.authorization is None for request in redirected)
    asked = [request for request in hub.requests if request not in redirected]
    assert {request.authorization for request in asked} == {f"Bearer {TOKEN}"}


async def test_a_credential_that_is_named_later_is_used_at_once(
    hub: FakeHub, house: House, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, files, gated=True, token=TOKEN, card=CARD)
    monkeypatch.setenv("MY_HUB_TOKEN", TOKEN)
    model = await house.create(hub={"repo": REPO}, stage=base_model_pb2.STAGE_INSTRUCT, display_name="Mine")
    assert not model.family
    opened = await house.update(model.id, credential_id="MY_HUB_TOKEN")
    assert (opened.family, opened.has_chat_template, opened.private) == ("llama", True, True)
    assert (opened.display_name, opened.stage, opened.hub_repo) == ("Mine", base_model_pb2.STAGE_INSTRUCT, REPO)
    assert opened.profile_status == base_model_pb2.PROFILE_STATUS_PENDING and opened.profile_error == ""
    assert await house.listed(family="llama") == [REPO]


async def test_the_next_start_asks_about_what_is_unknown(hub: FakeHub, house: House, home: Path, files: dict[str, bytes]) -> None:
    hub.add(REPO, files, card=CARD)
    hub.faults[f"/{REPO}"] = [Fault.UNAVAILABLE]
    model = await house.create(hub={"repo": REPO})
    assert not model.family
    house.inquiries.answer = with_profile(7)
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        known = await second.when(model.id, lambda model: model.profile_status == base_model_pb2.PROFILE_STATUS_READY)
    assert (known.family, known.license, known.hub_repo) == ("llama", "apache-2.0", REPO)
