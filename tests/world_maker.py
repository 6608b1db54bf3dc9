"""A small analytic world for tests, what happens in it, and its exact clip by ray casting.

Nothing here is shared with the package's own way to facts or pictures: rays meet formulas, not meshes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from world_shapes import Shape, body, hit, shell, tray

from synth4d.geometry import apply_pose, compose, intrinsics, look_at, quat_from_axis_angle, rotmat
from synth4d.types import (
    F64,
    Body,
    CameraPath,
    CameraRules,
    Cavity,
    Clip,
    Joint,
    Shot,
    Timeline,
    Vessel,
    World,
)

FPS = 8.0


@dataclass(frozen=True)
class Stage:
    """A world with its formulas and where everything rests."""

    world: World
    shapes: dict[str, list[Shape]]
    rest: dict[str, tuple[float, float, float]]

    def index(self, name: str) -> int:
        return [b.name for b in self.world.bodies].index(name)

    def id(self, name: str) -> int:
        return self.world.bodies[self.index(name)].id


def kitchenette() -> Stage:
    """Table, drawer unit, cupboard with a hinged door, props, a lamp, a burner, two vessels and water."""
    shapes = {
        "floor": [Shape("box", (0, 0, -0.05), (6, 6, 0.1))],
        "wall": [Shape("box", (0, 0, 1.25), (4, 0.1, 2.5))],
        "table": [Shape("box", (0, 0, 0), (1.2, 0.6, 0.05))],
        "unit": shell(0.44, 0.40, 0.22),
        "drawer": tray(0.39, 0.36, 0.16),
        "cupboard": shell(0.40, 0.30, 0.40),
        "door": [
            Shape("box", (0, 0, 0), (0.40, 0.02, 0.40)),
            Shape("box", (0.16, -0.03, 0), (0.02, 0.04, 0.12)),
        ],
        "mug_1": [Shape("cup", (0, 0, 0), (0.04, 0.10))],
        "jug_1": [Shape("cup", (0, 0, 0), (0.06, 0.16))],
        "apple_1": [Shape("sphere", (0, 0, 0), (0.035,))],
        "book_1": [Shape("box", (0, 0, 0), (0.20, 0.13, 0.04))],
        "plate_1": [Shape("cyl", (0, 0, 0), (0.11, 0.015))],
        "can_1": [Shape("cyl", (0, 0, 0), (0.033, 0.12))],
        "lamp": [Shape("sphere", (0, 0, 0), (0.08,))],
        "burner": [Shape("cyl", (0, 0, 0), (0.09, 0.01))],
        "water": [Shape("cyl", (0, 0, 0), (0.0399, 0.002))],
        "stream": [Shape("cyl", (0, 0, 0), (0.006, 0.15))],
    }
    up = {  # world position of each body's frame
        "floor": (0, 0, 0),
        "wall": (0, 0.8, 0),
        "table": (0, 0, 0.70),
        "unit": (-0.3, 0.05, 0.725 + 0.11),
        "drawer": (-0.3, 0.03, 0.725 + 0.11),
        "cupboard": (0.35, 0.12, 0.725 + 0.20),
        "door": (0.35, -0.04, 0.925),
        "mug_1": (0.06, -0.10, 0.775),
        "jug_1": (-0.02, 0.05, 0.805),
        "apple_1": (-0.1, -0.22, 0.76),
        "book_1": (-0.45, -0.22, 0.745),
        "plate_1": (0.22, -0.18, 0.7325),
        "can_1": (0.04, -0.24, 0.785),
        "lamp": (-0.3, 0.2, 1.35),
        "burner": (0.42, -0.2, 0.73),
        "water": (0.06, -0.10, -5.0),
        "stream": (0.06, -0.10, -5.0),
    }
    extra: dict[str, dict[str, object]] = {
        "unit": {"front": (0, -1, 0)},
        "drawer": {
            "part_of": 2,
            "joint": Joint("drawer_slide", "slide", 0.0, 0.28, (0, -1, 0), (0, 0, 0)),
            "cavity": Cavity((-0.18, -0.165, -0.065), (0.18, 0.165, 0.08)),
        },
        "cupboard": {"cavity": Cavity((-0.18, -0.15, -0.18), (0.18, 0.13, 0.18))},
        "door": {
            "part_of": 4,
            "joint": Joint("door_hinge", "hinge", 0.0, -1.9, (0, 0, 1), (0.15, -0.03, 0.925)),
        },
        "mug_1": {"vessel": Vessel(-0.048, 0.05, 0.04, 0.04), "colour": "red"},
        "jug_1": {
            "vessel": Vessel(-0.078, 0.08, 0.06, 0.06, spout=(0.06, 0, 0.08), pours=True),
            "colour": "blue",
        },
        "apple_1": {"colour": "green"},
        "lamp": {"control": "lamp"},
        "burner": {"control": "burner"},
    }
    role = dict.fromkeys(("floor", "wall"), "structure") | dict.fromkeys(
        ("table", "unit", "cupboard", "lamp", "burner"), "fixture"
    )
    role |= {"drawer": "part", "door": "part", "water": "liquid", "stream": "liquid"}
    number = {"floor": 0, "wall": 0}
    bodies = []
    for name in shapes:
        id_ = number.get(name, max([b.id for b in bodies], default=0) + 1)
        bodies.append(body(name, id_, shapes[name], role.get(name, "prop"), **extra.get(name, {})))
    fill = tuple(0.0 if b.vessel else float("nan") for b in bodies)
    rules = CameraRules((-3, -3, 0), (3, 3, 2.5), (0, 6), (0.3, 0.8), (1, 2), (0.9, 1.1), (0.5, 1.0))
    world = World(
        "toy",
        tuple(bodies),
        (),
        (0.3, 0.3, 0.3),
        ("lamp", "burner"),
        b"",
        np.zeros(0),
        (1.0, 0.0),
        fill,
        (),
        (),
        (),
        rules,
    )
    return Stage(world, shapes, up)  # type: ignore[arg-type]


# ---- What happens --------------------------------------------------------------------------------


def still(stage: Stage, frames: int) -> Timeline:
    """Nothing happens: lamp on, burner off, everything at rest on the table."""
    bodies = stage.world.bodies
    poses = np.zeros((frames, len(bodies), 7))
    poses[..., 3] = 1
    poses[..., :3] = [stage.rest[b.name] for b in bodies]
    nan = np.full((frames, len(bodies)), np.nan)
    joints, fill = nan.copy(), nan.copy()
    for i, b in enumerate(bodies):
        joints[:, i] = np.nan if b.joint is None else b.joint.closed
        fill[:, i] = np.nan if b.vessel is None else 0.0
    table = next(b.id for b in bodies if b.name == "table")
    stands = np.array([table if b.role == "prop" or b.name in ("unit", "cupboard", "burner") else 0 for b in bodies])
    support = np.broadcast_to(stands, (frames, len(bodies))).astype(np.uint16)
    levels = np.broadcast_to([1.0, 0.0], (frames, 2)).copy()
    none = np.zeros((frames, 0, 3), np.float32)
    return Timeline(
        np.arange(frames) / FPS,
        poses,
        joints,
        levels,
        fill,
        support,
        np.zeros_like(support),
        none,
        np.zeros(0, np.uint16),
        0.004,
        (),
    )


def move_joint(stage: Stage, timeline: Timeline, name: str, values: F64) -> Timeline:
    """The timeline with one part's joint at `values` (T,)."""
    i = stage.index(name)
    joint = stage.world.bodies[i].joint
    assert joint is not None
    joints, poses = timeline.joints.copy(), timeline.poses.copy()
    joints[:, i] = values
    delta = values - joint.closed
    axis, anchor = np.asarray(joint.axis, float), np.asarray(joint.anchor, float)
    if joint.type == "slide":
        move = np.concatenate([delta[:, None] * axis, np.tile([1.0, 0, 0, 0], (len(delta), 1))], 1)
    else:
        q = quat_from_axis_angle(np.tile(axis, (len(delta), 1)), delta)
        turned = np.stack([rotmat(r) @ anchor for r in q])
        move = np.concatenate([anchor - turned, q], 1)
    poses[:, i] = compose(move, poses[:, i])
    return replace(timeline, joints=joints, poses=poses)


