"""Pushing a folder to a repository on a hub: the Hugging Face Hub, or the one that HF_ENDPOINT names."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from tunesmith.config.v1 import integrations_pb2

from services.chassis.errors import FailedPrecondition, ReasonedError, ResourceExhausted, Unavailable
from workers.providers.credentials import is_token_variable

DEFAULT_TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable
_ENDPOINT = "https://huggingface.co"
_TRUE = {"1", "ON", "YES", "TRUE"}
_HUB_ID = re.compile(r"[A-Za-z0-9_.\-]+/[A-Za-z0-9_.\-]+")
# What of a card names something on the hub, where a name that is none refuses the whole push.
_NAMES = ("base_model", "datasets")
_REFUSED = {401, 403}
_FULL = {402, 413, 507}

Integration = integrations_pb2.HuggingFaceIntegration


def push(folder: Path, integration: Integration, environment: Mapping[str, str] = os.environ) -> str:
    """Push all files of a folder in one commit, and answer where they are. A repository that is not there is made, private.

    The card loses names that mean nothing on the hub. Raises FailedPrecondition without a token or if the hub refuses it,
    ResourceExhausted if its owner has no room, Unavailable if the hub can't be reached.
    """
    variable = integration.credential_id or DEFAULT_TOKEN
    token, repository = _token(variable, environment), integration.output_repo_name
    endpoint = (environment.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")
    _put_card_right(folder / "README.md")
    try:
        api = HfApi(endpoint=endpoint, token=token, library_name="tunesmith")
        api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload from Tunesmith")
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError, RuntimeError) as error:
        raise _told(error, repository, variable, endpoint) from error
    except Exception as error:
        # The libraries below raise errors of their own kinds when a connection fails.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "hf_xet"):
            raise
        raise _unreachable(endpoint, error) from error
    return f"{endpoint}/{repository}"


def _token(variable: str, environment: Mapping[str, str]) -> str:
    if not is_token_variable(variable):
        text = f"{variable!r} is no name of a credential; name an environment variable of the worker that ends in _TOKEN"
        raise FailedPrecondition("CREDENTIAL_NAME", text)
    if any(environment.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        text = "the hub is not asked while HF_HUB_OFFLINE is set; unset it where the worker starts"
        raise Unavailable("HUB_OFFLINE", text)
    token = environment.get(variable, "").strip()
    if not token or not token.isascii() or not token.isprintable():
        text = (
            f"the worker has no token in the environment variable {variable}; set it where the worker starts to a token that may "
            "write, or name another one as credential_id"
        )
        raise FailedPrecondition("CREDENTIAL_UNSET", text)
    return token


def _told(error: Exception, repository: str, variable: str, endpoint: str) -> ReasonedError:
    """What an error means for a person. Nothing of a request is repeated: it carries the token."""
    if isinstance(error, OfflineModeIsEnabled):
        return Unavailable("HUB_OFFLINE", "the hub is not asked while HF_HUB_OFFLINE is set; unset it where the worker starts")
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status in _REFUSED:
            text = (
                f"{endpoint} does not let the token in {variable} write to {repository} (status {status}); use a token with "
                "write access, or a repository of its owner"
            )
            return FailedPrecondition("HUB_REFUSED", text)
        if status in _FULL:
            text = f"{endpoint} has no room left for {repository} (status {status}); free some, or push to another owner"
            return ResourceExhausted("HUB_FULL", text)
        if status < 500 and status != 429:
            text = f"{endpoint} refused the push to {repository} with status {status}; check the repository's name"
            return FailedPrecondition("HUB_REFUSED", text)
        return Unavailable("HUB_UNREACHABLE", f"{endpoint} answered with status {status}; try again in a moment")
    if isinstance(error, ValueError):
        return FailedPrecondition("HUB_REFUSED", f"{endpoint} refused the push to {repository}: its card is not valid there")
    return _unreachable(endpoint, error)


def _unreachable(endpoint: str, error: Exception) -> Unavailable:
    return Unavailable("HUB_UNREACHABLE", f"{endpoint} can't be reached ({type(error).__name__}); give the worker a network")


def _put_card_right(card: Path) -> None:
    """Leave out what a card names that is not on the hub: a dataset that was uploaded here, a model that was imported."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        return
    front, _, rest = text[4:].partition("\n---")
    facts = yaml.safe_load(front)
    if not isinstance(facts, dict):
        return
    for name in _NAMES:
        value = facts.get(name)
        kept = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and _HUB_ID.fullmatch(one)]
        facts.pop(name, None)
        if kept:
            facts[name] = kept if isinstance(value, list) else kept[0]
    card.write_text(f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}---{rest}", encoding="utf-8")
