"""A configuration names a tracker's key and no other secret of the worker."""

import pytest

from workers.providers import PROVIDERS
from workers.providers.provider import REFUSED, SENT

from .conftest import Submit

SETTINGS = {"wandb": {"project": "p"}, "mlflow": {"experiment": "e"}}


@pytest.mark.parametrize("provider", ["local", "axolotl"])
@pytest.mark.parametrize("tracker", SETTINGS)
@pytest.mark.parametrize("own", [True, False])
def test_a_key_of_the_tracker_s_own_is_taken_and_others_are_refused(
    provider: str, tracker: str, own: bool, submit: Submit
) -> None:
    name = f"{tracker.upper()}_TEAM_TOKEN" if own else "HF_TOKEN"
    submitted, resolved = submit({"integrations": {tracker: SETTINGS[tracker] | {"credential_id": name}}})
    path = f"integrations.{tracker}.credential_id"
    (told,) = [one for one in PROVIDERS[provider].lower(resolved, submitted) if one.field_path == path]
    assert told.action == (SENT if own else REFUSED)
    assert tracker.upper() in told.detail