def place(stage: Stage, timeline: Timeline, name: str, positions: F64, quats: F64 | None = None) -> Timeline:
    """The timeline with one body at (T,3) or (3,) positions."""
    poses = timeline.poses.copy()
    poses[:, stage.index(name), :3] = positions
    if quats is not None:
        poses[:, stage.index(name), 3:] = quats
    return replace(timeline, poses=poses)


def ramp(frames: int, start: int, end: int, a: float, b: float) -> F64:
    """a until frame `start`, b from frame `end` on, linear between."""
    return np.interp(np.arange(frames), [start, end], [a, b])


# ---- What is seen --------------------------------------------------------------------------------


def orbit(
    frames: int,
    width: int = 192,
    height: int = 144,
    centre: tuple[float, float, float] = (0, -0.05, 0.8),
    radius: float = 1.15,
    up: float = 0.75,
    sweep: tuple[float, float] = (-0.5, 0.5),
    fov: float = 1.05,
) -> CameraPath:
    angles = np.linspace(*sweep, frames) if frames > 1 else np.array([np.mean(sweep)])
    T = np.stack(
        [
            look_at((centre[0] + radius * np.sin(a), centre[1] - radius * np.cos(a), centre[2] + up), centre)
            for a in angles
        ]
    )
    return CameraPath(width, height, intrinsics(width, height, fov), T, FPS)


