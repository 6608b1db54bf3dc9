"""The text of a first scene.yaml and things.yaml: what could be guessed, and what a person has to say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth4d.geometry import apply_pose, compose
from synth4d.physics import RawBody
from synth4d.scene.guess import Extent
from synth4d.scene.meshing import mesh
from synth4d.scene.propose import Proposal
from synth4d.splats import Splats
from synth4d.splats.tracks import Tracks
from synth4d.types import F64, Gaussians

EYE_M = (0.5, 2.0)
"""Heights of the camera over the floor."""
PROPS = ["mug", "bowl", "apple", "orange", "book", "box", "toy_block", "ball"]
STAND_M2 = 0.02
"""A level surface on which something could stand."""
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    name: str
    assets: list[Fields]
    bodies: dict[str, Fields]
    places: dict[str, Fields]
    camera: Fields
    lamp: list[float]
    stand: bool
    """There is a place for props."""


def scene(d: Draft) -> str:
    """scene.yaml, with what is left to do in comments."""
    rows = [
        "# A first draft. TODO: give things their names in English and Chinese, then `synth4d doctor` this file.",
        f"scene: {d.name}",
        f"name: {flow({'en': d.name.replace('_', ' '), 'zh': d.name})}  # TODO: the room's name",
        "",
        "assets:",
        *(f"  - {flow(a)}" for a in d.assets),
        "",
        *section("bodies", d.bodies),
        *section("places", d.places),
        f"lamps: [{flow({'name': 'ceiling', 'position': d.lamp, 'radius': 0.15, 'rgb': [3.0, 2.95, 2.85]})}]",
        "light: {ambient: [0.40, 0.41, 0.43]}",
        "",
        "# TODO: what stands about, what happens, and where a camera may be.",
        f"props: {flow({'categories': PROPS, 'count': [2, 5] if d.stand else [0, 5]})}",
        "events: {open: 2, close: 1, move: 3, push: 1, drop: 1}",
        f"camera: {flow(d.camera)}",
        "",
    ]
    return "\n".join(rows)


def things(found: dict[str, Fields]) -> str:
    """things.yaml: boxes in the asset's upright frame."""
    rows = [
        "# Which Gaussians are which thing: boxes in metres, +z up. A thing without a name is solid, but nobody asks",
        "# about it. TODO: rename thing_1 …, and give each a name: {en: chair, zh: 椅子, measure: 把}; `place: true`",
        "# where others may stand on it; `role: prop` for what can be carried. `synth4d schema annotation` says all.",
        "things:" if found else "things: {}",
        *(f"  {name}: {flow(fields)}" for name, fields in found.items()),
        "",
    ]
    return "\n".join(rows)


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    if isinstance(value, float):
        return f"{round(value, 4) + 0.0:g}" if abs(value) >= 1e-4 or abs(value) < 1e-9 else f"{value:.3g}"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z_\u4e00-\u9fff][A-Za-z0-9_./ \u4e00-\u9fff-]*", value)
    if plain and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n"):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def section(title: str, entries: dict[str, Fields]) -> list[str]:
    return [f"{title}:", *(f"  {k}: {flow(v)}" for k, v in entries.items()), ""] if entries else [f"{title}: {{}}", ""]


def asset(kind: str, file: str, options: Any, axes: str, digest: str) -> Fields:
    fields: Fields = {kind: file, "axes": axes, "units": options.units, "scale": float(options.scale)}
    return fields | {"sha256": digest}


def slug(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:36]
    return plain if plain[:1].isalpha() else f"thing_{plain}".strip("_")


# ---- Things of a capture -------------------------------------------------------------------------


def floor(e: Extent) -> Fields:
    """A slab under the lowest broad level surface."""
    middle, size = (e.low + e.high) / 2, e.high - e.low
    box = {"center": [*_list(middle[:2]), e.floor - 0.05], "size": [*_list(size[:2] * 1.1), 0.1]}
    return box | {"name": {"en": "floor", "zh": "地板"}, "place": True}


def proposed(found: list[Proposal]) -> dict[str, Fields]:
    out: dict[str, Fields] = {}
    count: dict[str, int] = {}
    for p in found:
        count[p.kind] = count.get(p.kind, 0) + 1
        name = "floor" if p.kind == "floor" and count["floor"] == 1 else f"{p.kind}_{count[p.kind]}"
        out[name] = {"center": _list(p.center), "size": _list(p.size), "yaw": round(p.yaw, 2) + 0.0}
        if name == "floor":
            out[name] |= {"name": {"en": "floor", "zh": "地板"}, "place": True}
    return out


def moving(found: Tracks, capture: Splats, upright: Gaussians) -> dict[str, Fields]:
    """A thing for each track, its box around its Gaussians."""
    assert capture.object_id is not None
    out = {}
    for k in found.object_id.tolist():
        rows = np.flatnonzero(capture.object_id == k)
        reach = 2 * upright.scales[rows].max(1, keepdims=True)
        low, high = (upright.means[rows] - reach).min(0), (upright.means[rows] + reach).max(0)
        box = {"object_id": int(k), "center": _list((low + high) / 2), "size": _list(high - low)}
        out[f"mover_{k}"] = box | {"name": {"en": f"thing {k}", "zh": f"物体{k}"}, "role": "prop"}
    return out


# ---- Bodies of a model ---------------------------------------------------------------------------


