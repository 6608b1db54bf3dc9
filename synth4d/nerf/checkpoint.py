"""Tensors out of a torch checkpoint, without torch and without running anything that the file asks for.

`torch.save` writes a zip: `data.pkl`, a pickle of names, shapes and numbers, and beside it a member `data/KEY` of
raw values for each storage (torch ≥ 1.6). A pickle is a program that calls what it names. Here it is not run:
its opcodes are followed by a small reader of our own that knows only what a state dict needs (dicts, lists, text,
numbers, tensors) and refuses the rest by its byte.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError

MAX_PICKLE = 1 << 19
"""Bytes of names and shapes; nerfacto's has some 60 KB."""
MAX_MEMBERS = 20_000
MAX_TENSOR = 4 << 30
"""Bytes of one tensor; the largest table of nerfacto-huge takes 256 MB."""

_STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip
_CALLS = {
    "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "collections OrderedDict",
    "numpy.core.multiarray scalar", "numpy._core.multiarray scalar", "numpy dtype", "_codecs encode",
}  # fmt: skip
"""What `ns-train` saves: tensors, ordered dicts and numpy scalars (a learning rate). Recognised, never called."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage in the file."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In values, not bytes"""


@dataclass(frozen=True, slots=True)
class _Name:
    """A global that the pickle names."""

    name: str


@dataclass(frozen=True, slots=True)
class _Unread:
    """A value that is no tensor and of no use here, such as a numpy scalar."""


_MARK = object()


def state(path: Path, part: str = "pipeline") -> dict[str, Tensor]:
    """Name → tensor of a checkpoint's state dict `part`. SceneError where the file is not one, with the reason."""
    with _opened(path) as archive:
        roots = [m for m in archive.namelist() if m.endswith("/data.pkl")]
        if len(roots) != 1:
            raise SceneError(f"{path}: has no data.pkl; a checkpoint of torch 1.6 or later is expected")
        info = archive.getinfo(roots[0])
        if info.file_size > MAX_PICKLE or info.compress_type != zipfile.ZIP_STORED:
            raise SceneError(
                f"{path}: data.pkl of {info.file_size} bytes; at most {MAX_PICKLE}, not compressed, is read"
            )
        top = _unpickled(_read(path, archive, roots[0]), path)
    found = top.get(part) if isinstance(top, dict) else None
    if not isinstance(found, dict) or not all(isinstance(k, str) for k in found):
        raise SceneError(f"{path}: holds no {part!r}; a checkpoint written by ns-train is expected")
    return {str(name): value for name, value in found.items() if isinstance(value, Tensor)}


def arrays(path: Path, tensors: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """The values of tensors of `state`, finite. SceneError names the tensor that is cut, too large or not finite."""
    out: dict[str, NDArray[Any]] = {}
    with _opened(path) as archive:
        root = next(m for m in archive.namelist() if m.endswith("/data.pkl")).removesuffix("data.pkl")
        for name, tensor in tensors.items():
            dtype = np.dtype(tensor.dtype)
            raw = _read(path, archive, f"{root}data/{tensor.key}", at_most=MAX_TENSOR)
            held, count = len(raw) // dtype.itemsize, math.prod(tensor.shape)
            spans = zip(tensor.shape, tensor.strides, strict=True)
            needed = tensor.offset + 1 + sum((n - 1) * step for n, step in spans) if count else 0
            if max(needed, count) > held:
                raise SceneError(
                    f"{path}: {name} of shape {tensor.shape} needs {max(needed, count)} values, its storage has "
                    f"{held}; the checkpoint is cut or forged"
                )
            flat = np.frombuffer(raw, dtype, held)[tensor.offset :]
            strides = [s * dtype.itemsize for s in tensor.strides]
            array = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False)
            if dtype.kind == "f" and not np.isfinite(array).all():
                raise SceneError(f"{path}: {name} holds numbers that are not finite; the training diverged")
            out[name] = np.array(array)
    return out


class Weights:
    """Float arrays of a model by name; what is missing or of another shape is an error that names it."""

    def __init__(self, path: Path, tensors: dict[str, Tensor]) -> None:
        self.path, self.tensors = path, tensors

    def array(self, *names: str, sides: int = 2) -> NDArray[np.float32]:
        """The first of these names that there is (nerfstudio renamed some between its versions)."""
        name = next((n for n in names if n in self.tensors), None)
        if name is None:
            raise SceneError(f"{self.path}: lacks {names[0]}; it is no checkpoint of this method")
        tensor = self.tensors[name]
        if len(tensor.shape) != sides or 0 in tensor.shape:
            raise SceneError(f"{self.path}: {name} is of shape {tensor.shape}, {sides} sides are expected")
        values: NDArray[np.float32] = arrays(self.path, {name: tensor})[name].astype(np.float32)
        return values


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise SceneError(f"{path}: is no zip; checkpoints of torch 1.6 and later are read")
            file.seek(max(0, path.stat().st_size - 66_000))
            tail = file.read()
        # The count of members (end record, byte 10) is looked at before all of them are listed.
        end = tail.rfind(b"PK\x05\x06")
        if end >= 0 and int.from_bytes(tail[end + 10 : end + 12], "little") > MAX_MEMBERS:
            raise SceneError(f"{path}: has more than {MAX_MEMBERS} members")
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError) as problem:
        raise SceneError(f"{path}: the zip can't be read: {problem}; it may be cut short: copy it again") from None
    except OSError as problem:
        raise SceneError(f"{path}: cannot be read: {problem.strerror}") from None


