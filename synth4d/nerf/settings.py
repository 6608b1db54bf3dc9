"""`config.yml` of an `ns-train` run, as plain data.

nerfstudio dumps its config objects with `yaml.dump`: tags that name Python classes, anchors on what is shared.
Loading such a file with nerfstudio runs whatever it names. Here nothing is imported or called: the tags that
nerfstudio 1.x writes become dicts, text and lists, and every other tag is refused with its line.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from synth4d.errors import SceneError

MAX_BYTES = 64 << 10
"""What ns-train writes has 8 KB, and YAML is read at 0.1 MB a second."""
MAX_DEPTH = 24
CLASS = "__class__"
"""Key under which an object's class stands in its dict."""

_PYTHON = "tag:yaml.org,2002:python/"
_PATHS = {f"{module}.{kind}" for module in ("pathlib", "pathlib._local") for kind in ("PosixPath", "WindowsPath")}


def read(path: Path) -> dict[str, Any]:
    """The settings of a run: nested dicts, each object's class under "__class__". SceneError names file and line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SceneError(f"{path}: {path.stat().st_size} bytes; a config of ns-train has at most {MAX_BYTES}")
        text = path.read_text(encoding="utf-8")
        _check_depth(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as problem:
        raise SceneError(f"{path}: cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise SceneError(f"{path}: not UTF-8 text") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        reason = " ".join(str(getattr(problem, "problem", None) or problem).split())
        raise SceneError(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {reason}") from None
    settings = None if node is None else _Reader(path).value(node)
    if not isinstance(settings, dict):
        raise SceneError(f"{path}: holds no settings; the config.yml that ns-train wrote is expected")
    return settings


def _check_depth(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise SceneError(f"{path}: nested deeper than {MAX_DEPTH} levels")


class _Reader:
    """Nodes → plain data; a node that several aliases name is read once, so shared parts cost nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[int, Any] = {}
        self.open: set[int] = set()

    def value(self, node: yaml.Node) -> Any:
        if id(node) in self.open:
            raise self.refused(node, "refers to itself")
        if id(node) not in self.done:
            self.open.add(id(node))
            self.done[id(node)] = self._value(node)
            self.open.remove(id(node))
        return self.done[id(node)]

    def refused(self, node: yaml.Node, why: str) -> SceneError:
        return SceneError(f"{self.path}:{node.start_mark.line + 1}: {why}")

    def _value(self, node: yaml.Node) -> Any:
        tag = str(node.tag)
        kind, _, name = tag.removeprefix(_PYTHON).partition(":") if tag.startswith(_PYTHON) else ("", "", "")
        if kind == "object" and name.startswith("nerfstudio.") and isinstance(node, yaml.MappingNode):
            return {CLASS: name, **self._mapping(node)}
        if kind == "name" and name.startswith(("nerfstudio.", "torch.optim.")):
            return name
        if kind == "tuple" and isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        if kind == "object/apply" and isinstance(node, yaml.SequenceNode):
            return self._applied(node, name)
        if tag == "tag:yaml.org,2002:map" and isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if tag == "tag:yaml.org,2002:seq" and isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        if isinstance(node, yaml.ScalarNode) and tag.startswith("tag:yaml.org,2002:") and not kind:
            try:
                return yaml.SafeLoader("").construct_object(node)
            except (yaml.YAMLError, ValueError) as problem:
                raise self.refused(node, f"{node.value[:60]!r} cannot be read: {problem}"[:200]) from None
        short = tag.replace("tag:yaml.org,2002:", "!!")
        raise self.refused(
            node,
            f"tag {short[:80]} is not one that nerfstudio writes for its own methods; nothing was executed. A method "
            f"from elsewhere can be rendered through nerfstudio itself with --trust (docs/nerfstudio.md)",
        )

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in out:
                raise self.refused(key, "a key that is no word, or given twice")
            out[str(key.value)] = self.value(value)
        return out

    def _applied(self, node: yaml.SequenceNode, name: str) -> Any:
        """A path, a member of an enumeration, or a class with its parameter: all that nerfstudio "applies"."""
        items = [self.value(item) for item in node.value]
        if name in _PATHS and all(isinstance(item, str) for item in items):
            return "/".join(items).replace("//", "/")
        if name.startswith("nerfstudio.") and len(items) == 1 and isinstance(items[0], str | int):
            return items[0]
        if name == "_operator.getitem" and all(isinstance(item, str) for item in items):
            return items
        raise self.refused(
            node, f"asks to call {name[:80]}, which is not what ns-train writes; refused, nothing was executed"
        )


class Values:
    """Settings by name with nerfstudio 1.1.5's own defaults; another type is an error that names them."""

    def __init__(self, file: Path, values: dict[str, Any]) -> None:
        self.file, self.values = file, values

    def _wrong(self, name: str, what: str) -> SceneError:
        return SceneError(f"{self.file}: {name} must be {what}, is {str(self.values.get(name))[:60]!r}")

    def whole(self, name: str, default: int) -> int:
        value = self.values.get(name, default)
        if type(value) is not int or not 1 <= value <= 1 << 24:
            raise self._wrong(name, "a whole number")
        return value

    def wholes(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.values.get(name, default)
        if not isinstance(value, list | tuple) or not all(type(v) is int and v > 0 for v in value):
            raise self._wrong(name, "whole numbers")
        return tuple(value)

    def number(self, name: str, default: float) -> float:
        value = self.values.get(name, default)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise self._wrong(name, "a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.values.get(name, default)
        if type(value) is not bool:
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str, default: str) -> str:
        value = self.values.get(name, default)
        if type(value) is not str:
            raise self._wrong(name, "a word")
        return value
