"""Sends requests: through the SDK, at the pace that the server bears, and each reply into the store before its use."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

from synth4d.errors import ConfigError, ModelError
from synth4d.llm.call import Request
from synth4d.llm.faults import Again, meaning
from synth4d.llm.ledger import Ledger
from synth4d.llm.pace import Pace
from synth4d.llm.reply import Garbled, Reply, clean, read
from synth4d.llm.settings import OPENAI, Endpoint, refuse_metadata
from synth4d.llm.store import Store


class Exhausted(Exception):
    """The server failed as often as it may for one request."""


class Client:
    """A connection to an endpoint within one run of an event loop."""

    def __init__(self, endpoint: Endpoint, pace: Pace, ledger: Ledger, store: Store) -> None:
        self._endpoint, self._pace, self._ledger, self._store = endpoint, pace, ledger, store
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._secret = _secret(endpoint)
        self._sdk: Any = _sdk(endpoint, self._secret)

    async def __aenter__(self) -> Self:
        await _refuse_metadata_by_name(self._endpoint)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sdk.close()

    async def reply(self, request: Request) -> Reply:
        """The stored reply of a request. Two callers of the same one send it once.

        Raises Exhausted after as many failures as the endpoint allows, ModelError where the run must end.
        """
        async with self._locks.setdefault(request.key, asyncio.Lock()):
            return self._store.get(request.key, only_good=True) or await self._fetch(request)

    async def _fetch(self, request: Request) -> Reply:
        tries = 0
        while True:
            try:
                return await self._send(request)
            except Again as again:
                self._ledger.kinds[request.kind].faults[again.fault] += 1
                # While the server is down nobody's tries are used up; Pace ends the run when that lasts.
                tries += not self._pace.down
                if tries >= self._endpoint.tries:
                    raise Exhausted(f"{again.fault} after {tries} tries") from None
                if again.wait_s is None:
                    await self._pace.sleep(self._pace.backoff(tries - 1 if tries else 0))

    async def _send(self, request: Request) -> Reply:
        """Once, in a slot, within the budget, and stored. Raises Again, or the error that ends the run."""
        await self._pace.enter()
        try:
            worst = await self._ledger.reserve(request)
            reply, lost = None, True  # whatever breaks it off from here on, the server may have charged for
            try:
                reply = await self._post(request)
            except Again as again:
                lost = again.lost
                self._pace.failed(again)
                raise
            except ModelError:
                lost = False
                raise
            finally:
                self._ledger.settle(request, worst, reply, lost=lost)
            self._pace.succeeded()
            # Still in the slot: a run that is killed loses no more replies than may be in flight.
            return await self._store.put(request.key, reply)
        except ModelError:
            self._pace.end()  # before the slot is free: nobody else shall try
            raise
        finally:
            self._pace.leave()

    async def _post(self, request: Request) -> Reply:
        create = self._sdk.chat.completions.with_raw_response.create
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                # The body goes as it is: walking it through the SDK's types takes a third of the time of a request.
                raw = await create(model=request.body["model"], messages=[], extra_body=request.body)
            return read(raw.content, self._secret)
        except Exception as error:
            found = self._meaning(error)
        # Outside the handler: the SDK's errors hold the request with its headers, and must not hang on ours.
        if isinstance(found, Reply):
            return found
        raise found

    def _meaning(self, error: Exception) -> Again | Reply | ModelError:
        """Of an exception, by its type. Raises what it doesn't know."""
        import aiohttp
        import openai

        if isinstance(error, openai.APIStatusError):
            body, headers = error.body, error.response.headers
            message = body.get("message") if isinstance(body, dict) else None
            said = clean(message if isinstance(message, str) else error.response.text, self._secret)
            return meaning(error.status_code, error.code, said, headers, self._endpoint, time.time())
        # The SDK's aiohttp transport calls a connection that the server dropped a timeout; what lies beneath tells.
        dropped = isinstance(_root(error), aiohttp.ServerDisconnectedError | ConnectionError)
        if isinstance(error, openai.APITimeoutError | TimeoutError) and not dropped:
            return Again("timeout", lost=True)
        if isinstance(error, openai.APIConnectionError | aiohttp.ClientError | OSError):
            return Again("connection", lost=True)
        if isinstance(error, Garbled):
            return Again("garbled", lost=True)
        raise error


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _sdk(endpoint: Endpoint, secret: str) -> Any:
    """The SDK's client, without retries of its own (they would multiply with ours) and without redirects."""
    try:
        import openai
    except ModuleNotFoundError as error:
        raise ModelError(f"asking a model needs {error.name}: pip install 'synth4d[llm]'") from None
    try:
        http = openai.DefaultAioHttpClient(follow_redirects=False)
    except RuntimeError:
        raise ModelError("asking a model needs aiohttp: pip install 'synth4d[llm]'") from None
    # Some key must be given; a server of one's own reads none.
    return openai.AsyncOpenAI(
        api_key=secret or "none", base_url=endpoint.base_url, max_retries=0, timeout=endpoint.timeout_s,
        http_client=http,
    )  # fmt: skip


def _secret(endpoint: Endpoint) -> str:
    """The key, from the environment; empty where there is none and the server is not OpenAI's."""
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key and endpoint.host == OPENAI:
        raise ConfigError(f"no key for {endpoint.base_url}: put it into the environment variable {endpoint.key_env}")
    if not all("!" <= c <= "~" for c in key):
        raise ConfigError(f"the key in {endpoint.key_env} has characters that no key has; set it again")
    return key


async def _refuse_metadata_by_name(endpoint: Endpoint) -> None:
    """ConfigError where the host's name leads to a metadata service."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(endpoint.host, None, type=socket.SOCK_STREAM)
    except OSError:
        return  # unknown for now, or only to a proxy: the requests will tell
    for *_, address in found:
        try:
            refuse_metadata(str(address[0]).partition("%")[0])
        except ValueError as error:
            raise ConfigError(f"base_url {endpoint.base_url}: {error}") from None
