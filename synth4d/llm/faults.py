"""What a failed request means, by its status: never by words in a message."""

from __future__ import annotations

import email.utils
import math
from collections.abc import Mapping
from datetime import UTC

from synth4d.errors import ModelError, TryLater
from synth4d.llm.reply import Reply, refused
from synth4d.llm.settings import Endpoint

AGAIN = frozenset({408, 409, 425, 429})
"""And all from 500."""
WRONG_REQUEST = frozenset({400, 413, 422})
"""This request is wrong, others may be right. All other statuses concern every request alike."""
GO_ON = "the same command goes on from here"
QUOTA = "insufficient_quota"
"""OpenAI's code of a 429 that waiting doesn't mend (https://platform.openai.com/docs/guides/error-codes)."""
HELP = {
    401: "is the right key in {key}?",
    402: "the account has no credit",
    403: "the key in {key} may not use this model",
    404: "no such model or path: look at model and base_url",
}


class Again(Exception):
    """Send it again: after `wait_s` where the server says so. `lost`: the server may have replied, and charged."""

    def __init__(self, fault: str, wait_s: float | None = None, *, lost: bool = False) -> None:
        super().__init__(fault)
        self.fault, self.wait_s, self.lost = fault, wait_s, lost


def meaning(
    status: int, code: str | None, said: str, headers: Mapping[str, str], endpoint: Endpoint, now: float
) -> Again | Reply | ModelError:
    """Of an HTTP error: try again, a reply that refuses this request, or the end of the run.

    `code` and `said` are the error's in the body; `now`: seconds since 1970, for a Retry-After that is a date.
    """
    if status in WRONG_REQUEST:
        return refused(status, said)
    said = " ".join(said.split())[:200]
    if status == 429 and code == QUOTA:
        return TryLater(f"{endpoint.host} says the quota is used up: {said}; {GO_ON}")
    if status in AGAIN or status >= 500:
        wait = retry_after(headers, now)
        if wait is not None and wait > endpoint.longest_wait_s:
            asks = f"{endpoint.host} asks to wait {wait:.0f} s, longest_wait_s is {endpoint.longest_wait_s:g}"
            return TryLater(f"{asks}; {GO_ON}")
        return Again(f"http {status}", wait)
    what_to_do = HELP.get(status, "is base_url the right one?").format(key=endpoint.key_env)
    return ModelError(f"{endpoint.base_url} refuses {endpoint.model!r} with {status}: {said}; {what_to_do}")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `retry-after-ms` or `Retry-After` (seconds or a date, RFC 9110 §10.2.3) ask for; None: nothing
    that can be read. A date counts from the server's own `Date`, whatever the clock here says."""
    if (wait := _number(headers.get("retry-after-ms"))) is not None:
        return wait / 1000
    value = headers.get("retry-after")
    if value is None or (wait := _number(value)) is not None:
        return wait if value is not None else None
    until = _date(value)
    return None if until is None else max(0.0, until - (_date(headers.get("date")) or now))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(text: str | None) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(text or "")
    except (ValueError, TypeError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
