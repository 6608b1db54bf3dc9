"""Cut, padded, lying and exploding files: each is refused with its place named, and little memory is taken."""

from __future__ import annotations

import json
import os
import resource
import tracemalloc

import numpy as np
import pytest
from hostile.gaussians import CAMERAS, FILES, GAUSSIANS, GOOD, HEAD_END, NO_CAMERAS, NPZ, POSES, npz
from hypothesis import given, settings
from hypothesis import strategies as st
from splat_files import ply, some, trained, write

from synth4d.errors import SceneError
from synth4d.splats import read, read_cameras, read_motion, tracks, write_ply, write_spz


@pytest.mark.parametrize("name", FILES)
def test_refused_with_its_place_named(tmp_path, name):
    data, said = FILES[name]
    path = write(tmp_path / "x", data)
    del data
    tracemalloc.start()
    try:
        with pytest.raises(SceneError, match=said) as refusal:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("name", ["zeros", "ply"])
def test_a_gigabyte_of_zeros_takes_no_gigabyte(tmp_path, name):
    rows, head = 4_000_000, GAUSSIANS[:HEAD_END].replace(b"vertex 100", b"vertex 4000000")
    with open(tmp_path / "x", "wb") as file:  # sparse, so it takes no room on the disk either
        file.write(head if name == "ply" else b"")
        file.truncate(len(head) + rows * (len(GAUSSIANS) - HEAD_END) // 100 if name == "ply" else 1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SceneError, match=r"(scale_0|rot_0..3) of Gaussian 0"):
        read(tmp_path / "x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_what_is_no_file(tmp_path):
    with pytest.raises(SceneError, match="No such file"):
        read(tmp_path / "nothing")
    with pytest.raises(SceneError, match="a folder"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SceneError, match="no file"):
        read(tmp_path / "pipe")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_read_or_refused(tmp_path_factory, data):
    """Bytes changed, cut or doubled anywhere: a Splats of finite numbers, or one line."""
    folder = tmp_path_factory.mktemp("damage")
    made = some(20, 3)
    kind = data.draw(st.sampled_from(["ply", "spz", "ascii"]))
    if kind == "spz":
        write_spz(made, folder / "x")
    else:
        write(folder / "x", ply(trained(made), "a" if kind == "ascii" else "<"))
    raw = bytearray((folder / "x").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        what = data.draw(st.sampled_from(["change", "cut", "double"]))
        if what == "change":
            raw[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del raw[at : at + data.draw(st.integers(1, 40))]
        else:
            raw[at:at] = raw[at : at + 40]
    try:
        found = read(write(folder / "x", bytes(raw)))
    except SceneError as error:
        assert "\n" not in str(error)
    else:
        for part in ("means", "quats_wxyz", "scales", "opacities", "colours"):
            assert np.isfinite(getattr(found.gaussians, part)).all()


# ---- npz -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NPZ)
def test_an_npz_is_only_numbers(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    data, said = NPZ[name]
    path = write(tmp_path / "tracks.npz", data)
    with pytest.raises(SceneError, match=said):
        tracks.load(path)
    assert not (tmp_path / "touched").exists()


def test_a_good_npz(tmp_path):
    found = tracks.load(write(tmp_path / "tracks.npz", npz(**GOOD)))
    np.testing.assert_array_equal(found.poses, POSES)


# ---- Motion --------------------------------------------------------------------------------------


def dynamic(**changed: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {"means3D": rng.normal(size=(3, 8, 3)), "unnorm_rotations": rng.normal(size=(3, 8, 4))}
    arrays |= {"rgb_colors": rng.uniform(size=(3, 8, 3)), "seg_colors": np.eye(3)[rng.integers(0, 3, 8)]}
    arrays |= {"logit_opacities": rng.normal(size=(8, 1)), "log_scales": rng.normal(size=(8, 3)) - 4}
    return arrays | changed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"means3D": np.zeros((8, 3))}, r"means3D is \(8, 3\)"),
        ({"unnorm_rotations": np.zeros((3, 7, 4))}, r"unnorm_rotations is \(3, 7, 4\)"),
        ({"rgb_colors": np.zeros((8, 4))}, "rgb_colors"),
        ({"logit_opacities": np.zeros(7)}, "logit_opacities"),
        ({"log_scales": np.full((8, 3), 99.0)}, "frame 0: scale_0 of Gaussian 0"),
        ({"seg_colors": np.zeros((7, 3))}, "seg_colors"),
        ({"object_id": np.zeros(7)}, "object_id"),
        ({"means3D": np.where(np.arange(72).reshape(3, 8, 3) == 50, np.nan, 1.0)}, "frame 2: z of Gaussian 0 is nan"),
        ({"unnorm_rotations": np.zeros((3, 8, 4))}, "frame 0: .* of rot_0"),
    ],
)
def test_damaged_motion(tmp_path, changed, said):
    np.savez(tmp_path / "params.npz", **dynamic(**changed))
    with pytest.raises(SceneError, match=said):
        read_motion(tmp_path / "params.npz", 30)


def test_frames_that_do_not_correspond(tmp_path):
    with pytest.raises(SceneError, match="0 PLY files"):
        read_motion(tmp_path, 30)
    write_ply(some(10), tmp_path / "frame_2.ply")
    with pytest.raises(SceneError, match="frames a second"):
        read_motion(tmp_path, 0)
    write_ply(some(11), tmp_path / "frame_10.ply")
    with pytest.raises(SceneError, match=r"frame_10.ply has 11 Gaussians, frame_2.ply has 10"):
        read_motion(tmp_path, 30)
    write_ply(some(10), tmp_path / "other_0010.ply")
    with pytest.raises(SceneError, match="both frame 0010"):
        read_motion(tmp_path, 30)
    write_ply(some(10), tmp_path / "last.ply")
    with pytest.raises(SceneError, match="no number"):
        read_motion(tmp_path, 30)


# ---- Cameras -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAMERAS)
def test_damaged_cameras(tmp_path, name):
    record, said = CAMERAS[name]
    path = write(tmp_path / "transforms.json", json.dumps(record).encode())
    with pytest.raises(SceneError, match=said) as refusal:
        read_cameras(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("data", NO_CAMERAS)
def test_no_cameras(tmp_path, data):
    with pytest.raises(SceneError, match=r"transforms\.json"):
        read_cameras(write(tmp_path / "transforms.json", data))


def test_images_are_not_looked_for_elsewhere(tmp_path):
    inner = tmp_path / "set"
    inner.mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    record = {"fl_x": 5.0, "frames": [{"file_path": "../secret.png", "transform_matrix": np.eye(4).tolist()}]}
    path = write(inner / "transforms.json", json.dumps(record).encode())
    with pytest.raises(SceneError, match="out of its folder"):
        read_cameras(path)
