"""The door to a model under load, against the bare SDK: on a good day, and with 29 % of all requests failing.

The server is the tests' (`tests/llm_server.py`), in a process of its own; so is each client, whose memory is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.request import urlopen

from pydantic import BaseModel, ConfigDict

from synth4d import seeds
from synth4d.llm import Answer, Call, Door, Endpoint, Rejected

SERVER = Path(__file__).resolve().parents[2] / "tests" / "llm_server.py"
GOOD_DAY, BAD_DAY, ROUNDS = 2000, 10_000, 3
IN_FLIGHT, TIMEOUT_S, TRIES, ATTEMPTS = 64, 2.0, 12, 4
"""Of both clients."""


class Echo(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str
    number: int
    why: str


def run() -> dict[str, dict[str, object]]:
    """No figures, and a line that says why, without the llm extra or outside a checkout."""
    missing = [name for name in ("openai", "aiohttp") if find_spec(name) is None]
    if missing or not SERVER.is_file():
        print(f"  the door is not measured: {missing[0] if missing else SERVER} is missing")
        return {}
    good: dict[str, float] = {"door": 0.0, "bare": 0.0}
    with _server() as url:
        for _ in range(ROUNDS):
            for client in good:
                good[client] = max(good[client], GOOD_DAY / _client(client, url, GOOD_DAY)["seconds"])
    with _server("--faults") as url:
        door = _client("door", url, BAD_DAY)
        hits = json.load(urlopen(url.replace("/v1", "/stats")))["hits"]
        bare = _client("bare", url, BAD_DAY)
    speed = bare["seconds"] / door["seconds"]
    return {
        "llm_good_day": _row(good["door"], "requests/s", "the bare SDK with aiohttp", good["door"] / good["bare"]),
        "llm_bad_day": _row(BAD_DAY / door["seconds"], "requests/s", "the SDK with its own retries", speed),
        "llm_hits": _row(hits / BAD_DAY, "hits/request"),
        "llm_lost": _row(BAD_DAY - door["answered"] - door["rejected"], f"of {BAD_DAY}"),
        "llm_rejected": _row(door["rejected"], f"of {BAD_DAY}"),
        "llm_stored_twice": _row(door["stored"] - door["replies"], "replies"),
        "llm_memory": _row(door["mb"], "MB", "the SDK with its own retries", door["mb"] / bare["mb"]),
    }


def _row(value: float, unit: str, against: str | None = None, ratio: float | None = None) -> dict[str, object]:
    return {"value": round(value, 2), "unit": unit, "against": against, "ratio": ratio and round(ratio, 2)}


@contextlib.contextmanager
def _server(*options: str) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(SERVER), *options], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()


def _client(client: str, url: str, count: int) -> dict[str, float]:
    """One of the clients below, in a process of its own."""
    command = [sys.executable, "-m", "synth4d.bench.llm", client, url, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# ---- The clients ---------------------------------------------------------------------------------


def _text(i: int) -> str:
    return f"question {i}: {'what is where ' * 70}"


def _door(url: str, count: int) -> dict[str, float]:
    endpoint = Endpoint(
        model="m", base_url=url, in_flight=IN_FLIGHT, timeout_s=TIMEOUT_S, tries=TRIES, attempts=ATTEMPTS
    )
    calls = [Call("load", [{"role": "user", "content": _text(i)}], Echo, i) for i in range(count)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Door(endpoint, Path(folder) / "replies.sqlite", rng=seeds.rng("bench", "llm")) as door,
    ):
        start = perf_counter()
        outcomes = door.ask(calls)
        seconds = perf_counter() - start
        stored = len(door.store)
    answers = [o for o in outcomes if isinstance(o, Answer)]
    rejected = [o for o in outcomes if isinstance(o, Rejected)]
    if any(not o.value.word.startswith(f"question {i}:") for i, o in enumerate(outcomes) if isinstance(o, Answer)):
        raise AssertionError("an answer went to another question")
    replies = len(answers) + sum(len(o.faults) for o in answers) + sum(len(o.faults) for o in rejected)
    return {
        "seconds": seconds, "answered": len(answers), "rejected": len(rejected), "stored": stored, "replies": replies,
    }  # fmt: skip


def _bare(url: str, count: int) -> dict[str, float]:
    return asyncio.run(_bare_async(url, count))


async def _bare_async(url: str, count: int) -> dict[str, float]:
    """What one would write: the SDK's retries, as many tries, replies validated, unfit ones asked again."""
    import openai

    slots = asyncio.Semaphore(IN_FLIGHT)
    schema = {"name": "Echo", "strict": True, "schema": Echo.model_json_schema()}
    http = openai.DefaultAioHttpClient()
    sdk: Any = openai.AsyncOpenAI(
        api_key="none", base_url=url, max_retries=TRIES - 1, timeout=TIMEOUT_S, http_client=http
    )

    async def ask(i: int) -> bool:
        for attempt in range(ATTEMPTS):
            async with slots:
                with contextlib.suppress(openai.OpenAIError, ValueError, AttributeError, TypeError):
                    reply = await sdk.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": _text(i)}], seed=i + count * attempt,
                        response_format={"type": "json_schema", "json_schema": schema},
                    )  # fmt: skip
                    Echo.model_validate_json(reply.choices[0].message.content)
                    return True
        return False

    start = perf_counter()
    async with sdk:
        answered = await asyncio.gather(*map(ask, range(count)))
    return {"seconds": perf_counter() - start, "answered": answered.count(True)}


if __name__ == "__main__":
    which, where, how_many = sys.argv[1:]
    result = (_door if which == "door" else _bare)(where, int(how_many))
    result["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))
