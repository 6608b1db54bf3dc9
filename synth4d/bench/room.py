"""The benchmark room: N Gaussians on the walls of a 5 × 4 × 2.7 m room and on twelve boxes, and an orbit."""

from __future__ import annotations

import numpy as np

from synth4d.geometry import intrinsics, look_at
from synth4d.types import F64, Gaussians

Faces = list[tuple[F64, F64, F64, int, int, F64]]
"""Origin, both sides, axis of the normal, id, colour."""


def _box(centre: F64, size: F64, id: int, colour: F64) -> Faces:
    faces: Faces = []
    for axis in range(3):
        across = [(axis + 1) % 3, (axis + 2) % 3]
        sides = np.zeros((2, 3))
        sides[0, across[0]], sides[1, across[1]] = size[across[0]], size[across[1]]
        for sign in (-1, 1):
            origin = centre - sides.sum(0) / 2
            origin[axis] += sign * size[axis] / 2
            faces.append((origin, sides[0], sides[1], axis, id, colour))
    return faces


def _furniture(rng: np.random.Generator) -> Faces:
    faces: Faces = []
    for id in range(1, 13):
        size, turn, radius = rng.uniform(0.2, 0.8, 3), rng.uniform(0, 2 * np.pi), rng.uniform(0, 1.2)
        centre = np.array([radius * np.cos(turn), radius * np.sin(turn), size[2] / 2])
        faces += _box(centre, size, id, rng.uniform(0.1, 0.95, 3))
    return faces


def room(count: int, rng: np.random.Generator) -> Gaussians:
    """`count` flat Gaussians (1–3 cm in the surface, 3–10 mm across it), three times denser on the boxes."""
    walls = _box(np.array([0, 0, 1.35]), np.array([5, 4, 2.7]), 0, np.array([0.8, 0.78, 0.74]))
    faces = walls + _furniture(np.random.Generator(np.random.Philox(7)))
    area = np.array([np.linalg.norm(u) * np.linalg.norm(v) for _, u, v, *_ in faces])
    area[len(walls) :] *= 3
    face = rng.choice(len(faces), count, p=area / area.sum())
    origin, u, v, colour = (np.array([f[k] for f in faces])[face] for k in (0, 1, 2, 5))
    axis, id = (np.array([f[k] for f in faces])[face] for k in (3, 4))
    at = rng.random((2, count, 1))
    means = origin + at[0] * u + at[1] * v
    scales = np.exp(rng.uniform(np.log(0.01), np.log(0.03), (count, 3)))
    scales[np.arange(count), axis] = np.exp(rng.uniform(np.log(0.003), np.log(0.01), count))
    turn = rng.uniform(0, np.pi, count) / 2
    quats = np.zeros((count, 4))
    quats[:, 0], quats[np.arange(count), 1 + axis] = np.cos(turn), np.sin(turn)
    pattern = 0.15 * np.sin((means * [14.0, 22.0, 10.0]).sum(1))[:, None]
    colours = np.clip(colour + pattern + rng.normal(0, 0.05, (count, 3)), 0, 1)
    return Gaussians(
        means=means.astype(np.float32),
        quats_wxyz=quats.astype(np.float32),
        scales=scales.astype(np.float32),
        opacities=rng.uniform(0.8, 0.99, count).astype(np.float32),
        colours=colours.astype(np.float32),
        ids=id.astype(np.uint16),
    )


def orbit(width: int, height: int, views: int = 8) -> tuple[F64, list[F64]]:
    """K of a 60° camera and its T_world_cam along an orbit inside the room."""
    turns = 2 * np.pi * np.arange(views) / views
    eyes = [np.array([1.9 * np.cos(t), 1.6 * np.sin(t), 1.7]) for t in turns]
    return intrinsics(width, height, np.radians(60)), [look_at(eye, [0, 0, 0.6]) for eye in eyes]
