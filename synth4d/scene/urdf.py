"""URDF in, without a simulator's reader: links as bodies, parents first, with the looks of their meshes.

Every body's axes are the scene's at joint zero, but for the asset's yaw (a link's own may lie in any way), so that
its +z is up. Links without collision shapes get the convex pieces of what one sees. Source: wiki.ros.org/urdf/XML.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synth4d.errors import SceneError
from synth4d.geometry import apply_pose, compose, invert_pose, quat_from_axis_angle, quat_mul, rotate
from synth4d.physics import Geom, Hinge, RawBody
from synth4d.scene import assets, meshfile
from synth4d.scene.meshbody import DENSITY, IDENTITY, MASS_KG, contact, visual
from synth4d.scene.meshfile import Rgba
from synth4d.scene.placement import Placement, pose
from synth4d.types import F64, Vec3

MAX_LINKS = 2000
TYPES = {"revolute": "hinge", "continuous": "hinge", "prismatic": "slide", "fixed": "", "floating": "free"}


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    path: Path
    root: Path
    scale: float
    where: str
    files: list[Path]
    meshes: dict[str, list[meshfile.Part]]
    materials: dict[str, Rgba]


def read(path: Path, root: Path, at: Placement, where: str) -> tuple[list[RawBody], list[Path]]:
    """Bodies of a URDF, and the files they came from. Raises SceneError with what is wrong and where."""
    robot = assets.xml(assets.plain(path, root, where), where)
    where = f"{where}: {path.name}"
    reader = _Reader(path, root, at.scale, where, [path], {}, {})
    for material in robot.findall("material"):
        colour = material.find("color")
        if colour is not None:
            reader.materials[material.get("name", "")] = _rgba(colour, where)
    links = {str(link.get("name")): link for link in robot.findall("link")}
    joints = list(robot.findall("joint"))
    if not 0 < len(links) <= MAX_LINKS:
        raise SceneError(f"{where}: {len(links)} links; a URDF here has 1 to {MAX_LINKS}")
    order, above = _tree(links, joints, where)
    stands: dict[str, F64] = {}
    bodies = []
    for name in order:
        joint = above.get(name)
        parent = str(joint.find("parent").get("link")) if joint is not None else ""  # type: ignore[union-attr]
        stands[name] = compose(stands[parent], _origin(joint, reader)) if parent else pose(at.upright)
        frame = np.concatenate([stands[name][:3], IDENTITY[3:]])
        to_body = compose(invert_pose(frame), stands[name])
        start = _minus(stands[parent][:3]) if parent else pose(at.place)
        hinge = _hinge(joint, to_body, reader) if joint is not None else None
        bodies.append(_body(name, parent, compose(start, frame), hinge, links[name], to_body, reader))
    return bodies, list(dict.fromkeys(reader.files))


def _minus(shift: F64) -> F64:
    return np.concatenate([-shift, IDENTITY[3:]])


def _tree(
    links: dict[str, ET.Element], joints: list[ET.Element], where: str
) -> tuple[list[str], dict[str, ET.Element]]:
    """Links, parents first, and the joint above each."""
    above: dict[str, ET.Element] = {}
    below: dict[str, list[str]] = {name: [] for name in links}
    for joint in joints:
        ends = [(e.get("link") if (e := joint.find(tag)) is not None else None) for tag in ("parent", "child")]
        for end in ends:
            if end not in links:
                raise SceneError(f"{where}: joint {joint.get('name')!r} joins {end!r}, which is no link")
        parent, child = str(ends[0]), str(ends[1])
        if child in above:
            raise SceneError(f"{where}: link {child!r} hangs on two joints")
        above[child] = joint
        below[parent].append(child)
    order: list[str] = []
    queue = [name for name in links if name not in above]
    while queue:
        name = queue.pop(0)
        order.append(name)
        queue += below[name]
    if len(order) < len(links):
        raise SceneError(f"{where}: link {next(n for n in links if n not in order)!r} hangs on itself")
    return order, above


def _hinge(joint: ET.Element, to_body: F64, reader: _Reader) -> Hinge | None:
    kind, name = str(joint.get("type")), str(joint.get("name"))
    if kind not in TYPES:
        raise SceneError(f"{reader.where}: joint {name!r} is {kind!r}; there are {', '.join(TYPES)} here")
    if not TYPES[kind] or kind == "floating":
        return None  # a floating part is placed as it stands; a prop gets its freedom from scene.yaml
    found = joint.find("axis")
    axis = np.array([1.0, 0, 0]) if found is None else np.array(_numbers(found, "xyz", 3, reader.where))
    if (axis * axis).sum() < 1e-12:
        raise SceneError(f"{reader.where}: joint {name!r}: its axis is zero")
    axis = rotate(to_body[3:], axis / np.sqrt((axis * axis).sum()))
    unit = reader.scale if kind == "prismatic" else 1.0
    low, high = -np.pi, np.pi
    if kind != "continuous":
        limit = joint.find("limit")
        if limit is None:
            raise SceneError(f"{reader.where}: joint {name!r} has no limit")
        low, high = (_number(limit, key, 0.0, reader.where) * unit for key in ("lower", "upper"))
        if low > high:
            raise SceneError(f"{reader.where}: joint {name!r}: its lower limit {low:g} is above the upper {high:g}")
    mimic, follows = joint.find("mimic"), None
    if mimic is not None:
        ratio = _number(mimic, "multiplier", 1.0, reader.where)
        follows = (str(mimic.get("joint")), ratio, _number(mimic, "offset", 0.0, reader.where) * unit)
    return Hinge(name, TYPES[kind], _vec3(axis), (0.0, 0.0, 0.0), low, high, follows)


def _body(
    name: str, parent: str, stand: F64, hinge: Hinge | None, link: ET.Element, to_body: F64, reader: _Reader
) -> RawBody:
    seen = tuple(g for e in link.findall("visual") for g in _looks(e, to_body, reader))
    solid = tuple(g for e in link.findall("collision") for g in _solids(_looks(e, to_body, reader)))
    if not solid:
        solid = tuple(_solids(seen))
    weight = link.find("inertial/mass")
    mass = 0.0 if weight is None else _number(weight, "value", 0.0, reader.where)
    if mass <= 0:
        mass = DENSITY * sum((_room(g) for g in solid), 0.0)
    return RawBody(name, parent, stand, hinge, seen, solid, float(np.clip(mass, *MASS_KG)))


def _looks(element: ET.Element, to_body: F64, reader: _Reader) -> Iterator[Geom]:
    """The shapes of a visual or collision element, in the body's axes."""
    place, s = compose(to_body, _origin(element, reader)), reader.scale
    rgba = _colour(element, reader)
    geometry = element.find("geometry")
    for shape in geometry if geometry is not None else ():
        r, length = (_number(shape, key, 0.0, reader.where) * s for key in ("radius", "length"))
        paint = (0.6, 0.6, 0.6, 1.0) if rgba is None else rgba
        if shape.tag == "mesh":
            yield from _mesh(shape, place, rgba, reader)
        elif shape.tag == "box":
            x, y, z = (v * s / 2 for v in _numbers(shape, "size", 3, reader.where))
            yield Geom("box", (x, y, z), place, rgba=paint)
        elif shape.tag in ("cylinder", "capsule"):
            yield Geom(str(shape.tag), (r, length / 2, 0.0), place, rgba=paint)
        elif shape.tag == "sphere":
            yield Geom("sphere", (r, r, r), place, rgba=paint)
        else:
            raise SceneError(f"{reader.where}: <{shape.tag}> is no shape of a URDF")


