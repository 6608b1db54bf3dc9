"""A server's reply, cut down to what is kept of it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field

from synth4d.records import Record

MAX_CHARS = 1 << 18
"""Of a text that is kept. A reply of 4,096 tokens has some 16,000."""
Count = Annotated[int, Field(ge=0)]


class Garbled(Exception):
    """Bytes that are no chat completion: an HTML page, half a body, an error with status 200."""


class Reply(Record):
    """What the store keeps. With another status than 200 `text` is what the server said was wrong with the request."""

    status: int
    text: str
    """The message's content as it came; the refusal where there is one."""
    refusal: str | None = None
    finish: str | None = None
    """`stop`, `length`, `content_filter`, …; `oversized` where the text is cut at MAX_CHARS."""
    model: str | None = None
    """Who the server says replied, with its fingerprint after an @ where it gives one."""
    prompt: Count | None = None
    """Tokens; None where the server doesn't count them."""
    completion: Count | None = None
    cached: Count = 0
    """Of `prompt`."""


def refused(status: int, text: str) -> Reply:
    return Reply(status=status, text=clean(text)[:MAX_CHARS])


def read(body: bytes | str, secret: str = "") -> Reply:
    """A chat completion's body. A `secret` that the server echoes is blotted out. Garbled says why it is none."""
    try:
        return from_object(json.loads(body), secret)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"no JSON: {error}") from None


def from_object(data: Any, secret: str = "") -> Reply:
    """A chat completion that is parsed already."""
    try:
        choice = data["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        finish = choice.get("finish_reason")
    except (TypeError, KeyError, IndexError, AttributeError):
        raise Garbled("it has no choices[0].message") from None
    if not all(v is None or isinstance(v, str) for v in (text, refusal, finish)):
        raise Garbled("its message is no text")
    text, refusal = (clean(v, secret) if v else v for v in (text, refusal))
    kept = text or refusal or ""
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    prompt = _count(usage.get("prompt_tokens"))
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    names = [clean(v, secret)[:200] for k in ("model", "system_fingerprint") if isinstance(v := data.get(k), str)]
    return Reply(
        status=200,
        text=kept[:MAX_CHARS],
        refusal=refusal[:MAX_CHARS] if refusal else None,
        finish="oversized" if len(kept) > MAX_CHARS else clean(finish or "", secret)[:40] or None,
        model="@".join(names) or None,
        prompt=prompt,
        completion=_count(usage.get("completion_tokens")),
        cached=min(cached or 0, prompt or 0),
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None


def clean(text: str, secret: str = "") -> str:
    """Text that can be stored, without the secret. UTF-8 can't hold half a surrogate pair: it is written out, as an
    escape that is refused when the text is parsed."""
    text = text.encode(errors="backslashreplace").decode()
    return text.replace(secret, "[key]") if secret else text
