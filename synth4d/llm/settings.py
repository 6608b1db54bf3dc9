"""Where a model is and what it may cost. Plain values of a YAML file; a key is never one of them."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

OPENAI = "api.openai.com"
METADATA = frozenset({"metadata.google.internal", "metadata.goog", "metadata"})
TOOK = frozenset({"model", "messages", "response_format", "seed", "temperature", "stream", "n"})
"""What the door says itself."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    # Inputs are hidden: a key that was put in the wrong place must not be printed with the complaint.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Endpoint(Part):
    """An OpenAI-compatible server, a model on it, and how patient to be with them."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    base_url: str = f"https://{OPENAI}/v1"
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    """The environment variable that holds the key; a server of one's own may need none."""
    params: dict[str, bool | int | float | str] = {}
    """Sent along as they are: top_p, reasoning_effort, …"""
    tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """What the server calls the bound of a reply; by default OpenAI's new name there, the old one elsewhere."""
    in_flight: Annotated[int, Field(ge=1, le=1000)] = 64
    timeout_s: Positive = 60.0
    """A whole request, from the first byte sent to the last one read."""
    tries: Annotated[int, Field(ge=1, le=100)] = 12
    """How often one attempt is sent while the server fails. At 22 % failures 12 leave 1 request in 10⁸ pending."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 4
    """How many replies are read before the question is rejected."""
    longest_wait_s: Positive = 120.0
    """A Retry-After beyond it ends the run, to be resumed later."""
    patience_s: Positive = 120.0
    """How long nothing but failures is borne before the run ends, to be resumed later."""

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http(s)://host[:port]/path")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("may hold no user, password, query or fragment; a key belongs into the environment")
        refuse_metadata(parts.hostname)
        return url.rstrip("/")

    @field_validator("params")
    @classmethod
    def _not_ours(cls, params: dict[str, object]) -> dict[str, object]:
        if taken := sorted(TOOK.intersection(params) | {p for p in params if p.startswith("max_")}):
            raise ValueError(f"{taken[0]} is set by what is asked")
        if secret := [p for p in params if "key" in p.lower() or "authorization" in p.lower()]:
            raise ValueError(f"{secret[0]}: a key belongs into the environment variable that key_env names")
        return params

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def server(self) -> str:
        """What a reply's key says of the server: its host; `local` for one's own, whatever its port."""
        try:
            own = not ipaddress.ip_address(self.host).is_global
        except ValueError:
            own = self.host == "localhost" or "." not in self.host
        return "local" if own else self.host

    @property
    def tokens(self) -> str:
        return self.tokens_field or ("max_completion_tokens" if self.host == OPENAI else "max_tokens")


def refuse_metadata(host: str) -> None:
    """ValueError for addresses at which clouds give out credentials: link-local ones, and those known by name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        bad = host.lower().rstrip(".") in METADATA
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        bad = address.is_link_local or address == ipaddress.ip_address("fd00:ec2::254")
    if bad:
        raise ValueError("is the address of a cloud's metadata service, no model's")


class Price(Part):
    """US dollars for a million tokens."""

    input: Rate
    output: Rate
    cached: Rate | None = None
    """Of the input, what the server had in its cache; None: as `input`."""

    def usd(self, prompt: int, completion: int, cached: int = 0) -> float:
        low = self.input if self.cached is None else self.cached
        return ((prompt - cached) * self.input + cached * low + completion * self.output) / 1e6


class Budget(Part):
    """What one run may send and spend; what is in the store costs nothing."""

    max_requests: Annotated[int, Field(ge=0)] | None = None
    max_usd: Rate | None = None
    prices: dict[str, Price] = {}
    """By the model's name."""

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.max_usd is not None and not self.prices:
            raise ValueError("max_usd needs prices: {model: {input: …, output: …}}, US dollars a million tokens")
        return self