def _mesh(shape: ET.Element, place: F64, rgba: Rgba | None, reader: _Reader) -> Iterator[Geom]:
    name = str(shape.get("filename"))
    if name not in reader.meshes:
        target = _find(name, reader)
        parts, files = meshfile.read(assets.plain(target, reader.root, reader.where), reader.root, reader.where)
        reader.meshes[name] = parts
        reader.files.extend(files)
    scale = np.array(_numbers(shape, "scale", 3, reader.where) if shape.get("scale") else [1.0, 1, 1]) * reader.scale
    for part in reader.meshes[name]:
        geom = visual(part, apply_pose(place, part.vertices * scale), bool(np.prod(scale) < 0))
        yield geom if rgba is None or part.material or part.image else replace(geom, rgba=rgba)


def _find(name: str, reader: _Reader) -> Path:
    """The file of `package://package/path`, `file:` or a path, beside the URDF or in a folder above, up to the root."""
    folder = reader.path.parent.resolve()
    inside = name.partition("://")[2] if "://" in name else name
    tails = [inside, inside.partition("/")[2]] if name.startswith("package://") else [inside]
    for base in (folder, *folder.parents):
        for tail in tails:
            if tail and not Path(tail).is_absolute() and (base / tail).is_file():
                return base / tail
        if base == reader.root.resolve() or not base.is_relative_to(reader.root.resolve()):
            break
    raise SceneError(f"{reader.where}: names {name!r}, which is not in {reader.root.name}/")


def _solids(shapes: Iterable[Geom]) -> Iterator[Geom]:
    for g in shapes:
        if g.type == "mesh":
            assert g.vertices is not None and g.faces is not None
            yield from contact(g.vertices, g.faces)
        else:
            yield g


def _room(g: Geom) -> float:
    """About the volume of a shape's box, m³."""
    return float(np.prod(np.ptp(g.vertices, axis=0) if g.vertices is not None else 2 * np.array(g.size)))


def _origin(element: ET.Element | None, reader: _Reader) -> F64:
    """(7,) of an element's origin: rpy about fixed x, then y, then z."""
    found = None if element is None else element.find("origin")
    if found is None:
        return IDENTITY.copy()
    xyz = _numbers(found, "xyz", 3, reader.where) if found.get("xyz") else [0.0, 0, 0]
    turn = np.array([1.0, 0, 0, 0])
    for axis, angle in zip(
        np.eye(3), _numbers(found, "rpy", 3, reader.where) if found.get("rpy") else (), strict=False
    ):
        turn = quat_mul(quat_from_axis_angle(axis, np.array(angle)), turn)
    return np.concatenate([np.array(xyz) * reader.scale, turn])


def _colour(element: ET.Element, reader: _Reader) -> Rgba | None:
    material = element.find("material")
    if material is None:
        return None
    colour = material.find("color")
    if colour is not None:
        return _rgba(colour, reader.where)
    return reader.materials.get(material.get("name", ""))


def _rgba(colour: ET.Element, where: str) -> Rgba:
    r, g, b, a = (min(max(v, 0.0), 1.0) for v in _numbers(colour, "rgba", 4, where))
    return (r, g, b, a)


def _numbers(element: ET.Element, key: str, count: int, where: str) -> list[float]:
    text = str(element.get(key))
    try:
        values = [float(v) for v in text.split()]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise SceneError(f"{where}: <{element.tag} {key}={text[:60]!r}>: {count} numbers are needed")
    return values


def _number(element: ET.Element, key: str, default: float, where: str) -> float:
    return default if element.get(key) is None else _numbers(element, key, 1, where)[0]


def _vec3(v: F64) -> Vec3:
    return (float(v[0]), float(v[1]), float(v[2]))
