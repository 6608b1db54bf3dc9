"""Finding a scene's files and refusing those that are not what or where they should be. Nothing is executed."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import xml.etree.ElementTree as ET
from pathlib import Path

from synth4d.errors import SceneError

MAX_XML = 8 << 20
MAX_FILE = 256 << 20
MAX_SIDE = 8192
"""Pixels a side of a texture."""
MAX_SPLATS = 16 << 30
MAX_COPIES = 10_000
"""Of what an MJCF repeats, one repetition within another counted."""
MAX_COUNT = 1 << 20
REPEATS = ("replicate", "composite", "flexcomp")
SIDES = {"texture": ("width", "height"), "hfield": ("nrow", "ncol"), "numeric": ("size",)}


def resolve(reference: str, folder: Path, where: str) -> Path:
    """`pkg://package/path` or a relative path beside the scene → an existing file or folder."""
    if reference.startswith("pkg://"):
        package, _, inside = reference[6:].partition("/")
        root = package_root(package, where)
    elif "://" in reference or Path(reference).is_absolute():
        raise SceneError(f"{where}: {reference!r}: use pkg://package/path or a path beside scene.yaml")
    else:
        root, inside = folder, reference
    path = (root / inside).resolve()
    if not path.is_relative_to(root.resolve()):
        raise SceneError(f"{where}: {reference!r} lies outside {root.name}/; assets stay inside their root")
    if not path.exists():
        raise SceneError(f"{where}: {reference!r}: no such file in {root.name}/")
    return path


def package_root(package: str, where: str) -> Path:
    """Folder of an installed package, found without importing it."""
    if not package.isidentifier():
        raise SceneError(f"{where}: pkg://{package}: not a package name")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pip = package.replace("_", "-")
        raise SceneError(f"{where}: package {package!r} is not installed; pip install {pip}")
    return Path(next(iter(found.submodule_search_locations)))


def plain(path: Path, root: Path, where: str, limit: int = MAX_FILE) -> Path:
    """The path of a plain file within its root; refuses links and what is too large."""
    _inside(path, root, where, limit)
    if not path.is_file():
        raise SceneError(f"{where}: {path.name} is no file")
    return path


def check_model(path: Path, root: Path, where: str) -> list[Path]:
    """Every file an MJCF or URDF names, includes followed; refuses DOCTYPEs, links and files outside `root`."""
    seen: list[Path] = []
    folders = {"mesh": [Path()], "texture": [Path()], "hfield": [Path()]}
    queue = [path]
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.append(current)
        for tag, name in _references(current, where, folders):
            bases = [current.parent, path.parent, *(path.parent / f for f in folders.get(tag, []))]
            tried = [(base / name) for base in bases]
            target = next((t for t in tried if t.exists()), None)
            if target is None:
                raise SceneError(f"{where}: {current.name} names {name!r}, which does not exist")
            _inside(target, root, where)
            if tag == "texture":
                _picture(target, where)
            if tag == "include":
                queue.append(target.resolve())
            elif target.resolve() not in seen:
                seen.append(target.resolve())
    return seen


def _picture(path: Path, where: str) -> None:
    """Refuse a picture too large to be unpacked, by its header; what is no picture is MuJoCo's to judge."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            width, height = opened.size
    except UnidentifiedImageError:
        return
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise SceneError(f"{where}: {path.name} is no picture that can be read: {problem}") from None
    if max(width, height) > MAX_SIDE:
        raise SceneError(f"{where}: {path.name}: a texture of {width}x{height}; {MAX_SIDE} a side at most")


def xml(path: Path, where: str) -> ET.Element:
    """A model file's elements."""
    if path.stat().st_size > MAX_XML:
        raise SceneError(f"{where}: {path.name} is larger than {MAX_XML} bytes")
    raw = path.read_bytes()
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise SceneError(f"{where}: {path.name} has a DOCTYPE; model files here have none")
    try:
        return ET.fromstring(raw)
    except ET.ParseError as problem:
        raise SceneError(f"{where}: {path.name}: not XML: {problem}") from None


def _references(path: Path, where: str, folders: dict[str, list[Path]]) -> list[tuple[str, str]]:
    tree = xml(path, where)
    _bounded(tree, f"{where}: {path.name}")
    out = []
    for element in tree.iter():
        if element.tag in ("plugin", "extension"):
            raise SceneError(f"{where}: {path.name}: <{element.tag}> would load code; remove it")
        if element.tag == "compiler":
            for tag, key in (("mesh", "meshdir"), ("texture", "texturedir")):
                for attribute in (key, "assetdir"):
                    if element.get(attribute):
                        folders[tag].append(Path(str(element.get(attribute))))
        name = element.get("file") or element.get("filename")
        if name:
            out.append((str(element.tag), name))
    return out


def _bounded(tree: ET.Element, where: str) -> None:
    """Refuse what a few letters would make huge: MuJoCo does what it is told, whatever memory and time it takes."""
    queue = [(tree, 1.0)]
    while queue:
        element, copies = queue.pop()
        tag = str(element.tag)
        if tag in REPEATS:
            copies *= math.prod(_numbers(element.get("count", "")))
            if not copies <= MAX_COPIES:
                raise SceneError(f"{where}: <{tag}> makes {copies:.0f} copies; {MAX_COPIES} at most")
        for name in element.keys() if tag == "size" else SIDES.get(tag, ()):
            most = MAX_SIDE if tag in ("texture", "hfield") else MAX_COUNT
            for number in _numbers(element.get(name, "")):
                if not number <= most:
                    raise SceneError(f"{where}: <{tag} {name}> is {number:.0f}; {most} at most")
        queue += [(child, copies) for child in element]


def _numbers(text: str) -> list[float]:
    """The numbers of an attribute; what is none is MuJoCo's to judge."""
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []


def _inside(target: Path, root: Path, where: str, limit: int = MAX_FILE) -> None:
    if target.is_symlink():
        raise SceneError(f"{where}: {target.name} is a link; assets are plain files")
    if not target.resolve().is_relative_to(root.resolve()):
        raise SceneError(f"{where}: {target.name} lies outside {root.name}/; assets stay inside their root")
    if target.stat().st_size > limit:
        raise SceneError(f"{where}: {target.name} is larger than {limit} bytes")


def digest(paths: list[Path]) -> str:
    """sha256 over the contents of files, in the given order."""
    h = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            h.update(hashlib.file_digest(file, "sha256").digest())
    return h.hexdigest()