def _read(path: Path, archive: zipfile.ZipFile, member: str, at_most: int = MAX_PICKLE) -> bytes:
    """A stored member; its size is checked against what the file has before anything is allocated."""
    try:
        info = archive.getinfo(member)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > min(at_most, path.stat().st_size):
            raise SceneError(f"{path}: {member} says {info.file_size} bytes, more than there are or may be")
        return archive.read(info)
    except KeyError:
        raise SceneError(f"{path}: lacks {member}; the checkpoint is cut or forged") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as problem:
        raise SceneError(f"{path}: {member}: {problem}; the checkpoint is damaged: copy it again") from None


def _unpickled(raw: bytes, path: Path) -> Any:
    """The inert value that a pickle describes."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    at = 0
    try:
        for op, value, where in pickletools.genops(raw):
            at = where or 0
            if op.name == "STOP":
                return stack.pop()
            _step(op.name, value, stack, memo)
    except SceneError as problem:
        raise SceneError(f"{path}: data.pkl byte {at}: {problem}") from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as problem:
        raise SceneError(f"{path}: data.pkl byte {at}: no pickle of a state dict: {problem}") from None
    raise SceneError(f"{path}: data.pkl ends before it stops")


def _step(op: str, value: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if op in ("PROTO", "FRAME"):
        return
    if op in ("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"):
        stack.append(value)
    elif op in ("NONE", "NEWTRUE", "NEWFALSE"):
        stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[op])
    elif op in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
        stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[op]())
    elif op == "MARK":
        stack.append(_MARK)
    elif op in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
        memo[len(memo) if value is None else value] = stack[-1]
    elif op in ("BINGET", "LONG_BINGET"):
        stack.append(memo[value])
    elif op in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
        stack.append(tuple(_marked(stack) if op == "TUPLE" else [stack.pop() for _ in range(int(op[5:]))][::-1]))
    elif op in ("APPEND", "APPENDS"):
        items = [stack.pop()] if op == "APPEND" else _marked(stack)
        stack[-1].extend(items)
    elif op in ("SETITEM", "SETITEMS"):
        items = _marked(stack) if op == "SETITEMS" else [stack.pop() for _ in range(2)][::-1]
        _fill(stack[-1], items)
    elif op in ("GLOBAL", "STACK_GLOBAL"):
        name = value if op == "GLOBAL" else " ".join(reversed([str(stack.pop()), str(stack.pop())]))
        if name not in _CALLS and not (name.startswith("torch ") and name[6:] in _STORAGES):
            raise SceneError(f"asks for {name.replace(' ', '.')}, which no state dict needs; refused")
        stack.append(_Name(name))
    elif op == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif op == "REDUCE":
        arguments, called = stack.pop(), stack.pop()
        stack.append(_called(called.name, arguments))
    elif op == "BUILD":  # attributes of an ordered dict (versions of modules) or of a dtype
        stack.pop()
        if not isinstance(stack[-1], dict | _Unread):
            raise SceneError(f"sets attributes of a {type(stack[-1]).__name__}; refused")
    else:
        raise SceneError(f"opcode {op} is not one that torch writes; refused")


def _marked(stack: list[Any]) -> list[Any]:
    """What was pushed since the last mark."""
    items: list[Any] = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _fill(target: dict[Any, Any], items: Iterable[Any]) -> None:
    pairs = list(items)
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, str | int):  # a tuple of tuples of … takes for ever to hash
            raise SceneError(f"a key is a {type(key).__name__}; refused")
        target[key] = value


def _storage(persistent: Any) -> tuple[str, str]:
    kind, storage, key, _device, _count = persistent
    if kind != "storage" or not isinstance(storage, _Name) or not isinstance(key, str):
        raise SceneError("a storage is not described as torch does")
    return storage.name[6:], key


def _called(name: str, arguments: Any) -> Any:
    if name == "collections OrderedDict":
        out: dict[Any, Any] = {}
        for pair in arguments[0] if arguments else ():
            _fill(out, pair)
        return out
    if name == "torch._utils _rebuild_parameter":
        return arguments[0]
    if name != "torch._utils _rebuild_tensor_v2":
        return _Unread()
    (storage, key), offset, shape, strides = arguments[:4]
    numbers = (offset, *shape, *strides)
    if not all(type(n) is int and 0 <= n < 1 << 40 for n in numbers) or len(shape) != len(strides) or len(shape) > 8:
        raise SceneError(f"a tensor of shape {str(shape)[:60]} and strides {str(strides)[:60]}; refused")
    return Tensor(key, _STORAGES[storage], offset, shape, strides)
