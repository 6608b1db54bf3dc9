"""Reply models as JSON schemas that every server takes, and replies read strictly against them.

The subset is what OpenAI's strict mode, xgrammar and llama.cpp's grammars agree on: objects whose fields are
all required, lists, str, int, float, bool and Literal. Ranges and lengths are left out of the schema that is sent
(servers ignore or mishandle them) and held when the reply is validated.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

JSON = dict[str, Any]
M = TypeVar("M", bound=BaseModel)
SENT = {"type", "properties", "required", "additionalProperties", "items", "enum", "description"}
HELD_LATER = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems",
    "maxItems",
}  # fmt: skip
FENCE = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)


class Unfit(Exception):
    """A reply that can't be used; `fault` is its short name in the counts."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


# ---- Models to schemas ---------------------------------------------------------------------------


@cache
def response_format(model: type[BaseModel]) -> JSON:
    """The `response_format` of a request; TypeError names what lies outside the subset."""
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", model.__name__)[:64]
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": portable(model)}}


def portable(model: type[BaseModel]) -> JSON:
    """A model's JSON schema in the subset, references written out; TypeError names what lies outside it."""
    full = model.model_json_schema()
    return _node(full, full.get("$defs", {}), model.__name__, ())


def _node(node: JSON, defs: JSON, where: str, open_refs: tuple[str, ...]) -> JSON:
    if ref := node.get("$ref"):
        if ref in open_refs:
            raise TypeError(f"{where}: contains itself; a reply model can't be recursive")
        target = defs[ref.rpartition("/")[2]]
        own = {k: v for k, v in node.items() if k != "$ref"}
        return _node(target | own, defs, where, (*open_refs, ref))
    node = {k: v for k, v in node.items() if k not in HELD_LATER and k not in ("title", "$defs")}
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if outside := sorted(set(node) - SENT):
        raise TypeError(f"{where}: {outside[0]!r} lies outside what all servers take; see synth4d/llm/schema.py")
    kind = node.get("type")
    if kind == "object":
        return _object(node, defs, where, open_refs)
    if kind == "array":
        if "items" not in node:
            raise TypeError(f"{where}: a list must say of what")
        return node | {"items": _node(node["items"], defs, f"{where}[]", open_refs)}
    if kind not in ("string", "integer", "number", "boolean"):
        raise TypeError(f"{where}: must be str, int, float, bool, a Literal of one of them, a list or a model")
    return node


def _object(node: JSON, defs: JSON, where: str, open_refs: tuple[str, ...]) -> JSON:
    properties = node.get("properties", {})
    if node.get("additionalProperties", True) is not False:
        raise TypeError(f"{where}: needs named fields and ConfigDict(extra='forbid')")
    if missing := sorted(set(properties) - set(node.get("required", ()))):
        raise TypeError(f"{where}.{missing[0]}: may have no default")
    fields = {name: _node(field, defs, f"{where}.{name}", open_refs) for name, field in properties.items()}
    return node | {"properties": fields, "required": list(properties), "additionalProperties": False}


# ---- Replies to models ---------------------------------------------------------------------------


def unwrap(text: str) -> str:
    """A reply without byte order mark, leading thoughts and the fence around all of it."""
    text = text.lstrip("\ufeff").strip()
    if thought := THOUGHT.match(text):
        text = text[thought.end() :].strip()
    fenced = FENCE.fullmatch(text)
    return fenced[1].strip() if fenced else text


def parse(text: str, model: type[M]) -> M:
    """The one JSON object that a reply is; Unfit says what is wrong with it, in one line fit to be fed back."""
    try:
        data = strict(unwrap(text))
    except ValueError as error:
        raise Unfit("json", str(error)) from None
    try:
        return model.model_validate(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[:3]
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the reply'}: {e['msg']}" for e in first)
        raise Unfit("schema", f"it does not fit the schema: {said}") from None


def strict(text: str) -> Any:
    """One JSON value: no key twice in an object, no NaN, no half characters. ValueError says what is wrong."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a \\u escape is half of a character") from None
    except ValueError as error:
        raise ValueError(f"it is not one JSON value: {error}") from None
    return data


def _unique(pairs: list[tuple[str, Any]]) -> JSON:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is too large")
    return value
