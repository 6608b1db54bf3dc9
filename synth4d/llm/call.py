"""What is asked of a model, and the walk from a question over its attempts to an outcome.

The walk knows no network and no disk: it gives out requests and is sent replies. So the live run, the replay and the
batch are one logic. Each retry carries the error of the reply before it. What doesn't fit the schema or fails the
caller's check is told so once; what is damaged (a refusal, a cut, no JSON) is asked again up to the bound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from synth4d import seeds
from synth4d.llm.reply import Reply
from synth4d.llm.schema import JSON, Unfit, parse, response_format
from synth4d.llm.settings import Endpoint
from synth4d.records import dump

M = TypeVar("M", bound=BaseModel)
TOLD_ONCE = frozenset({"schema", "check"})
FED_BACK_CHARS = 2000
IMAGE_TOKENS = 4096
"""More than one picture costs at any server's usual resolution."""


@dataclass(frozen=True, slots=True)
class Call(Generic[M]):
    """One question to a model."""

    kind: str
    """Under which it is counted."""
    messages: Sequence[Mapping[str, Any]]
    """As in chat.completions: {"role", "content"}; content is a string or a list of text and image_url parts."""
    reply: type[M]
    seed: int | None
    """Tells samples of the same question apart; None leaves it to the server."""
    temperature: float | None = None
    max_tokens: int = 1024
    check: Callable[[M], None] | None = None
    """Raises ValueError with what is wrong; it is fed back once."""


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt at a call. `body` is what is posted; `key` is its address in the store, a sha256."""

    kind: str
    key: str
    body: JSON
    prompt_tokens: int
    """At most; a token is at least a byte."""
    completion_tokens: int

    def __str__(self) -> str:
        last = self.body["messages"][-1]["content"]
        text = last if isinstance(last, str) else next((p["text"] for p in last if "text" in p), "")
        return f"{self.kind} request {self.key[:16]} ({' '.join(text.split())[:60]!r})"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of all replies to one call."""

    prompt: int = 0
    cached: int = 0
    """Of `prompt`."""
    completion: int = 0

    def plus(self, reply: Reply) -> Tokens:
        return Tokens(
            self.prompt + (reply.prompt or 0), self.cached + reply.cached, self.completion + (reply.completion or 0)
        )


@dataclass(frozen=True, slots=True)
class Answer(Generic[M]):
    value: M
    key: str
    """Of the reply that was used."""
    faults: tuple[str, ...] = ()
    """What was wrong with the replies before it."""
    tokens: Tokens = field(default=Tokens(), compare=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """No reply could be used."""

    reason: str
    faults: tuple[str, ...]
    raw: tuple[str, ...] = field(repr=False)
    """The text of every reply, as it came."""
    tokens: Tokens = field(default=Tokens(), compare=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """The server never replied; the same run asks again."""

    reason: str


Outcome = Answer[M] | Rejected | Pending
Steps = Generator[Request, Reply, Answer[M] | Rejected]


def walk(call: Call[M], endpoint: Endpoint) -> Steps[M]:
    """Gives out the request of each attempt, is sent its reply, and returns what came of it."""
    faults: list[str] = []
    raw: list[str] = []
    fed_back: list[JSON] = []
    reason, tokens = "", Tokens()
    for attempt in range(endpoint.attempts):
        request = _request(call, endpoint, attempt, fed_back)
        reply = yield request
        tokens = tokens.plus(reply)
        try:
            return Answer(_judge(reply, call), request.key, tuple(faults), tokens)
        except Unfit as unfit:
            reason = f"{unfit.fault}: {unfit}"
            told_before = unfit.fault in TOLD_ONCE.intersection(faults)
            faults.append(unfit.fault)
            raw.append(reply.text)
            fed_back = _feedback(reply, unfit)
            if reply.status != 200 or told_before:
                break
    return Rejected(reason, tuple(faults), tuple(raw), tokens)


def go_on(steps: Steps[M], reply: Reply | None, known: Callable[[Request], Reply | None]) -> Request | Outcome[M]:
    """Take a walk on (`reply` is None at its start) over all that is known, up to a request or its end."""
    try:
        request = steps.send(reply) if reply is not None else next(steps)
        while (reply := known(request)) is not None:
            request = steps.send(reply)
        return request
    except StopIteration as end:
        outcome: Answer[M] | Rejected = end.value
        return outcome


def _judge(reply: Reply, call: Call[M]) -> M:
    if reply.status != 200:
        raise Unfit(f"http {reply.status}", f"the server refused the request: {reply.text[:200]}")
    if reply.refusal is not None:
        raise Unfit("refusal", "the model refused")
    if reply.finish == "content_filter":
        raise Unfit("filtered", "a content filter cut it off")
    if reply.finish == "length":
        raise Unfit("cut", f"it was cut off at {call.max_tokens} tokens; be shorter")
    if reply.finish == "oversized":
        raise Unfit("oversized", "it is too long to be kept; be shorter")
    if not reply.text.strip():
        raise Unfit("empty", "it is empty")
    value = parse(reply.text, call.reply)
    if call.check is not None:
        try:
            call.check(value)
        except ValueError as error:
            raise Unfit("check", " ".join(str(error).split())[:500]) from None
    return value


# ---- Requests ------------------------------------------------------------------------------------


def _request(call: Call[M], endpoint: Endpoint, attempt: int, fed_back: list[JSON]) -> Request:
    form = response_format(call.reply)
    messages = [*_with_schema(call.messages, form), *fed_back]
    body: JSON = {"model": endpoint.model, "messages": messages, "response_format": form}
    body[endpoint.tokens] = call.max_tokens
    if call.temperature is not None:
        body["temperature"] = call.temperature
    if call.seed is not None:
        # A server that repeats itself for a seed would repeat its fault.
        body["seed"] = call.seed if attempt == 0 else seeds.seed("attempt", call.seed, attempt) % 2**31
    body |= endpoint.params
    key = hashlib.sha256(dump({"attempt": attempt, "body": body, "server": endpoint.server})).hexdigest()
    return Request(call.kind, key, body, _most_tokens(messages, form), call.max_tokens)


def _with_schema(messages: Sequence[Mapping[str, Any]], form: JSON) -> list[JSON]:
    """The schema in words too: some servers take `response_format` and ignore it (vLLM did so silently)."""
    schema = dump(form["json_schema"]["schema"]).decode()
    said = f"Reply with one JSON object and nothing else. It must fit this JSON schema:\n{schema}"
    first, *rest = map(dict, messages)
    if first["role"] == "system" and isinstance(first["content"], str):
        return [first | {"content": f"{first['content']}\n\n{said}"}, *rest]
    return [{"role": "system", "content": said}, first, *rest]


def _feedback(reply: Reply, unfit: Unfit) -> list[JSON]:
    said = f"Your reply can't be used: {unfit}. Reply again, with one JSON object that fits the schema."
    text = reply.text.strip()[:FED_BACK_CHARS]
    before: list[JSON] = [{"role": "assistant", "content": text}] if text else []
    return [*before, {"role": "user", "content": said}]


def _most_tokens(messages: list[JSON], form: JSON) -> int:
    total = len(dump(form))
    for message in messages:
        content = message["content"]
        parts = [{"text": content}] if isinstance(content, str) else content
        total += 16 + sum(len(p["text"].encode()) if "text" in p else IMAGE_TOKENS for p in parts)
    return total
