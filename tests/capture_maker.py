"""A capture whose truth is known: the toy room's furniture as Gaussians, in a file with axes, units, SH and noise of
somebody else, beside an annotation of its boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from synth4d.geometry import apply_pose, intrinsics, look_at
from synth4d.physics import Sim
from synth4d.render.clip import Stage
from synth4d.scene.build import build
from synth4d.scene.captured import take
from synth4d.scene.load import load
from synth4d.scene.placement import METRES, rotation
from synth4d.splats import Notes, Splats, transform, write_ply
from synth4d.types import CameraPath, Gaussians, Shot, Timeline, World

NAMES = {
    "table": ("table", "桌子"), "drawer": ("drawer", "抽屉"), "cupboard": ("cupboard", "橱柜"),
    "cupboard_door": ("cupboard door", "橱柜门"), "lamp": ("lamp", "落地灯"),
}  # fmt: skip
SCENE = """scene: captured
name: {{en: captured room, zh: 实景房间, measure: 间}}
assets:
  - {{splats: room.ply, annotation: room.yaml, axes: {axes}, units: {units}}}
bodies: {{}}
lamps:
  - {{name: ceiling, position: [0.1, -0.7, 1.9], radius: 0.15, rgb: [2.0, 1.95, 1.85]}}
light: {{ambient: [0.40, 0.41, 0.43]}}
places: {{}}
props: {{categories: [mug, bowl, apple, orange, book, box, toy_block], count: [3, 5], hidden: 0.1}}
start: {{open: 0.0, on: 0.4}}
events: {{move: 3, push: 1, drop: 1, open: 1}}
camera:
  room_low: [-1.05, -1.6, 0.6]
  room_high: [1.05, 0.1, 1.55]
  azimuth: [235, 305]
  elevation: [16, 42]
  distance: [0.8, 1.8]
  fov: [48, 58]
  sweep: [12, 34]
"""


@dataclass(frozen=True)
class Capture:
    scene: Path
    world: World
    """The furniture it was taken of, everything shut."""
    timeline: Timeline


def furniture() -> tuple[World, Timeline]:
    """The toy room without props, everything shut, for one frame."""
    shot = Shot("toy-000000", 0, "toy", "static", 7, 0, "train", 1, 4.0, 384, 288)
    world = build(load("toy"), shot)
    bodies = tuple(b for b in world.bodies if b.role not in ("prop", "liquid"))
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    for b in bodies:
        if b.joint:
            sim.set_joint(b.joint.name, b.joint.closed)
    sim.forward()
    n = len(bodies)
    nothing, none = np.full((1, n), np.nan), np.zeros((1, n), np.uint16)
    timeline = Timeline(
        np.zeros(1), sim.poses([b.name for b in bodies])[None], nothing, np.ones((1, len(world.controls))), nothing,
        none, none, np.zeros((1, 0, 3), np.float32), np.zeros(0, np.uint16), 0.004, (),
    )  # fmt: skip
    return replace(world, bodies=bodies, start_fill=(np.nan,) * n, liquid=None, free=()), timeline


def gaussians(world: World, timeline: Timeline, width: int) -> Gaussians:
    """Its Gaussians in world axes, fine enough for a camera of this width anywhere in the room."""
    eyes = [(x, y, z) for x in (-0.8, 0.0, 0.8) for y in (-1.3, -0.6) for z in (0.75, 1.4)]
    T = np.stack([look_at(e, (0.15 * e[0], 0.45, 0.55)) for e in eyes])
    path = CameraPath(width, width, intrinsics(width, width, np.radians(95)), T, 4.0)
    n = len(T)
    still = {
        f: np.repeat(getattr(timeline, f), n, 0) for f in ("poses", "joints", "levels", "fill", "support", "inside")
    }
    many = replace(timeline, times_s=np.arange(n) / 4, particles=np.zeros((n, 0, 3), np.float32), **still)
    return Stage(world, many, path).gaussians(0)


def things(world: World, timeline: Timeline, ids: bool) -> dict[str, object]:
    """The annotation: boxes as tight as the furniture, its contact shapes as solids, floor and walls solid alone."""
    scene = load("toy")
    shapes = {b.name: b.collision for b in scene.bodies}
    out: dict[str, object] = {}
    for i, body in enumerate(world.bodies):
        if body.name not in NAMES:
            continue
        pose, raw = timeline.poses[0, i], shapes[body.name]
        en, zh = NAMES[body.name]
        thing: dict[str, object] = {
            "center": rounded(apply_pose(pose, body.box_center)), "size": rounded(body.box_size),
            "name": {"en": en, "zh": zh}, "role": body.role,
            "solids": [
                {"center": rounded(apply_pose(pose, g.pose[:3])), "size": rounded(2 * np.array(g.size))} for g in raw
            ],
        }  # fmt: skip
        if ids:
            thing["object_id"] = body.id
        if body.part_of:
            thing["part_of"] = next(b.name for b in world.bodies if b.id == body.part_of)
        if body.name in ("table", "cupboard"):
            thing["place"] = True
        out[body.name] = thing
    out["drawer"] |= {"joint": {"type": "slide", "axis": [0, -1, 0], "closed": 0, "open": 0.3}}  # type: ignore[operator]
    room = next(b for b in scene.bodies if b.name.endswith("room"))
    for k, g in enumerate(room.collision):
        out[f"wall_{k}"] = {"center": rounded(g.pose[:3]), "size": rounded(2 * np.array(g.size))}
    return out


def rounded(v: object) -> list[float]:
    return [round(float(x), 4) for x in np.asarray(v)]


def make(folder: Path, *, axes: str = "RDF", units: str = "cm", ids: bool = False, width: int = 320) -> Capture:
    """Write room.ply, room.yaml and scene.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    world, timeline = furniture()
    g, rng = gaussians(world, timeline, width), np.random.default_rng(3)
    own = g.ids.astype(np.uint32)
    noise = rng.normal(0, 0.01, g.colours.shape).astype(np.float32)
    sh = rng.normal(0, 0.02, (len(g.means), 3, 3)).astype(np.float32)
    away = np.eye(4)
    away[:3, :3] = rotation(axes, "").T
    g = transform(replace(g, colours=np.clip(g.colours + noise, 0, 1), sh=sh), away, 1 / METRES[units])
    order = rng.permutation(len(g.means))
    g = take(g, order)
    write_ply(Splats(g, Notes("maker", "3DGS PLY"), own[order] if ids else None), folder / "room.ply")
    said = {"things": things(world, timeline, ids)}
    (folder / "room.yaml").write_text(yaml.safe_dump(said, allow_unicode=True, sort_keys=False))
    (folder / "scene.yaml").write_text(SCENE.format(axes=axes, units=units))
    return Capture(folder / "scene.yaml", world, timeline)
