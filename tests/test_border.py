"""Borders between things are where the nearest front that each pixel's ray crosses says, whatever splats showed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from render_world import Room, box, lathe, sphere
from scipy import ndimage
from test_rays import crossings

from synth4d.geometry import apply_pose, intrinsics, look_at, quat_from_axis_angle
from synth4d.render.border import Borders
from synth4d.types import CameraPath, Gaussians, Material, Timeline, World

RED, CLEAR = Material((0.8, 0.1, 0.1)), Material((0.8, 0.9, 0.9), opacity=0.3)
LID = lathe([(0.09, 0.0), (0.08, 0.14)], 12)
"""An open tube: through its near rim one sees past its back faces."""


def scene(ball: Material = RED) -> tuple[World, Timeline, CameraPath]:
    """A ball rolls before a box and an open tube; the wall behind it all has no id."""
    room = Room()
    room.add("wall", "structure", [(box((3, 0.02, 2)), RED, False)], (0, 0.8, 0), tagged=False)
    room.add("box", "fixture", [(box((0.3, 0.2, 0.16)), RED, False)], (-0.1, 0.1, -0.05))
    room.add("tube", "prop", [(LID, RED, False)], (0.14, 0, -0.1))
    moved = room.add("ball", "prop", [(sphere(0.07), ball, True)], (0, -0.1, 0.02))
    timeline = room.timeline(2)
    timeline.poses[1, moved, :3] += (0.09, 0.02, 0.03)
    timeline.poses[1, moved, 3:] = quat_from_axis_angle([0, 0, 1], np.array(0.7))
    eyes = np.stack([look_at((x, -0.8, 0.35), (0, 0, 0)) for x in (0.0, 0.1)])
    return room.world(), timeline, CameraPath(72, 54, intrinsics(72, 54, 0.7), eyes, 8.0)


def truth(world: World, timeline: Timeline, camera: CameraPath, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """(H,W) depth and ids of the nearest opaque fronts, by the triangles' own equations."""
    parts = [
        (apply_pose(timeline.poses[frame, i], s.vertices)[s.faces], np.full(len(s.faces), b.id))
        for i, b in enumerate(world.bodies)
        for s in b.surfaces
        if s.material.opacity >= 0.5
    ]
    triangles, owner = (np.concatenate(column) for column in zip(*parts, strict=True))
    K, T = camera.K, camera.T_world_cam[frame]
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    ways = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)
    ways = ways.reshape(-1, 3) @ T[:3, :3].T
    at = crossings(triangles, np.tile(T[:3, 3], (len(ways), 1)), ways)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    at[ways @ normals.T >= 0] = np.inf
    near, hit = at.min(1), owner[at.argmin(1)]
    there = np.isfinite(near)
    depth, ids = np.where(there, near, 0).astype(np.float32), np.where(there, hit, 0).astype(np.uint16)
    return depth.reshape(x.shape), ids.reshape(x.shape)


def settled(
    scene: tuple[World, Timeline, CameraPath], frame: int, depth: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    depth, ids = depth.copy(), ids.copy()
    Borders(*scene, range(len(scene[0].bodies))).settle(frame, depth, ids)
    return depth, ids


@pytest.mark.parametrize("frame", [0, 1])
@pytest.mark.parametrize("fat", [3, 5])
def test_fat_borders_become_exact_and_the_rest_stays(frame: int, fat: int) -> None:
    case = scene()
    depth, ids = truth(*case, frame)
    assert len(np.unique(ids)) == 4
    blurred, wrong = np.full_like(depth, 9), ndimage.grey_dilation(ids, (fat, fat))
    assert (wrong != ids).mean() > 0.03
    got_depth, got = settled(case, frame, blurred, wrong)
    assert (got != ids).sum() <= 2  # rays through an edge may go either way
    asked = got_depth != 9
    border = ndimage.maximum_filter(wrong, 3) != ndimage.minimum_filter(wrong, 3)
    assert asked[wrong != ids].all() and not asked[~ndimage.binary_dilation(border, iterations=fat)].any()
    assert np.quantile(np.abs(got_depth - depth)[asked], 0.99) < 1e-4


def test_what_no_mesh_knows_keeps_the_splats_decision() -> None:
    world, timeline, camera = scene(CLEAR)
    depth, ids = truth(world, timeline, camera, 0)
    glass = next(b.id for b in world.bodies if b.name == "ball")
    shown = ids.copy()
    shown[20:30, 30:40] = glass  # as where two layers of it are seen through one another
    got_depth, got = settled((world, timeline, camera), 0, depth, shown)
    assert (got[20:30, 30:40] == glass).all() and (got != shown).sum() <= 2
    body = world.bodies[1]
    points = np.zeros((1, 3), np.float32)
    splats = Gaussians(points, np.ones((1, 4), np.float32), points, points[:, 0], points, np.ones(1, np.uint16))
    captured = replace(world, bodies=(*world.bodies[:1], replace(body, captured=splats), *world.bodies[2:]))
    fat = ndimage.grey_dilation(ids, (3, 3))
    got_depth, got = settled((captured, timeline, camera), 0, depth, fat)
    assert np.array_equal(got, fat) and np.array_equal(got_depth, depth)
