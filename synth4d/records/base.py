"""What all records are made of: strict models, vectors, canonical bytes, texts in two languages."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Id = Annotated[int, Field(ge=0, le=65535)]
Vec2 = Annotated[list[Finite], Field(min_length=2, max_length=2)]
Vec3 = Annotated[list[Finite], Field(min_length=3, max_length=3)]
Vec4 = Annotated[list[Finite], Field(min_length=4, max_length=4)]
Vec7 = Annotated[list[Finite], Field(min_length=7, max_length=7)]
JSON = dict[str, Any]
T = TypeVar("T")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False)


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def at(track: list[T], frame: int) -> T:
    """The entry of a track at a frame."""
    return track[0] if len(track) == 1 else track[frame]


def dump(value: Any) -> bytes:
    """Canonical JSON bytes of a record or of plain JSON data."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    elif isinstance(value, list):
        value = [v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in value]
    return _ENCODER.encode(value).encode()


class Text(Record):
    """One wording in each language."""

    en: str
    zh: str
