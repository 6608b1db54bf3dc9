"""YAML that people write, read strictly: no aliases, no tags, no duplicate keys, bounded; errors name the line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from synth4d.errors import ConfigError, SynthError

MAX_BYTES = 1 << 20
MAX_DEPTH = 24
TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map")}
M = TypeVar("M", bound=BaseModel)
Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data of a YAML file with the line of every value."""

    path: Path
    data: Any
    lines: dict[Path_, int]

    def where(self, at: Path_) -> str:
        """`file:line` of a value, or of the nearest thing around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return f"{self.path}:{self.lines.get(at, 1)}"


def read(path: Path, error: type[SynthError] = ConfigError) -> Document:
    """Parse a file; raises `error` with one line that says where and why."""
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise error(f"{path}: {len(raw)} bytes; a YAML file here has at most {MAX_BYTES}")
    return parse(raw, path, error)


def parse(raw: bytes, path: Path, error: type[SynthError] = ConfigError) -> Document:
    try:
        text = raw.decode()
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise error(f"{path}:{_line(event)}: anchors and aliases are not allowed; write it out")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise error(f"{path}:{_line(event)}: nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise error(f"{path}: not UTF-8 text") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = " ".join(str(getattr(problem, "problem", None) or problem).split())
        raise error(f"{path}:{line}: not YAML: {reason}") from None
    lines: dict[Path_, int] = {}
    data = None if node is None else _plain(node, (), lines, path, error)
    return Document(path, data, lines)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _plain(node: yaml.Node, at: Path_, lines: dict[Path_, int], path: Path, error: type[SynthError]) -> Any:
    line = node.start_mark.line + 1
    lines[at] = line
    if node.tag not in TAGS:
        raise error(f"{path}:{line}: tag {node.tag} is not allowed")
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise error(f"{path}:{line}: a key must be a word")
            key = str(key_node.value)
            if key in out:
                raise error(f"{path}:{key_node.start_mark.line + 1}: key {key!r} is given twice")
            out[key] = _plain(value_node, (*at, key), lines, path, error)
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*at, i), lines, path, error) for i, item in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as problem:
        raise error(f"{path}:{line}: {node.value[:60]!r} cannot be read: {problem}"[:300]) from None


def load(path: Path, model: type[M], error: type[SynthError] = ConfigError) -> tuple[M, Document]:
    """Read a file into a pydantic model; the first thing wrong becomes one line: file, line, field, value, rule."""
    document = read(path, error)
    return check(document, model, error), document


def check(document: Document, model: type[M], error: type[SynthError] = ConfigError) -> M:
    if not isinstance(document.data, dict):
        raise error(f"{document.path}: expected a mapping of fields, found {type(document.data).__name__}")
    try:
        return model.model_validate(document.data)
    except ValidationError as problem:
        first = problem.errors()[0]
        loc = tuple(first["loc"])
        field = ".".join(str(part) for part in loc)
        value = "" if first["type"] in ("missing", "extra_forbidden") else f" {str(first.get('input'))[:80]!r}:"
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = f"; known fields: {', '.join(_fields(model, loc[:-1]))}"
        raise error(f"{document.where(loc)}: {field}:{value} {first['msg']}{hint}") from None


def _fields(model: type[BaseModel], loc: Path_) -> list[str]:
    """Field names of the (nested) model an unknown key stands in."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[str(part)].annotation
        for inner in getattr(current, "__args__", ()):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                current = inner
    return sorted(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []
