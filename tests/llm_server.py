"""A scripted OpenAI-compatible server on loopback, for tests and benchmarks: real HTTP, real faults.

A script is a function of the request and of how often that same request has come, so what a request meets does not
depend on the order of others. `python llm_server.py [--faults] [--delay MS]` serves alone and prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

JSON = dict[str, Any]


@dataclass(frozen=True)
class Say:
    """What the server does with a request."""

    content: str | None = '{"word": "yes", "number": 12}'
    status: int = 200
    finish: str = "stop"
    refusal: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    """In place of a completion."""
    how: str = "whole"
    """whole, reset (before any byte), truncated (half the body), hang (until the client has gone)"""
    usage: bool = True


Script = Callable[[JSON, int], Say]
MIX = (
    (0.10, Say(status=429, body='{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}')),
    (0.05, Say(status=500, body='{"error": {"message": "oops"}}')),
    (0.02, Say(how="reset")),
    (0.03, Say(how="truncated")),
    (0.03, Say('{"word": "yes", "number": ')),
    (0.02, Say(None, refusal="I'm sorry, I can't help with that.")),
    (0.02, Say('{"word": "ye', finish="length")),
    (0.01, Say(body="<html><body>Bad gateway</body></html>", headers={"Content-Type": "text/html"})),
    (0.01, Say(how="hang")),
)
"""29 %: how a bad day looks."""


def mixed(request: JSON, hit: int) -> Say:
    draw = int.from_bytes(hashlib.sha256(f"{hit} {json.dumps(request, sort_keys=True)}".encode()).digest()[:7]) / 2**56
    for share, say in MIX:
        if draw < share:
            return say
        draw -= share
    return echo(request, hit)


def echo(request: JSON, hit: int) -> Say:
    """A good reply of some 0.6 KB that says who asked, so that mixed-up replies are found."""
    asked = request["messages"][-1]["content"] if len(request["messages"]) < 3 else request["messages"][1]["content"]
    return Say(json.dumps({"word": asked[:200], "number": len(asked), "why": "because " * 60}))


class Server:
    """`with Server(script) as server:` serves on `server.url` from a thread; `hits` counts what came."""

    def __init__(self, script: Script = lambda request, hit: Say(), *, delay_s: float = 0.0) -> None:
        self.script, self.delay_s = script, delay_s
        self.requests: list[JSON] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.seen: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.keep = True
        """Requests; a load test counts only."""
        self.hits = 0

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.hits += 1
        self.times.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        try:
            raw = await request.read()
            body = json.loads(raw)
            if self.keep:
                self.requests.append(body)
                self.headers.append(dict(request.headers))
            name = hashlib.sha256(raw).hexdigest()
            self.seen[name] += 1
            say = self.script(body, self.seen[name])
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            return await self._answer(request, body, say)
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, body: JSON, say: Say) -> web.StreamResponse:
        text = say.body if say.body is not None else json.dumps(completion(body, say))
        headers = {"Content-Type": "application/json"} | say.headers
        if say.how == "hang":
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.05)
            raise ConnectionResetError
        if say.how == "reset":
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        response = web.Response(text=text, status=say.status, headers=headers)
        if say.how == "whole":
            return response
        cut = web.StreamResponse(status=say.status, headers=headers | {"Content-Length": str(len(text.encode()))})
        await cut.prepare(request)
        await cut.write(text.encode()[: len(text) // 2])
        assert request.transport is not None
        request.transport.close()
        raise ConnectionResetError

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response({"hits": self.hits})

    async def start(self, sock: socket.socket) -> web.AppRunner:
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # it would report every planned reset
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/stats", self._stats)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        return runner

    def __enter__(self) -> Server:
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._loop = asyncio.new_event_loop()
        runner = self._loop.run_until_complete(self.start(sock))
        self._runner = runner
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def completion(body: JSON, say: Say) -> JSON:
    message = {"role": "assistant", "content": say.content, "refusal": say.refusal}
    usage = {"prompt_tokens": 300, "completion_tokens": 100, "total_tokens": 400}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body.get("model", "?"),
        "choices": [{"index": 0, "message": message, "finish_reason": say.finish, "logprobs": None}],
    } | ({"usage": usage} if say.usage else {})  # fmt: skip


async def _serve(server: Server) -> None:
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    await server.start(sock)
    print(sock.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--faults", action="store_true")
    options.add_argument("--delay", type=float, default=0.0, help="milliseconds before each reply")
    chosen = options.parse_args()
    alone = Server(mixed if chosen.faults else echo, delay_s=chosen.delay / 1000)
    alone.keep = False
    asyncio.run(_serve(alone))
