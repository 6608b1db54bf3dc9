"""Moving Gaussians about: colours and shapes come along, rigid motion is found again, cameras see the same pixels."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splat_files import ply, some, trained, write

from synth4d.errors import SceneError
from synth4d.geometry import apply_pose, project, quat_mul, rotmat
from synth4d.splats import Tracks, harmonics, read, read_cameras, read_motion, tracks, transform, write_ply
from synth4d.splats.rigid import nearest_rotation

seeds = st.integers(0, 1 << 30)


def turn(rng: np.random.Generator, angle: float | None = None) -> np.ndarray:
    q = rng.normal(size=4)
    if angle is not None:
        axis = q[1:] / np.linalg.norm(q[1:])
        q = np.concatenate([[math.cos(angle / 2)], math.sin(angle / 2) * axis])
    return q / np.linalg.norm(q)


def directions(rng: np.random.Generator, n: int) -> np.ndarray:
    d = rng.normal(size=(n, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def published(d: np.ndarray) -> np.ndarray:
    """The 15 functions with the constants and signs of the 3DGS rasteriser, rounded as it has them."""
    x, y, z = d.T
    one = [-0.4886025 * y, 0.4886025 * z, -0.4886025 * x]
    two = [1.0925484 * x * y, -1.0925484 * y * z, 0.3153916 * (2 * z * z - x * x - y * y), -1.0925484 * x * z]
    two += [0.5462742 * (x * x - y * y)]
    three = [-0.5900436 * y * (3 * x * x - y * y), 2.8906114 * x * y * z, -0.4570458 * y * (4 * z * z - x * x - y * y)]
    three += [0.3731763 * z * (2 * z * z - 3 * x * x - 3 * y * y), -0.4570458 * x * (4 * z * z - x * x - y * y)]
    three += [1.4453057 * z * (x * x - y * y), -0.5900436 * x * (x * x - 3 * y * y)]
    return np.stack(one + two + three, -1)


def covariances(g) -> np.ndarray:
    R = rotmat(g.quats_wxyz)
    return np.einsum("nij,nj,nkj->nik", R, g.scales.astype(float) ** 2, R)


# ---- Transforms ----------------------------------------------------------------------------------


def test_the_basis_is_the_one_that_3dgs_trains():
    d = directions(np.random.default_rng(0), 500)
    np.testing.assert_allclose(harmonics.basis(d, 3), published(d), atol=1e-6)
    for degree, k in ((1, 3), (2, 8)):
        np.testing.assert_array_equal(harmonics.basis(d, degree), harmonics.basis(d, 3)[:, :k])


@settings(max_examples=30, deadline=None)
@given(seed=seeds, k=st.sampled_from([3, 8, 15]), mirror=st.booleans(), scale=st.floats(0.01, 100))
def test_a_moved_splat_looks_the_same_from_the_moved_eye(seed, k, mirror, scale):
    rng = np.random.default_rng(seed)
    made, T = some(40, k, seed), np.eye(4)
    T[:3, :3] = rotmat(turn(rng)) * (-1 if mirror else 1)
    T[:3, 3] = rng.normal(0, 5, 3)
    g, moved = made.gaussians, transform(made.gaussians, T, scale)
    R, d = T[:3, :3], directions(rng, 60)
    seen = np.einsum("dk,nkc->ndc", published(d)[:, :k], g.sh)
    np.testing.assert_allclose(np.einsum("dk,nkc->ndc", published(d @ R.T)[:, :k], moved.sh), seen, atol=1e-5)
    np.testing.assert_allclose(moved.means, scale * g.means @ R.T + T[:3, 3], rtol=1e-5, atol=1e-5 * scale + 1e-5)
    expected = scale**2 * R @ covariances(g) @ R.T
    np.testing.assert_allclose(covariances(moved), expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(moved.colours, g.colours)


def test_a_rotation_written_with_four_digits_is_one():
    T, made = np.eye(4), some(50)
    T[:3, :3] = np.round(rotmat(turn(np.random.default_rng(9))), 4)
    moved = transform(made.gaussians, T)
    distances = [np.linalg.norm(g.means[:, None] - g.means[None], axis=2) for g in (made.gaussians, moved)]
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-5)


def test_there_and_back():
    made, T = some(100), np.eye(4)
    T[:3, :3], T[:3, 3] = rotmat(turn(np.random.default_rng(3))), (1, -2, 3)
    back = transform(transform(made.gaussians, T, 0.3048), np.linalg.inv(T))
    np.testing.assert_allclose(back.means, 0.3048 * made.gaussians.means, atol=1e-5)
    np.testing.assert_allclose(back.sh, made.gaussians.sh, atol=1e-6)


@pytest.mark.parametrize(
    ("T", "scale", "said"),
    [
        (np.diag([2.0, 2, 2, 1]), 1, "must be rigid"),
        (np.zeros((4, 4)) + np.diag([0, 0, 0, 1.0]), 1, "must be rigid"),
        (np.eye(3), 1, "4×4"),
        (np.full((4, 4), np.nan), 1, "4×4"),
        (np.eye(4) + np.eye(4, k=-3), 1, "last row"),
        (np.eye(4), 0, "positive"),
        (np.eye(4), -1, "positive"),
        (np.eye(4), math.nan, "positive"),
    ],
)
def test_no_transform(T, scale, said):
    with pytest.raises(SceneError, match=said):
        transform(some(2).gaussians, T, scale)


@given(seeds)
def test_the_nearest_rotation_is_the_one_of_an_svd(seed):
    C = np.random.default_rng(seed).normal(size=(3, 3))
    U, _, Vt = np.linalg.svd(C)
    best = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    assert np.sum(rotmat(nearest_rotation(C)) * C) == pytest.approx(np.sum(best * C), abs=1e-9)


# ---- Tracks --------------------------------------------------------------------------------------


def moving(rng: np.random.Generator, frames: int = 6, objects: int = 3, each: int = 30, noise: float = 0.0):
    """(means (T,N,3), object_id, tracks): object 0 stands still, the others move rigidly."""
    owner = rng.permutation(np.repeat(np.arange(objects + 1), each))
    start = rng.normal(0, 2, (len(owner), 3))
    poses = np.empty((objects, frames, 7))
    means = np.repeat(start[None], frames, 0)
    for k in range(objects):
        for t in range(frames):
            q = turn(rng, 0.4 * t)
            poses[k, t] = np.concatenate([rng.normal(size=3) * (t > 0), q])
            means[t, owner == k + 1] = apply_pose(poses[k, t], start[owner == k + 1])
    return means + noise * rng.normal(size=means.shape), owner, Tracks(np.arange(1, objects + 1), np.arange(6.0), poses)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_rigid_motion_is_found_again(seed):
    means, owner, truth = moving(np.random.default_rng(seed))
    found, residual = tracks.fit(means, owner, truth.times_s)
    np.testing.assert_array_equal(found.object_id, [1, 2, 3])
    np.testing.assert_allclose(found.poses[..., :3], truth.poses[..., :3], atol=1e-5)
    np.testing.assert_allclose(np.abs((found.poses[..., 3:] * truth.poses[..., 3:]).sum(-1)), 1, atol=1e-9)
    assert residual.max() < 1e-5
    np.testing.assert_allclose(found.poses[:, 0], np.tile([0, 0, 0, 1, 0, 0, 0], (3, 1)), atol=1e-12)
    assert ((found.poses[:, 1:, 3:] * found.poses[:, :-1, 3:]).sum(-1) >= 0).all()


def test_the_residual_says_what_is_not_rigid():
    rng = np.random.default_rng(5)
    means, owner, truth = moving(rng, each=2000, noise=0.01)
    _, residual = tracks.fit(means, owner, truth.times_s)
    # Noise of 1 cm an axis in both frames: √(2·3) cm between them, less the six parameters of a pose.
    np.testing.assert_allclose(residual[:, 1:], 0.01 * math.sqrt(6), rtol=0.05)
    means[3, owner == 2] *= 1.5
    _, residual = tracks.fit(means, owner, truth.times_s)
    assert residual[1, 3] > 0.3 > 10 * residual[0, 3]


@settings(max_examples=20, deadline=None)
@given(seeds, st.booleans())
def test_tracks_move_along_with_their_gaussians(seed, mirror):
    rng = np.random.default_rng(seed)
    means, _, truth = moving(rng)
    T, scale = np.eye(4), 0.3048
    T[:3, :3], T[:3, 3] = rotmat(turn(rng)) * (-1 if mirror else 1), rng.normal(0, 5, 3)
    moved = tracks.transform(truth, T, scale)
    for k, t in np.ndindex(truth.poses.shape[:2]):
        there = scale * apply_pose(truth.poses[k, t], means[0]) @ T[:3, :3].T + T[:3, 3]
        np.testing.assert_allclose(apply_pose(moved.poses[k, t], scale * means[0] @ T[:3, :3].T + T[:3, 3]), there)


def test_a_turn_that_cannot_be_seen_is_left_out():
    """One Gaussian only translates; a row of them swings from x to y and does not spin about itself."""
    row = np.linspace(0, 1, 5)[:, None]
    means = np.array([[[7, 7, 7], *row * [1, 0, 0]], [[7, 8, 7], *row * [0, 1, 0] + [0, 0, 1]]])
    found, residual = tracks.fit(means, [1, 2, 2, 2, 2, 2], [0, 1])
    np.testing.assert_allclose(found.poses[0, 1], [0, 1, 0, 1, 0, 0, 0])
    np.testing.assert_allclose(found.poses[1, 1], [0, 0, 1, np.sqrt(0.5), 0, 0, np.sqrt(0.5)], atol=1e-6)
    assert residual.max() < 1e-6


def test_tracks_are_kept(tmp_path):
    means, owner, truth = moving(np.random.default_rng(1))
    found, _ = tracks.fit(means, owner, truth.times_s)
    tracks.save(found, tmp_path / "tracks.npz")
    again = tracks.load(tmp_path / "tracks.npz")
    for name in ("object_id", "times_s", "poses"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    with pytest.raises(SceneError, match="3 object ids"):
        tracks.fit(means, [1, 2, 3], truth.times_s)


# ---- Motion --------------------------------------------------------------------------------------


def test_a_folder_of_frames_is_ordered_by_number(tmp_path):
    made = some(30)
    q = turn(np.random.default_rng(2), 0.3)
    for number in (9, 10, 2):
        T = np.eye(4)
        T[:3, :3], T[0, 3] = rotmat(q), number
        write_ply(replace(made, gaussians=transform(made.gaussians, T)), tmp_path / f"v2_frame{number}.ply")
    (tmp_path / "notes.txt").write_text("not a frame")
    found = read_motion(tmp_path, fps=25)
    np.testing.assert_allclose(found.means[:, :, 0] - found.means[0, :, 0], np.tile([[0], [7], [8]], 30), atol=1e-5)
    turned = quat_mul(q, made.gaussians.quats_wxyz)
    np.testing.assert_allclose(np.abs((found.quats_wxyz[1] * turned).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(found.times_s, [0, 0.04, 0.08])
    fitted, residual = tracks.fit(found.means, found.splats.object_id, found.times_s)
    np.testing.assert_allclose(fitted.poses[:, 2], np.tile([8, 0, 0, 1, 0, 0, 0], (4, 1)), atol=1e-5)
    assert residual.max() < 1e-5


@pytest.mark.parametrize("per_frame_colours", [True, False])
def test_dynamic_gaussians(tmp_path, per_frame_colours):
    rng = np.random.default_rng(4)
    means, owner, truth = moving(rng, objects=1)
    n = len(owner)
    quats, logits, scales = rng.normal(size=(6, n, 4)), rng.normal(size=(n, 1)), rng.normal(-4, 1, (n, 3))
    rgb = rng.uniform(size=(6, n, 3) if per_frame_colours else (n, 3))
    seg = np.where(owner[:, None] == 1, [1.0, 0, 0], [0, 0, 1.0])
    arrays = {"means3D": means, "unnorm_rotations": quats, "rgb_colors": rgb, "seg_colors": seg}
    arrays |= {"logit_opacities": logits, "log_scales": scales, "cam_m": np.zeros((4, 3)), "cam_c": np.zeros((4, 3))}
    np.savez(tmp_path / "params.npz", **{name: a.astype(np.float32) for name, a in arrays.items()})
    found = read_motion(tmp_path / "params.npz", fps=30)
    g = found.splats.gaussians
    np.testing.assert_allclose(found.means, means, atol=1e-6)
    np.testing.assert_allclose(found.quats_wxyz, quats / np.linalg.norm(quats, axis=2, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(g.colours, rgb[0] if per_frame_colours else rgb, atol=1e-6)
    np.testing.assert_allclose(g.opacities, 1 / (1 + np.exp(-logits[:, 0])), atol=1e-6)
    np.testing.assert_allclose(g.scales, np.exp(scales), rtol=1e-5)
    np.testing.assert_array_equal(found.splats.object_id, owner == 1)
    fitted, _ = tracks.fit(found.means, found.splats.object_id, found.times_s)
    np.testing.assert_allclose(fitted.poses[..., :3], truth.poses[..., :3], atol=1e-4)


# ---- Cameras -------------------------------------------------------------------------------------


def opengl(rng: np.random.Generator) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotmat(turn(rng)), rng.normal(size=3)
    return T


def test_nerfstudio_cameras(tmp_path):
    """A point in front (-z), right (+x) and above (+y) of an OpenGL camera is seen right of and above the centre."""
    rng = np.random.default_rng(6)
    poses = [opengl(rng) for _ in range(3)]
    frames = [{"file_path": f"images/{i}.png", "transform_matrix": T.tolist()} for i, T in enumerate(poses)]
    frames[2] |= {"fl_x": 70.0, "fl_y": 71.0, "cx": 30.0, "cy": 20.0, "w": 60, "h": 50}
    record = {"w": 640, "h": 480, "fl_x": 500.0, "fl_y": 510.0, "cx": 320.5, "cy": 239.0, "k1": 0.0, "frames": frames}
    record |= {"train_filenames": ["images/0.png"], "test_filenames": ["images/2.png"], "camera_model": "OPENCV"}
    record |= {"applied_transform": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 3]], "applied_scale": 0.5}
    found = read_cameras(write(tmp_path / "transforms.json", json.dumps(record).encode()))
    local = np.array([0.2, 0.1, -2.0])
    for i, T in enumerate(poses):
        pixel, depth = project(found.K[i], found.T_world_cam[i], T[:3, :3] @ local + T[:3, 3])
        fx, fy, cx, cy = (70, 71, 30, 20) if i == 2 else (500, 510, 320.5, 239)
        np.testing.assert_allclose(pixel, [cx + fx * 0.1, cy - fy * 0.05])
        assert depth == pytest.approx(2.0)
    assert found.sizes.tolist() == [[640, 480], [640, 480], [60, 50]]
    assert found.splits == ("train", "", "test") and found.files[1] == "images/1.png"
    assert found.times is None and found.remarks == ()
    np.testing.assert_allclose(found.applied[:3], [[0, 0.5, 0, 0], [0.5, 0, 0, 0], [0, 0, -0.5, 1.5]])
    assert read_cameras(tmp_path).files == found.files


def test_dnerf_cameras(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(7)
    for split, count in (("train", 3), ("val", 1), ("test", 2)):
        (tmp_path / split).mkdir()
        frames = []
        for i in range(count):
            Image.new("RGB", (80, 60)).save(tmp_path / split / f"r_{i:03d}.png")
            frames.append(
                {"file_path": f"./{split}/r_{i:03d}", "time": i / 3, "transform_matrix": opengl(rng).tolist()}
            )
        record = {"camera_angle_x": 0.69, "frames": frames}
        write(tmp_path / f"transforms_{split}.json", json.dumps(record).encode())
    found = read_cameras(tmp_path)
    f = 40 / math.tan(0.345)
    np.testing.assert_allclose(found.K, np.tile([[f, 0, 40], [0, f, 30], [0, 0, 1]], (6, 1, 1)))
    assert found.splits == ("train",) * 3 + ("val",) + ("test",) * 2
    np.testing.assert_allclose(found.times, [0, 1 / 3, 2 / 3, 0, 0, 1 / 3])
    assert (found.sizes == [80, 60]).all()


def test_distortion_is_ignored_only_when_told(tmp_path):
    frames = [{"file_path": "a", "transform_matrix": np.eye(4).tolist()}]
    record = {"w": 64, "h": 48, "fl_x": 50.0, "k1": 0.1, "p2": 0.01, "frames": frames}
    path = write(tmp_path / "transforms.json", json.dumps(record).encode())
    with pytest.raises(SceneError, match="undistort"):
        read_cameras(path)
    assert read_cameras(path, distorted="ignore").remarks == ("distortion k1, p2 was ignored",)


def test_reading_makes_the_same_bytes_twice(tmp_path):
    path = write(tmp_path / "x", ply(trained(some(5000))))
    a, b = read(path).gaussians, read(path).gaussians
    T = np.eye(4)
    T[:3, :3] = rotmat(turn(np.random.default_rng(8)))
    a, b = transform(a, T), transform(b, T)
    assert a.means.tobytes() + a.sh.tobytes() == b.means.tobytes() + b.sh.tobytes()