def semantics(folder: Path) -> dict[str, str]:
    """What PartNet-Mobility calls each link: `semantics.txt` has link, kind of joint and name a line."""
    file = folder / "semantics.txt"
    if not file.is_file() or file.stat().st_size > 1 << 20:
        return {}
    rows = [line.split() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    return {row[0]: row[2] for row in rows if len(row) == 3}


def bodies(found: list[RawBody], names: dict[str, str]) -> tuple[dict[str, Fields], dict[str, Fields]]:
    """(bodies, places): each body that shows something, with its joint; props may stand on what does not move."""
    out: dict[str, Fields] = {}
    of: dict[str, str] = {}
    meshes = bool(found) and not found[0].visual and all(b.parent == found[0].name for b in found[1:])
    shown = found[:1] if meshes else [b for b in found if b.visual and b.name != "world"]
    jointed = {b.name for b in found if b.joint is not None and b.joint.type in ("hinge", "slide")}
    for b in shown:
        said = names.get(b.name, b.name)
        name, k = slug(said), 1
        while name in out:
            k += 1
            name = f"{slug(said)}_{k}"
        of[b.name] = name
        fields: Fields = {"from": b.name, "name": {"en": name.replace("_", " "), "zh": name.replace("_", " ")}}
        if b.name in jointed and b.joint is not None and not b.joint.follows:
            unit = 180 / np.pi if b.joint.type == "hinge" else 1.0
            low, high = b.joint.low * unit, b.joint.high * unit
            shut, wide = (low, high) if abs(low) <= abs(high) else (high, low)
            if shut != wide:
                fields |= {"role": "part", "joint": {"closed": shut, "open": wide}}
                fields |= {"part_of": of[b.parent]} if b.parent in of else {}
        out[name] = fields
    still = [(n, b) for n, b in zip(out, shown, strict=True) if "joint" not in out[n]]
    places = {f"on_{n}": {"on": n, **place} for n, b in still if (place := _level(found, b)) is not None}
    return out, places


def _level(found: list[RawBody], body: RawBody) -> Fields | None:
    """The free volume over a body's broadest level surface, body frame: a room's floor, a table's top."""
    parts = [(g.pose, g) for g in body.visual]
    parts += [(compose(b.pose, g.pose), g) for b in found if b.parent == body.name and not b.joint for g in b.visual]
    corners = [apply_pose(p, v)[f] for p, g in parts for v, f in [mesh(g)]]
    c = np.concatenate([np.zeros((0, 3, 3)), *corners])
    cross = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
    area = np.sqrt((cross * cross).sum(1)) / 2
    up = cross[:, 2] > 2 * 0.95 * area
    if area[up].sum() < STAND_M2:
        return None
    c, area = c[up], area[up]
    height = np.round(c.mean(1)[:, 2] / 0.02).astype(int)
    best = np.argmax(np.bincount(height - height.min(), area)) + height.min()
    top = c[height == best].reshape(-1, 3)
    (x0, y0, z), (x1, y1, _) = top.min(0), top.max(0)
    margin = 0.03 * min(x1 - x0, y1 - y0)
    low, high = [x0 + margin, y0 + margin, z], [x1 - margin, y1 - margin, z + 0.45]
    return {"low": _list(np.array(low)), "high": _list(np.array(high))}


def bounds(found: list[RawBody]) -> tuple[F64, F64]:
    """Of what one sees, in the axes that the bodies are placed in."""
    world: dict[str, F64] = {}
    points = [np.zeros((0, 3))]
    for b in found:
        world[b.name] = compose(world[b.parent], b.pose) if b.parent in world else b.pose
        points += [apply_pose(compose(world[b.name], g.pose), mesh(g)[0]) for g in b.visual]
    every = np.concatenate(points)
    return (every.min(0), every.max(0)) if len(every) else (np.zeros(3), np.ones(3))


# ---- Cameras -------------------------------------------------------------------------------------


def camera(low: F64, high: F64, ground: float, eyes: F64 | None, *, room: bool) -> tuple[Fields, list[float]]:
    """(camera rules, place of a lamp): among known eyes, else within a room or around a thing."""
    size = high - low
    middle = (low + high) / 2
    if eyes is not None:
        free = np.percentile(eyes, 2, axis=0), np.percentile(eyes, 98, axis=0)
        far = float(np.linalg.norm(free[1] - free[0])) / 2 + 0.5
    elif room:
        inset = 0.1 * size
        # Many captures have no ceiling, nor much of the walls.
        top = min(ground + EYE_M[1], high[2] - 0.1) if high[2] > ground + 1.2 else ground + EYE_M[1]
        free = np.array([*(low + inset)[:2], min(ground + EYE_M[0], top - 0.3)]), np.array([*(high - inset)[:2], top])
        far = 0.6 * float(min(size[:2]))
    else:
        reach = 1.5 * float(size.max()) + 0.8
        free = np.array([*(middle - reach)[:2], ground + 0.1]), np.array([*(middle + reach)[:2], high[2] + reach])
        far = reach
    rules = {
        "room_low": _list(free[0]), "room_high": _list(free[1]), "azimuth": [0.0, 360.0], "elevation": [15.0, 65.0],
        "distance": [min(0.8, far / 2), max(far, 1.0)], "fov": [48.0, 60.0], "sweep": [12.0, 34.0],
    }  # fmt: skip
    return rules, _list(np.array([*middle[:2], max(high[2] - 0.2, ground + 1.8)]))


def _list(v: F64) -> list[float]:
    return [round(float(x), 4) + 0.0 for x in v]
