"""A small furnished room for the tests of the renderer: meshes made here, a timeline made by hand."""

from __future__ import annotations

import numpy as np
import trimesh

from synth4d.geometry import intrinsics, look_at, quat_from_axis_angle
from synth4d.types import Body, CameraPath, CameraRules, Lamp, Material, Name, Surface, Timeline, Vec3, World
from synth4d.vocabulary import COLOURS

_ANYWHERE = CameraRules((-9, -9, -9), (9, 9, 9), (-3, 3), (-1, 1), (0, 9), (1, 1), (0, 1))


def box(size: Vec3, center: Vec3 = (0, 0, 0)) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.box(size)
    return mesh.vertices + np.array(center), mesh.faces


def join(*parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    offset = np.cumsum([0] + [len(v) for v, _ in parts[:-1]])
    return np.concatenate([v for v, _ in parts]), np.concatenate(
        [f + o for (_, f), o in zip(parts, offset, strict=True)]
    )


def lathe(profile: list[tuple[float, float]], segments: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Outside-facing surface of revolution of a closed (radius, z) profile, counter-clockwise."""
    mesh = trimesh.creation.revolve(np.array(profile), sections=segments)
    mesh.fix_normals()
    return mesh.vertices, mesh.faces


def mug(r: float = 0.04, h: float = 0.095, wall: float = 0.004) -> tuple[np.ndarray, np.ndarray]:
    body = lathe([(0, 0), (r * 0.92, 0), (r, 0.008), (r, h), (r - wall, h), (r - wall, 0.012), (0, 0.008)])
    arc = np.linspace(-np.pi / 2, np.pi / 2, 13)
    path = np.stack([r - 0.003 + 0.028 * np.cos(arc), 0 * arc, h / 2 + 0.03 * np.sin(arc)], 1)
    ring = np.linspace(0, 2 * np.pi, 11)[:-1]
    rings = []
    for a, p in zip(arc, path, strict=True):
        out = np.array([np.cos(a), 0, np.sin(a)])
        rings.append(p + 0.0055 * (np.cos(ring)[:, None] * out + np.sin(ring)[:, None] * np.array([0, 1.0, 0])))
    k = len(ring)
    faces = []
    for i in range(len(path) - 1):
        for j in range(k):
            a, b, c, d = i * k + j, i * k + (j + 1) % k, (i + 1) * k + j, (i + 1) * k + (j + 1) % k
            faces += [[a, b, c], [b, d, c]]
    handle = trimesh.Trimesh(np.concatenate(rings), faces, process=False)
    handle.fix_normals()
    if (
        trimesh.Trimesh(handle.vertices, handle.faces, process=False).face_normals[0] @ (handle.vertices[0] - path[0])
        < 0
    ):
        handle.invert()
    return join(body, (handle.vertices, handle.faces))


def sphere(r: float) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(3, r)
    return mesh.vertices, mesh.faces


def bowl() -> tuple[np.ndarray, np.ndarray]:
    a = np.linspace(0, np.pi / 2, 9)
    outer = [(0.035 + 0.05 * np.sin(t), 0.06 - 0.06 * np.cos(t)) for t in a]
    inner = [(0.032 + 0.048 * np.sin(t), 0.062 - 0.056 * np.cos(t)) for t in a[::-1]]
    return lathe([(0, 0), *outer, *inner, (0, 0.006)])


def bottle() -> tuple[np.ndarray, np.ndarray]:
    return lathe([(0, 0), (0.035, 0), (0.037, 0.01), (0.037, 0.15), (0.014, 0.2), (0.014, 0.25), (0, 0.25)])


class Room:
    """Collects bodies and their poses, then gives the World and a Timeline."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.poses: list[np.ndarray] = []
        self.lamps: list[Lamp] = []
        self.controls: list[str] = []
        self.ambient: Vec3 = (0.35, 0.38, 0.42)

    def add(self, name, role, parts, xyz=(0, 0, 0), turn=0.0, category=None, colour=None, tagged=True) -> int:
        """Add a body of (mesh, Material, smooth) parts; its index."""
        surfaces = tuple(Surface(np.asarray(v, float), np.asarray(f, np.int32), m, smooth=s) for (v, f), m, s in parts)
        low = np.min([s.vertices.min(0) for s in surfaces], 0) if surfaces else np.zeros(3)
        high = np.max([s.vertices.max(0) for s in surfaces], 0) if surfaces else np.zeros(3)
        index = len(self.bodies)
        category = category or name.rstrip("0123456789_")
        self.bodies.append(
            Body(
                name,
                index + 1 if tagged else 0,
                category,
                Name(category, category),
                role,
                surfaces,
                tuple((low + high) / 2),
                tuple(high - low),
                colour,
            )
        )
        self.poses.append(np.concatenate([xyz, quat_from_axis_angle([0, 0, 1], turn)]))
        return index

    def prop(self, name, mesh, colour, xyz, turn=0.0, texture="plain", size=0.5, smooth=True, gloss=0.3) -> int:
        material = Material(COLOURS[colour][1], texture, size, gloss)
        return self.add(name, "prop", [(mesh, material, smooth)], xyz, turn, colour=colour)

    def world(self) -> World:
        return World(
            scene="room",
            bodies=tuple(self.bodies),
            lamps=tuple(self.lamps),
            ambient_rgb=self.ambient,
            controls=tuple(self.controls),
            model=b"",
            rest_qpos=np.zeros(0),
            start_levels=(1.0,) * len(self.controls),
            start_fill=(np.nan,) * len(self.bodies),
            places=(),
            switches=(),
            event_weights=(),
            camera=_ANYWHERE,
        )

    def timeline(self, frames: int, fps: float = 8.0) -> Timeline:
        B = len(self.bodies)
        poses = np.broadcast_to(np.array(self.poses), (frames, B, 7)).copy()
        return Timeline(
            np.arange(frames) / fps,
            poses,
            np.full((frames, B), np.nan),
            np.ones((frames, len(self.controls))),
            np.full((frames, B), np.nan),
            np.zeros((frames, B), np.uint16),
            np.zeros((frames, B), np.uint16),
            np.zeros((frames, 0, 3), np.float32),
            np.zeros(0, np.uint16),
            0.004,
            (),
        )


def kitchen() -> Room:
    """A room of about 80 m² of surfaces with 40 bodies."""
    room = Room()
    wall = Material((0.86, 0.84, 0.78), "plain")
    room.add(
        "floor",
        "structure",
        [(box((5, 4, 0.1), (0, 0, -0.05)), Material((0.62, 0.52, 0.42), "wood", 0.6), False)],
        tagged=False,
    )
    room.add("ceiling", "structure", [(box((5, 4, 0.1), (0, 0, 2.65)), wall, False)], tagged=False)
    room.add(
        "wall_back",
        "structure",
        [(box((5, 0.1, 2.6), (0, 2.05, 1.3)), Material((0.75, 0.82, 0.80), "tile", 0.2), False)],
        tagged=False,
    )
    room.add("wall_front", "structure", [(box((5, 0.1, 2.6), (0, -2.05, 1.3)), wall, False)], tagged=False)
    room.add("wall_left", "structure", [(box((0.1, 4, 2.6), (-2.55, 0, 1.3)), wall, False)], tagged=False)
    room.add("wall_right", "structure", [(box((0.1, 4, 2.6), (2.55, 0, 1.3)), wall, False)], tagged=False)
    wood = Material((0.58, 0.40, 0.24), "wood", 0.4)
    white = Material((0.88, 0.88, 0.86), "plain", gloss=0.2)
    top = Material((0.45, 0.45, 0.47), "marble", 0.6, 0.2)
    room.add(
        "counter",
        "fixture",
        [
            (box((3.2, 0.6, 0.86), (0, 1.69, 0.43)), white, False),
            (box((3.24, 0.64, 0.04), (0, 1.67, 0.88)), top, False),
        ],
    )
    cabinet = join(
        box((0.02, 0.36, 0.7), (-0.39, 0, 0)),
        box((0.02, 0.36, 0.7), (0.39, 0, 0)),
        box((0.76, 0.36, 0.02), (0, 0, 0.34)),
        box((0.76, 0.36, 0.02), (0, 0, -0.34)),
        box((0.76, 0.02, 0.66), (0, 0.17, 0)),
        box((0.76, 0.34, 0.02), (0, -0.01, 0)),
    )
    room.add("cabinet", "fixture", [(cabinet, wood, False)], (-0.8, 1.81, 1.75))
    door = box((0.78, 0.02, 0.7), (0.39, -0.01, 0))
    knob = sphere(0.018)
    room.add(
        "cabinet_door",
        "part",
        [
            (door, wood, False),
            ((knob[0] + np.array([0.72, -0.04, 0]), knob[1]), Material((0.7, 0.7, 0.72), "metal", 0.1, 0.6), True),
        ],
        (-1.19, 1.62, 1.75),
    )
    room.add(
        "table",
        "fixture",
        [
            (
                join(
                    box((1.2, 0.8, 0.04), (0, 0, 0.72)),
                    *[box((0.05, 0.05, 0.70), (x, y, 0.35)) for x in (-0.55, 0.55) for y in (-0.35, 0.35)],
                ),
                wood,
                False,
            )
        ],
        (0.2, 0.2, 0),
    )
    room.add(
        "stove",
        "fixture",
        [(box((0.6, 0.5, 0.02), (0, 0, 0)), Material((0.1, 0.1, 0.11), "metal", 0.3, 0.4), False)],
        (1.1, 1.67, 0.911),
    )
    disc = trimesh.creation.cylinder(0.09, 0.006, sections=48)
    burner = Material((0.16, 0.16, 0.17), "plain", emission=(1.6, 0.32, 0.06), glow="burner")
    room.add("burner", "part", [((disc.vertices, disc.faces), burner, False)], (1.0, 1.67, 0.924))
    room.prop("mug_1", mug(), "red", (0.35, 0.05, 0.741), 0.6)
    room.prop("mug_2", mug(), "blue", (-0.2, 1.55, 0.901), -1.2)
    room.prop("mug_3", mug(), "white", (-0.05, 0.35, 0.741), 2.2)
    room.prop("apple_1", sphere(0.038), "green", (0.1, 0.0, 0.778), texture="peel", size=0.1)
    room.prop("orange_1", sphere(0.04), "orange", (0.55, 0.3, 0.78), texture="peel", size=0.05)
    room.prop("bowl_1", bowl(), "yellow", (0.3, 0.38, 0.741))
    room.prop(
        "book_1",
        box((0.15, 0.21, 0.03), (0, 0, 0.015)),
        "purple",
        (-0.15, 0.02, 0.741),
        0.4,
        "book",
        smooth=False,
        gloss=0.0,
    )
    room.prop("bottle_1", bottle(), "green", (0.5, 0.0, 0.741), texture="label")
    room.prop("bottle_2", bottle(), "pink", (0.35, 1.6, 0.901), texture="label")
    room.prop(
        "box_1",
        box((0.12, 0.08, 0.2), (0, 0, 0.1)),
        "brown",
        (-0.6, 1.62, 0.901),
        0.3,
        "label",
        smooth=False,
        gloss=0.0,
    )
    room.prop(
        "box_2", box((0.1, 0.1, 0.1), (0, 0, 0.05)), "grey", (0.0, 1.7, 0.901), 0.2, "checker", 0.05, smooth=False
    )
    shades = list(COLOURS)
    for k in range(18):
        shape = (mug(), bowl(), sphere(0.035), bottle())[k % 4]
        z = 0.936 if k % 4 == 2 else 0.901
        room.prop(
            f"thing_{k}",
            shape,
            shades[k % len(shades)],
            (-1.5 + 0.13 * k + (0.9 if k > 13 else 0), 1.78 + 0.06 * (k % 2), z),
        )
    room.controls = ["ceiling_light", "burner"]
    room.lamps = [
        Lamp("ceiling", (0.0, 0.2, 2.4), 0.12, (9.0, 8.6, 7.8), "ceiling_light"),
        Lamp("window", (-2.2, -1.4, 1.9), 0.3, (4.0, 4.6, 5.4)),
    ]
    return room


def orbit(
    frames: int, eye=(1.9, -1.0, 1.55), target=(0.1, 0.6, 0.9), sweep=0.45, width=384, height=288, fov=1.05
) -> CameraPath:
    """A part of a circle about the target."""
    eye, target = np.array(eye, float), np.array(target, float)
    arm = eye - target
    poses = []
    for a in np.linspace(0, sweep, frames):
        c, s = np.cos(-a), np.sin(-a)
        turned = np.array([c * arm[0] - s * arm[1], s * arm[0] + c * arm[1], arm[2]])
        poses.append(look_at(target + turned, target))
    return CameraPath(width, height, intrinsics(width, height, fov), np.array(poses), 8.0)
