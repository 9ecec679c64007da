"""A result that is pushed to a hub, after an export and after a training; a push that fails loses nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from services.chassis.errors import FailedPrecondition, Unavailable
from tests.fakes.hub_pushes import FakePushHub, push_hub
from tests.integration.export.conftest import MakeExport
from tests.integration.training.conftest import Job, make_job, tiny_base
from workers.export.export import run

pytestmark = pytest.mark.integration
# Fixtures of the training tests, used here as they are.
__all__ = ["make_job", "tiny_base"]

TOKEN = "hf_test_0123456789"
PUSH = {"huggingface": {"output_repo_name": "me/tuned"}}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePushHub]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with push_hub(TOKEN) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield made


def test_an_adapter_is_pushed_as_it_is(make_export: MakeExport, adapter: Path, llama: Path, hub: FakePushHub) -> None:
    export = make_export("ADAPTER", adapter, llama, export=PUSH)
    run(export.assignment, export.inputs, export.sink)
    # Nothing new is made, so nothing is stored.
    assert export.sink.sets == {}
    assert export.sink.stages == ["Pushing to me/tuned", f"Pushed to {hub.url}/me/tuned"]
    files = hub.repositories["me/tuned"].files
    assert files["adapter_model.safetensors"] == (adapter / "adapter_model.safetensors").read_bytes()
    assert {"adapter_config.json", "tokenizer.json", "README.md"} <= set(files)


def test_a_merged_model_is_stored_and_pushed(make_export: MakeExport, adapter: Path, llama: Path, hub: FakePushHub) -> None:
    folder = make_export("MERGED", adapter, llama, export=PUSH).run()
    pushed = hub.repositories["me/tuned"]
    assert pushed.private
    assert set(pushed.files) == {path.name for path in folder.iterdir()}
    assert pushed.files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert b"base_model: me/tiny" in pushed.files["README.md"]


def test_a_push_that_fails_leaves_the_result_stored(
    make_export: MakeExport, adapter: Path, llama: Path, hub: FakePushHub
) -> None:
    hub.statuses = {"/create": 403}
    export = make_export("MERGED", adapter, llama, export=PUSH)
    with pytest.raises(FailedPrecondition, match=r"stored with this job, but was not pushed: .*write to me/tuned"):
        export.run()
    assert set(export.sink.sets) == {"model"}


def test_an_adapter_that_can_t_be_pushed_fails_its_job(
    make_export: MakeExport, adapter: Path, llama: Path, hub: FakePushHub
) -> None:
    hub.statuses = {"/create": 503}
    with pytest.raises(Unavailable, match="status 503"):
        make_export("ADAPTER", adapter, llama, export=PUSH).run()


def test_a_training_s_result_is_pushed(make_job: Callable[..., Job], hub: FakePushHub) -> None:
    job = make_job("TEXT", {"schedule": {"max_steps": 1}, "integrations": PUSH})
    sink = job.run()
    files = hub.repositories["me/tuned"].files
    assert files["adapter_model.safetensors"] == (sink.artifacts_folder / "adapter" / "adapter_model.safetensors").read_bytes()
    assert sink.stages[-3:] == ["Saving the result", "Pushing to me/tuned", f"Pushed to {hub.url}/me/tuned"]
    assert sink.warnings == []


def test_a_training_whose_push_fails_succeeds_with_a_warning(
    make_job: Callable[..., Job], hub: FakePushHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    sink = make_job("TEXT", {"schedule": {"max_steps": 1}, "integrations": PUSH}).run()
    assert set(sink.sets) == {"adapter"}
    [warning] = sink.warnings
    assert "not pushed: the worker has no token in the environment variable HF_TOKEN" in warning
    assert not hub.repositories
