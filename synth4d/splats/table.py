"""PLY as a container: elements of rows of named numbers, in ascii or binary of either byte order.

Source: Turk, "The PLY polygon file format" (1994). The header is bounded, and what it declares is compared with the
file's size before anything of that size is allocated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError
from synth4d.splats.splats import MAX_GAUSSIANS

MAX_HEADER = 128 << 10
MAX_PROPERTIES = 1000
BLOCK = 1 << 20
"""Bytes read at a time: they stay in the cache while their columns are taken apart."""
MAX_TOKEN = 100
"""Characters of one number in ascii."""

_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
_TYPES |= {"double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
_TYPES |= {"float32": "f4", "float64": "f8"}
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_END = re.compile(rb"\nend_header[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class Element:
    """So many rows of the same named numbers."""

    name: str
    count: int
    row: np.dtype[Any]
    """Structured: a field a property, in file order"""

    @property
    def properties(self) -> tuple[str, ...]:
        return self.row.names or ()


@dataclass(frozen=True, slots=True)
class Header:
    format: str
    comments: tuple[str, ...]
    elements: tuple[Element, ...]
    size: int
    """Bytes of the header: the rows begin there."""

    def element(self, name: str) -> Element | None:
        return next((e for e in self.elements if e.name == name), None)


def read_header(file: FileIO, where: str, length: int) -> Header:
    """The header of an open PLY of `length` bytes, which must be what its rows take; SceneError names the line."""
    file.seek(0)
    head = file.read(MAX_HEADER)
    end = _END.search(head)
    if not end:
        raise SceneError(f"{where}: no end_header in the first {MAX_HEADER} bytes, so it is cut off or no PLY")
    form, comments = "", []
    declared: list[tuple[str, int, list[tuple[str, str]]]] = []
    for number, line in enumerate(head[: end.start()].decode("utf-8", "replace").split("\n"), 1):
        at = f"{where} header line {number}"
        word, *rest = line.split() or [""]
        if word == "format":
            form = _format(rest, at)
        elif word == "comment":
            comments.append(line.strip().removeprefix("comment").strip())
        elif word == "element":
            declared.append(_element(rest, at))
        elif word == "property":
            if not declared:
                raise SceneError(f"{at}: a property before any element")
            declared[-1][2].append(_property(rest, declared[-1], at))
        elif word not in ("ply", "obj_info", ""):
            raise SceneError(f"{at}: {word[:40]!r} is no keyword of PLY")
    if not form:
        raise SceneError(f"{where}: the header has no format line")
    if sum(len(properties) for *_, properties in declared) > MAX_PROPERTIES:
        raise SceneError(f"{where}: the header declares more than {MAX_PROPERTIES} properties")
    order = _ORDERS[form]
    elements = tuple(Element(n, c, _row(n, properties, order, where)) for n, c, properties in declared)
    if len({e.name for e in elements}) < len(elements):
        raise SceneError(f"{where}: the header declares an element twice")
    header = Header(form, tuple(comments), elements, end.end())
    _check_size(header, where, length)
    return header


def _format(words: list[str], at: str) -> str:
    if len(words) != 2 or words[0] not in _ORDERS or words[1] != "1.0":
        raise SceneError(f"{at}: format {' '.join(words)[:40]!r} is none of {', '.join(_ORDERS)}, version 1.0")
    return words[0]


def _element(words: list[str], at: str) -> tuple[str, int, list[tuple[str, str]]]:
    if len(words) != 2 or not re.fullmatch("[0-9]{1,12}", words[1]):
        raise SceneError(f"{at}: an element is a name and a count, not {' '.join(words)[:40]!r}")
    count = int(words[1])
    if count > MAX_GAUSSIANS:
        raise SceneError(f"{at}: {count} rows of {words[0][:40]}, at most {MAX_GAUSSIANS} are read")
    return words[0], count, []


def _property(words: list[str], element: tuple[str, int, Any], at: str) -> tuple[str, str]:
    if words[:1] == ["list"]:
        if element[1] == 0:
            return words[-1], "u1"
        raise SceneError(f"{at}: {element[0][:40]} has a list property, so this is a mesh; Gaussians have none")
    if len(words) != 2:
        raise SceneError(f"{at}: a property is a type and a name, not {' '.join(words)[:40]!r}")
    if words[0] not in _TYPES:
        raise SceneError(f"{at}: property {words[1][:40]} is of unknown type {words[0][:40]!r}")
    return words[1], _TYPES[words[0]]


def _row(name: str, properties: list[tuple[str, str]], order: str, where: str) -> np.dtype[Any]:
    seen = set()
    for one, _ in properties:
        if one in seen:
            raise SceneError(f"{where}: {name} has the property {one[:40]} twice")
        seen.add(one)
    return np.dtype([(one, order + code) for one, code in properties])


def _check_size(header: Header, where: str, length: int) -> None:
    """The rows declared must fill the file: exactly in binary, at least two characters a number in ascii."""
    if header.format == "ascii":
        least = header.size + sum(2 * e.count * len(e.properties) for e in header.elements) - 1
        if length < least:
            raise SceneError(f"{where}: its header needs at least {least} bytes, the file ends at {length}: cut off")
        return
    end = header.size
    for element in header.elements:
        end += element.count * element.row.itemsize
        if length < end:
            raise SceneError(
                f"{where}: {element.count} rows of {element.name} of {element.row.itemsize} bytes reach to byte {end}, "
                f"the file ends at {length}: it is cut off"
            )
    if length > end:
        raise SceneError(f"{where}: {length - end} bytes follow from byte {end}, where the declared rows end")


# ---- Rows ----------------------------------------------------------------------------------------


def blocks(file: FileIO, header: Header, where: str) -> Iterator[tuple[Element, int, NDArray[Any]]]:
    """(element, number of the first row, some rows) of all elements in file order."""
    file.seek(header.size)
    ascii = header.format == "ascii"
    numbers = chain.from_iterable(map(float, words) for words in _words(file, where)) if ascii else iter(())
    for element in header.elements:
        step = max(1, BLOCK // max(1, element.row.itemsize))
        for start in range(0, element.count if element.properties else 0, step):
            count = min(step, element.count - start)
            if ascii:
                yield element, start, _parsed(numbers, element, start, count, where)
            else:
                yield element, start, _binary(file, element, start, count, where)
    try:
        more = next(numbers, None) is not None
    except ValueError:
        more = True
    if more:
        raise SceneError(f"{where}: more words follow where the declared rows end")


def _binary(file: FileIO, element: Element, start: int, count: int, where: str) -> NDArray[Any]:
    rows = np.empty(count, element.row)
    view, done = memoryview(rows.view(np.uint8).data), 0
    while done < len(view):
        if not (got := file.readinto(view[done:])):
            raise SceneError(f"{where}: the file ends within row {start} of {element.name} or after: cut while read")
        done += got
    return rows


def _words(file: FileIO, where: str) -> Iterator[list[bytes]]:
    """The rest of an ascii file as words, a block at a time."""
    rest = b""
    while chunk := file.read(BLOCK):
        words = (rest + chunk).split()
        rest = words.pop() if words and not chunk[-1:].isspace() else b""
        if len(rest) > MAX_TOKEN:
            raise SceneError(f"{where}: before byte {file.tell()} is a word of {len(rest)} characters, no number")
        yield words
    yield [rest] if rest else []


def _parsed(numbers: Iterator[float], element: Element, start: int, count: int, where: str) -> NDArray[Any]:
    """Rows of an ascii file; SceneError where a word is no number or does not fit the property's type."""
    width = len(element.properties)
    try:
        values = np.fromiter(numbers, np.float64, count * width).reshape(count, width)
    except ValueError as error:
        raise SceneError(f"{where}: rows of {element.name} from {start} on: {str(error)[:200]}") from None
    rows = np.empty(count, element.row)
    with np.errstate(over="ignore", invalid="ignore"):
        for column, name in enumerate(element.properties):
            rows[name] = values[:, column]
            if rows[name].dtype.kind in "iu" and (wrong := rows[name] != values[:, column]).any():
                row = int(np.argmax(wrong))
                raise SceneError(
                    f"{where}: {name} of row {start + row} is {values[row, column]:g}, not a {rows[name].dtype}"
                )
    return rows
