"""A clip through its members and back, and what must not change the bytes."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from synth4d import codec, npz
from synth4d.errors import RenderError, ShardError

CLIP = clips.clip(frames=5, width=64, height=48)
MEMBERS = codec.encode(CLIP)


def test_members_are_the_declared_ones() -> None:
    assert tuple(sorted(MEMBERS)) == codec.MEMBERS


def test_ids_and_camera_come_back_exactly_and_depth_to_the_millimetre() -> None:
    back = codec.decode(MEMBERS)
    assert np.array_equal(back.ids, CLIP.ids) and back.ids.dtype == np.uint16
    assert np.abs(back.depth_z_m - CLIP.depth_z_m).max() <= 0.0005 + 1e-6
    assert np.array_equal(back.depth_z_m == 0, CLIP.depth_z_m == 0)
    assert np.array_equal(back.camera.K, CLIP.camera.K)
    assert np.array_equal(back.camera.T_world_cam, CLIP.camera.T_world_cam)
    assert (back.camera.width, back.camera.height, back.camera.fps) == (64, 48, 8.0)
    assert back.rgb.shape == CLIP.rgb.shape
    error = np.mean((back.rgb.astype(float) - CLIP.rgb) ** 2)
    assert 10 * np.log10(255**2 / error) > 35


def test_kept_is_what_is_decoded() -> None:
    clip = clips.clip()
    clip = replace(clip, depth_z_m=clip.depth_z_m + np.float32(4e-4))
    members, one = codec.keep(clip)
    other = codec.decode(members)
    assert one.camera.fps == other.camera.fps and (one.camera.T_world_cam == other.camera.T_world_cam).all()
    for name in ("rgb", "depth_z_m", "ids"):
        assert getattr(one, name).dtype == getattr(other, name).dtype
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@settings(deadline=None)
@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)))
def test_arrays_survive_and_every_numpy_reads_them(array: np.ndarray) -> None:
    data = npz.pack("ids", array)
    assert np.array_equal(codec.decode_ids(data), array)
    with np.load(io.BytesIO(data), allow_pickle=False) as opened:
        assert opened["ids"].dtype == np.uint16 and np.array_equal(opened["ids"], array)


@settings(deadline=None)
@given(st.integers(0, 65500))
def test_every_millimetre_survives(mm: int) -> None:
    metres = codec.decode_depth(npz.pack("depth_z_mm", np.full((1, 1, 1), mm, np.uint16)))
    assert codec.quantise_depth(metres)[0, 0, 0] == mm


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.001, 65.51, 1e9])
def test_depth_that_uint16_cannot_hold_is_refused(bad: float) -> None:
    depth = CLIP.depth_z_m.copy()
    depth[2, 5, 7] = bad
    with pytest.raises(RenderError, match="frame 2"):
        codec.encode(replace(CLIP, depth_z_m=depth))


def test_colour_is_that_of_bt601() -> None:
    """Against the standard's real-valued formula, and through the whole video on flat pictures."""
    rgb = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    planes = codec.yuv420(rgb)
    r, g, b = rgb.astype(float).transpose(2, 0, 1)
    luma = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    assert np.abs(planes[:8] - luma).max() < 1.5
    r, g, b = (p.reshape(4, 2, 4, 2).mean((1, 3)) for p in (r, g, b))
    u, v = planes[8:].reshape(2, 4, 4)
    assert np.abs(u - (128 + (-37.797 * r - 74.203 * g + 112 * b) / 255)).max() < 1.5
    assert np.abs(v - (128 + (112 * r - 93.786 * g - 18.214 * b) / 255)).max() < 1.5
    flat = np.array([[220, 30, 20], [20, 200, 60], [30, 60, 210], [128, 128, 128]], np.uint8)
    film = np.broadcast_to(flat[:, None, None], (4, 32, 32, 3))
    assert np.abs(codec.decode_video(codec._mp4(film, 8.0)).astype(int) - film).max() <= 4


def test_video_reads_frame_by_frame_with_the_right_times() -> None:
    import av

    with av.open(io.BytesIO(MEMBERS["mp4"])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.frames) == ("h264", 5)
        assert [f.time for f in container.decode(stream)] == [t / 8 for t in range(5)]


