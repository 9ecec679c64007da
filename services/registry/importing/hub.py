"""The Hugging Face Hub, or a mirror that HF_ENDPOINT names: what it says of a repository, and the bytes of its files.

Nothing here writes to a disk or runs what it reads. A token is read from the environment when it is needed, goes into one header,
and is kept nowhere.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import quote

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_async_session, hf_raise_for_status

from services.registry.importing.hub_repository import HubRepository
from services.registry.importing.refused import Refused

_ENDPOINT = "https://huggingface.co"
_TRUE = {"1", "ON", "YES", "TRUE"}
_DEFAULT_SECONDS = "10"
_BLOCK_BYTES = 1024 * 1024
_MAX_ANSWER_BYTES = 16 * 1024 * 1024

Answer = AbstractAsyncContextManager[httpx2.Response]


class HubUnreachable(Exception):
    """The hub does not answer, or not sensibly; another time it may. The message is a sentence without an end."""


class NeedsCredential(Refused):
    """The hub keeps it from who asks without the right token."""


class Hub:
    """Asks one hub. `environment` is where HF_ENDPOINT, HF_HUB_OFFLINE and tokens are looked up, each time anew."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._session: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.aclose()

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return (self._environment.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")

    @property
    def is_offline(self) -> bool:
        """Whether asking is forbidden, by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE."""
        return any(self._environment.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))

    def page(self, repo: str) -> str:
        """The page a person reads about a model."""
        return f"{self.endpoint}/{repo}"

    def token(self, credential_id: str) -> str | None:
        """The token that a credential stands for; None for no credential. Raises NeedsCredential if the server has none."""
        if not credential_id:
            return None
        token = self._environment.get(credential_id, "").strip()
        if not token or not token.isascii() or not token.isprintable():
            raise NeedsCredential(
                f"the server has no token in the environment variable {credential_id}; set it where the services start, or name "
                "another one as credential_id"
            )
        return token

    async def look(self, repo: str, revision: str, credential_id: str) -> HubRepository:
        """What the hub says of a repository. Raises HubUnreachable, or Refused for one that this server may not see."""
        path = f"/api/models/{repo}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
        async with self._answer(path, {"blobs": "true"}, repo, credential_id, self._seconds("HF_HUB_ETAG_TIMEOUT")) as response:
            data = await _whole(response, _MAX_ANSWER_BYTES)
        repository = HubRepository.parse(repo, data)
        if repository is None:
            raise HubUnreachable(f"{self.endpoint} answered with something else than a description of {repo}")
        return repository

    async def read(self, repository: HubRepository, name: str, credential_id: str, max_bytes: int) -> bytes:
        """A small file, whole. Raises HubUnreachable or Refused."""
        async with self._file(repository, name, credential_id, self._seconds("HF_HUB_ETAG_TIMEOUT")) as response:
            return await _whole(response, max_bytes)

    async def stream(self, repository: HubRepository, name: str, credential_id: str) -> AsyncGenerator[bytes]:
        """The bytes of a file. Raises HubUnreachable or Refused. A connection that is silent for too long counts as lost."""
        async with self._file(repository, name, credential_id, self._seconds("HF_HUB_DOWNLOAD_TIMEOUT")) as response:
            async for block in response.aiter_bytes(_BLOCK_BYTES):
                yield block

    def _file(self, repository: HubRepository, name: str, credential_id: str, seconds: float) -> Answer:
        path = f"/{repository.repo}/resolve/{quote(repository.commit, safe='')}/{quote(name)}"
        return self._answer(path, {}, repository.repo, credential_id, seconds)

    @asynccontextmanager
    async def _answer(
        self, path: str, query: Mapping[str, str], repo: str, credential_id: str, silence_s: float
    ) -> AsyncIterator[httpx2.Response]:
        """A good answer to one request, its errors told as ours."""
        if self.is_offline:
            raise HubUnreachable("the hub is not asked while HF_HUB_OFFLINE is set; unset it where the services start")
        headers = build_hf_headers(token=self.token(credential_id), library_name="tunesmith")
        # Bytes as they are stored: what is counted and hashed is the file's.
        headers["accept-encoding"] = "identity"
        try:
            session = await self._client()
            url = self.endpoint + path
            async with session.stream("GET", url, params=query, headers=headers, timeout=silence_s) as response:
                hf_raise_for_status(response)
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, OfflineModeIsEnabled, HfHubHTTPError) as error:
            raise self._told(error, repo, credential_id, silence_s) from error

    async def _client(self) -> httpx2.AsyncClient:
        """One for all requests. Making it reads every certificate authority there is, which takes a tenth of a second."""
        if self._session is None:
            made = await asyncio.to_thread(get_async_session)
            if self._session is None:
                self._session = made
        # What one token was given is not for the next.
        self._session.cookies.clear()
        return self._session

    def _told(self, error: Exception, repo: str, credential_id: str, silence_s: float) -> Exception:
        """What an error means for a person. Nothing of a request is repeated: it carries the token."""
        if isinstance(error, GatedRepoError):
            return NeedsCredential(self._gated(repo, credential_id))
        if isinstance(error, RevisionNotFoundError):
            return Refused(f"{repo} has no such revision on {self.endpoint}; give a branch, a tag or a commit of its page")
        if isinstance(error, RepositoryNotFoundError):
            return NeedsCredential(self._not_seen(repo, credential_id))
        if isinstance(error, HfHubHTTPError):
            status = error.response.status_code
            if status in (401, 403):
                return NeedsCredential(self._gated(repo, credential_id))
            if status == 404:
                return Refused(f"{repo} has no such file any more on {self.endpoint}; try again, or give a revision that has it")
            return HubUnreachable(f"{self.endpoint} answered with status {status}")
        if isinstance(error, httpx2.TimeoutException):
            return HubUnreachable(f"{self.endpoint} did not answer within {silence_s:g} s")
        if isinstance(error, httpx2.RemoteProtocolError):
            return HubUnreachable(f"{self.endpoint} ended the connection in the middle of an answer")
        return HubUnreachable(f"{self.endpoint} can't be reached ({type(error).__name__})")

    def _gated(self, repo: str, credential_id: str) -> str:
        if credential_id:
            return f"the token in {credential_id} does not open {repo}; ask for access on {self.page(repo)}, or name another one"
        return (
            f"{repo} is only given to who shows a token; accept its terms on {self.page(repo)}, put a token into an environment "
            "variable of the server (HF_TOKEN), and name that variable as credential_id"
        )

    def _not_seen(self, repo: str, credential_id: str) -> str:
        told = f"{self.endpoint} has no model {repo} that this server may see; check the name"
        if credential_id:
            return f"{told}, or whether the token in {credential_id} may read it"
        return f"{told}, or, if it is private, name the environment variable with its token as credential_id"

    def _seconds(self, name: str) -> float:
        try:
            return float(self._environment.get(name) or _DEFAULT_SECONDS)
        except ValueError:
            return float(_DEFAULT_SECONDS)


async def _whole(response: httpx2.Response, max_bytes: int) -> bytes:
    data = bytearray()
    # A server that sends a byte now and then would never be silent for long.
    async with asyncio.timeout(60):
        async for block in response.aiter_bytes(_BLOCK_BYTES):
            data += block
            if len(data) > max_bytes:
                raise Refused(f"{response.url.path.rpartition('/')[2]} is larger than {max_bytes} bytes, which no model's is")
    return bytes(data)