def render(stage: Stage, timeline: Timeline, camera: CameraPath, only: set[str] | None = None) -> Clip:
    """The exact clip; `only` leaves out all other bodies."""
    T, H, W = len(timeline.times_s), camera.height, camera.width
    depth, ids = np.full((T, H, W), np.inf), np.zeros((T, H, W), np.uint16)
    rgb = np.zeros((T, H, W, 3))
    x = (np.arange(W) + 0.5 - camera.K[0, 2]) / camera.K[0, 0]
    y = (np.arange(H) + 0.5 - camera.K[1, 2]) / camera.K[1, 1]
    rays = np.stack(np.broadcast_arrays(x[None], y[:, None], np.ones((H, W))), -1)
    for t in range(T):
        for i, b in enumerate(stage.world.bodies):
            if only is None or b.name in only:
                _draw(stage, timeline, camera, t, i, rays, depth[t], ids[t], rgb[t])
    depth[~np.isfinite(depth)] = 0
    quantised = (np.round(depth * 1000) / 1000).astype(np.float32)
    return Clip(np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8), quantised, ids, camera)


def _draw(
    stage: Stage,
    timeline: Timeline,
    camera: CameraPath,
    t: int,
    i: int,
    rays: F64,
    depth: F64,
    ids: np.ndarray,
    rgb: F64,
) -> None:
    b, pose, eye = stage.world.bodies[i], timeline.poses[t, i], camera.T_world_cam[t]
    window = _window(b, pose, camera, t)
    R = rotmat(pose[3:])
    d = rays[window].reshape(-1, 3) @ eye[:3, :3].T @ R
    o = np.broadcast_to((eye[:3, 3] - pose[:3]) @ R, d.shape)
    near = np.min([hit(s, o, d) for s in stage.shapes[b.name]], axis=0).reshape(rays[window].shape[:2])
    front = near < depth[window]
    depth[window][front] = near[front]
    ids[window][front] = b.id
    lamp, own = timeline.levels[t]
    colour = np.array([0.45, 0.45, 0.45]) * (0.35 + 0.65 * lamp)
    if b.control == "burner":
        colour = np.array([0.12, 0.12, 0.12]) * (0.35 + 0.65 * lamp) + own * np.array([0.8, 0.12, 0.02])
    if b.control == "lamp":
        colour = np.array([0.4, 0.4, 0.38]) + 0.6 * lamp
    rgb[window][front] = colour


def _window(b: Body, pose: F64, camera: CameraPath, t: int) -> tuple[slice, slice]:
    """The pixels a body can touch (all of them when it reaches behind the camera)."""
    signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    corners = apply_pose(pose, np.asarray(b.box_center) + signs * np.asarray(b.box_size) / 2)
    eye = camera.T_world_cam[t]
    c = (corners - eye[:3, 3]) @ eye[:3, :3]
    if (c[:, 2] < 0.05).any():
        return slice(None), slice(None)
    u, v = (
        camera.K[0, 0] * c[:, 0] / c[:, 2] + camera.K[0, 2],
        camera.K[1, 1] * c[:, 1] / c[:, 2] + camera.K[1, 2],
    )
    low, high = np.floor([v.min(), u.min()]).astype(int), np.ceil([v.max(), u.max()]).astype(int) + 1
    low, high = np.maximum(low, 0), np.maximum(high, 0)
    return slice(low[0], high[0]), slice(low[1], high[1])


def shot(frames: int, kind: str = "dynamic", width: int = 192, height: int = 144) -> Shot:
    return Shot("toy-0000", 0, "toy", kind, 0, 0, "train", frames, FPS, width, height)  # type: ignore[arg-type]