def test_poster_is_the_middle_frame() -> None:
    from PIL import Image

    poster = np.asarray(Image.open(io.BytesIO(MEMBERS["jpg"])), float)
    errors = [np.abs(poster - frame).mean() for frame in CLIP.rgb]
    assert np.argmin(errors) == 2


SCRIPT = """
import hashlib, sys
sys.path.insert(0, "tests")
import clips
from synth4d import codec
members = codec.encode(clips.clip(frames=5, width=64, height=48))
print(hashlib.sha256(b"".join(members[k] for k in sorted(members))).hexdigest())
"""


def _digest(members: dict[str, bytes]) -> str:
    return hashlib.sha256(b"".join(members[k] for k in sorted(members))).hexdigest()


@pytest.mark.parametrize(
    "env",
    [
        {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7"},
        {"LANG": "C", "OMP_NUM_THREADS": "1", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"},
    ],
)
def test_bytes_do_not_depend_on_the_process(env: dict[str, str]) -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == _digest(MEMBERS)


OLD_PROCESSOR = """
import ctypes, hashlib, re, sys
sys.path.insert(0, "tests")
import av
maps = open("/proc/self/maps").read()
ctypes.CDLL(re.search(r"\\S*libavutil\\S*", maps)[0]).av_force_cpu_flags(0)
from synth4d import codec
print(hashlib.sha256(codec.decode_video(sys.stdin.buffer.read())).hexdigest())
"""


def test_decoded_pixels_do_not_depend_on_the_processor() -> None:
    """Facts are read from decoded pixels; libav is told that it has no vector instructions."""
    command = [sys.executable, "-c", OLD_PROCESSOR]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, input=MEMBERS["mp4"], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == hashlib.sha256(codec.decode_video(MEMBERS["mp4"])).hexdigest()


@pytest.mark.parametrize("level", ["0", "sse2", "avx"])
def test_bytes_do_not_depend_on_the_processor(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "X264", codec.X264 + f":asm={level}")
    assert codec.encode(CLIP)["mp4"] == MEMBERS["mp4"]


@pytest.mark.parametrize(
    "change",
    [
        {"ids": CLIP.ids[1:]},
        {"rgb": CLIP.rgb[:, 1:]},
        {"rgb": CLIP.rgb.astype(np.float32)},
        {"ids": CLIP.ids.astype(np.int32)},
        {"camera": replace(CLIP.camera, width=63)},
        {"camera": replace(CLIP.camera, fps=float("nan"))},
        {"camera": replace(CLIP.camera, T_world_cam=CLIP.camera.T_world_cam[:2])},
    ],
)
def test_what_is_no_clip_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RenderError):
        codec.encode(replace(CLIP, **change))


def test_odd_sizes_are_refused_with_the_reason() -> None:
    odd = clips.clip(width=33)
    with pytest.raises(RenderError, match=r"33×24.*even"):
        codec.encode(odd)


@pytest.mark.parametrize("member", ["camera.json", "depth.npz", "ids.npz", "mp4"])
def test_damaged_and_missing_members_are_refused_in_one_line(member: str) -> None:
    whole = MEMBERS[member]
    for bad in (b"", whole[: len(whole) // 2], b"\0" * len(whole), MEMBERS["jpg"]):
        with pytest.raises(ShardError) as caught:
            codec.decode(MEMBERS | {member: bad})
        assert "\n" not in str(caught.value) and member.split(".")[0] in str(caught.value)
    with pytest.raises(ShardError, match=member):
        codec.decode({k: v for k, v in MEMBERS.items() if k != member})


def test_members_of_different_clips_are_refused() -> None:
    other = codec.encode(clips.clip(frames=4, width=64, height=48))
    with pytest.raises(ShardError, match="disagree"):
        codec.decode(MEMBERS | {"ids.npz": other["ids.npz"]})


def test_a_pickle_is_never_read() -> None:
    out = io.BytesIO()
    np.savez(out, ids=np.array([{"a": 1}], object))
    with pytest.raises(ShardError):
        codec.decode_ids(out.getvalue())
