"""Compressed PLY, SPZ and .splat: packed here value by value, by the formats' own descriptions, then read."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splat_files import C0, some, spz_head, write

from synth4d.errors import SceneError
from synth4d.splats import Splats, read, write_spz

AXES_EXTENSION = 0xADBE0003


def turn_between(a: np.ndarray, b: np.ndarray) -> float:
    """The largest angle between two lists of rotations, radians."""
    return float(2 * np.arccos(np.clip(np.abs((a.astype(float) * b).sum(1)), 0, 1)).max())


# ---- Compressed PLY ------------------------------------------------------------------------------


def compressed(made: Splats, chunk_colours: bool, harmonics: bool = True) -> bytes:
    g, n = made.gaussians, len(made.gaussians.means)
    logs, chunks, rows = np.log(g.scales), [], []
    for start in range(0, n, 256):
        part = slice(start, min(start + 256, n))
        bounds = [(a[part, i].min(), a[part, i].max()) for a in (g.means, logs) for i in range(3)]
        colours = [(g.colours[part, i].min(), g.colours[part, i].max()) for i in range(3)]
        chunks.append([v for pair in bounds + (colours if chunk_colours else []) for v in pair])
        colours = colours if chunk_colours else [(0.0, 1.0)] * 3
        for j in range(part.start, part.stop):
            position = pack([share(g.means[j, i], *bounds[i]) for i in range(3)], (11, 10, 11))
            size = pack([share(logs[j, i], *bounds[3 + i]) for i in range(3)], (11, 10, 11))
            rgba = pack([*(share(g.colours[j, i], *colours[i]) for i in range(3)), g.opacities[j]], (8, 8, 8, 8))
            q = g.quats_wxyz[j].astype(float)
            which = int(np.argmax(np.abs(q)))
            q = q * math.copysign(1, q[which])
            others = [v / math.sqrt(2) + 0.5 for i, v in enumerate(q) if i != which]
            rows.append((position, which << 30 | pack(others, (10, 10, 10)), size, rgba))
    names = [
        f"{end}_{p}{axis}" for p, axes in (("", "xyz"), ("scale_", "xyz")) for axis in axes for end in ("min", "max")
    ]
    names += [f"{end}_{axis}" for axis in "rgb" for end in ("min", "max")] if chunk_colours else []
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"element chunk {len(chunks)}",
        *(f"property float {n}" for n in names),
    ]
    lines += [f"element vertex {n}", *(f"property uint packed_{p}" for p in ("position", "rotation", "scale", "color"))]
    data = np.array(chunks, "<f4").tobytes() + b"".join(struct.pack("<4I", *row) for row in rows)
    if harmonics and g.sh is not None:
        rest = g.sh.transpose(0, 2, 1).reshape(n, -1)
        lines += [f"element sh {n}", *(f"property uchar f_rest_{i}" for i in range(rest.shape[1]))]
        data += np.clip(np.trunc((rest / 8 + 0.5) * 256), 0, 255).astype(np.uint8).tobytes()
    return "\n".join([*lines, "end_header", ""]).encode() + data


def share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0


def pack(shares: list[float], bits: tuple[int, ...]) -> int:
    out = 0
    for value, width in zip(shares, bits, strict=True):
        out = out << width | round(min(max(value, 0), 1) * ((1 << width) - 1))
    return out


@pytest.mark.parametrize("k", [0, 3, 8, 15])
@pytest.mark.parametrize("chunk_colours", [False, True])
def test_compressed_ply(tmp_path, k, chunk_colours):
    made = some(600, k)
    found = read(write(tmp_path / "any.name", compressed(made, chunk_colours)))
    a, b = found.gaussians, made.gaussians
    assert found.notes.format == "compressed PLY" and found.notes.sh_degree == made.notes.sh_degree
    np.testing.assert_allclose(a.means, b.means, atol=np.ptp(b.means) / 1023 / 2 + 1e-5)
    np.testing.assert_allclose(np.log(a.scales), np.log(b.scales), atol=6 / 1023 / 2 + 1e-4)
    np.testing.assert_allclose(a.colours, b.colours, atol=0.5 / 255 + 1e-5)
    np.testing.assert_allclose(a.opacities, b.opacities, atol=0.5 / 255 + 1e-5)
    assert turn_between(a.quats_wxyz, b.quats_wxyz) < 4 * math.sqrt(2) / 1023
    if k:
        np.testing.assert_allclose(a.sh, b.sh, atol=4 / 256 + 1e-5)


def test_compressed_comments_count(tmp_path):
    data = compressed(some(5, 0), False).replace(b"1.0\n", b"1.0\ncomment SplatRenderMode: mip\n", 1)
    assert read(write(tmp_path / "x", data)).gaussians.antialiased


def test_compressed_harmonics_reach_their_ends(tmp_path):
    """A byte stands for the middle of its 256th of ±4, but the first and the last for the ends."""
    made = some(256, 3)
    data = bytearray(compressed(made, False))
    data[-9 * 256 :] = bytes(range(256)) * 9
    values = np.sort(read(write(tmp_path / "x", bytes(data))).gaussians.sh.ravel())[::9]
    np.testing.assert_allclose(values, [-4, *((np.arange(1, 255) + 0.5) / 32 - 4), 4], atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"element chunk 3", b"element chunk 2", "need 3 chunks, it has 2"),
        (b"element chunk", b"element spare", "need 3 chunks, it has 0"),
        (b"float max_scale_y", b"float max_scale_w", "lack the property max_scale_y"),
        (b"uint packed_scale", b"uint packed_spare", "lack the property packed_scale"),
        (b"uint packed_color", b"int packed_color", "packed_color of vertex is of type int32"),
        (b"uchar f_rest_3", b"uchar f_rest_x", "lack the property f_rest_3"),
        (b"property uchar f_rest_8\n", b"", "8 f_rest properties"),
    ],
)
def test_compressed_ply_of_another_shape(tmp_path, old, new, said):
    data = compressed(some(600, 3), False)
    assert old in data
    changed = data.replace(old, new, 1)
    # What is cut from the rows keeps the file as long as its header says.
    cut = {b"element chunk 3": 48, b"property uchar f_rest_8\n": 600}.get(old, 0)
    with pytest.raises(SceneError, match=said):
        read(write(tmp_path / "x.ply", changed[: len(changed) - cut]))


def test_compressed_bounds_that_are_no_numbers(tmp_path):
    data = bytearray(compressed(some(600, 0), True))
    at = data.index(b"end_header\n") + 11 + 18 * 4  # min_x of the second chunk
    data[at : at + 4] = struct.pack("<f", math.nan)
    path = write(tmp_path / "x.ply", bytes(data))
    with pytest.raises(SceneError, match="x of Gaussian 256 is nan"):
        read(path)
    assert read(path, on_bad="drop").notes.dropped == 256


# ---- SPZ -----------------------------------------------------------------------------------------


def spz_body(made: Splats, version: int, bits: int = 12) -> list[bytes]:
    """The attributes of an SPZ, packed one Gaussian at a time."""
    g, parts = made.gaussians, [bytearray() for _ in range(6)]
    for i in range(len(g.means)):
        for v in g.means[i]:
            parts[0] += (round(float(v) * (1 << bits)) & 0xFFFFFF).to_bytes(3, "little")
        parts[1].append(round(float(g.opacities[i]) * 255))
        for v in g.colours[i]:
            parts[2].append(min(255, max(0, round(((float(v) - 0.5) / C0 * 0.15 + 0.5) * 255))))
        for v in g.scales[i]:
            parts[3].append(min(255, max(0, round((math.log(v) + 10) * 16))))
        w, x, y, z = (float(v) for v in g.quats_wxyz[i])
        parts[4] += first_three(x, y, z, w) if version == 2 else smallest_three(x, y, z, w)
        if g.sh is not None:
            parts[5] += bytes(min(255, max(0, round(float(v) * 128 + 128))) for v in g.sh[i].ravel())
    return [bytes(part) for part in parts]


def first_three(x: float, y: float, z: float, w: float) -> bytes:
    sign = -1 if w < 0 else 1
    return bytes(min(255, max(0, round(sign * v * 127.5 + 127.5))) for v in (x, y, z))


def smallest_three(*q: float) -> bytes:
    which = max(range(4), key=lambda i: abs(q[i]))
    flip, word = q[which] < 0, which
    for i in range(4):
        if i != which:
            word = word << 10 | (int((q[i] < 0) != flip) << 9) | int(511 * abs(q[i]) * math.sqrt(2) + 0.5)
    return word.to_bytes(4, "little")


def spz(made: Splats, version: int, *, flags: int = 0, records: bytes = b"", degree: int | None = None) -> bytes:
    n, degree = len(made.gaussians.means), made.notes.sh_degree if degree is None else degree
    body = spz_body(made, version)
    if version < 4:
        return gzip.compress(spz_head(version, n, degree, flags=flags) + b"".join(body) + records)
    return spz_4(n, degree, body, flags, records)


def spz_4(n: int, degree: int, body: list[bytes], flags: int = 0, records: bytes = b"") -> bytes:
    import zstandard

    streams = [part for part in body if part]
    packed = [zstandard.ZstdCompressor().compress(part) for part in streams]
    head = spz_head(4, n, degree, flags=flags)[:-1] + struct.pack("<BI12x", len(streams), 32 + len(records))
    toc = b"".join(struct.pack("<QQ", len(p), len(s)) for p, s in zip(packed, streams, strict=True))
    return head + records + toc + b"".join(packed)


def assert_spz(found: Splats, made: Splats, turn: float) -> None:
    a, b = found.gaussians, made.gaussians
    np.testing.assert_allclose(a.means, b.means, atol=0.5 / 4096 + 1e-6)
    np.testing.assert_allclose(np.log(a.scales), np.log(b.scales), atol=0.5 / 16 + 1e-5)
    np.testing.assert_allclose(a.opacities, b.opacities, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(a.colours, b.colours, atol=0.5 / 255 / 0.15 * C0 + 1e-5)
    assert turn_between(a.quats_wxyz, b.quats_wxyz) < turn
    if b.sh is not None:
        np.testing.assert_allclose(a.sh, b.sh, atol=0.5 / 128 + 1e-6)


@pytest.mark.parametrize("k", [0, 3, 8, 15])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_spz(tmp_path, version, k):
    made = some(200, k)
    found = read(write(tmp_path / "x", spz(made, version, flags=1)))
    # A byte of each of x y z leaves w = √(1 - …) uncertain by far more where w is small.
    assert_spz(found, made, 0.15 if version == 2 else 4 * math.sqrt(0.5) / 511)
    assert found.notes.format == f"SPZ {version}" and found.notes.axes == "RUB"
    assert found.notes.sh_degree == made.notes.sh_degree
    assert found.gaussians.antialiased


@settings(max_examples=20, deadline=None)
@given(k=st.sampled_from([0, 3, 8, 15]), n=st.integers(1, 400), seed=st.integers(0, 1 << 30))
def test_our_spz_is_the_one_packed_by_hand(tmp_path_factory, k, n, seed):
    made, path = some(n, k, seed), tmp_path_factory.mktemp("spz") / "x.spz"
    write_spz(made, path)
    ours = gzip.decompress(path.read_bytes())
    by_hand = gzip.decompress(spz(made, 3))
    assert len(ours) == len(by_hand)
    different = np.frombuffer(ours, np.uint8) != np.frombuffer(by_hand, np.uint8)
    assert different.mean() < 0.01  # halves that round the other way
    assert_spz(read(path), made, 4 * math.sqrt(0.5) / 511)


def test_spz_extensions(tmp_path):
    made = some(10)
    axes = struct.pack("<III", AXES_EXTENSION, 4, 12)
    other = struct.pack("<II", 0x12340001, 5) + b"abcde"
    for version in (3, 4):
        found = read(write(tmp_path / "x", spz(made, version, flags=2, records=other + axes)))
        assert found.notes.axes == "RFU"
        assert found.notes.remarks == ("the extension 0x12340001 was left out",)
        with pytest.raises(SceneError, match="extension at byte 0 of 7"):
            read(write(tmp_path / "x", spz(made, version, flags=2, records=other[:7])))
        with pytest.raises(SceneError, match="coordinate system"):
            read(write(tmp_path / "x", spz(made, version, flags=2, records=struct.pack("<III", AXES_EXTENSION, 4, 17))))


def test_spz_of_degree_4_is_cut_to_3(tmp_path):
    made = some(30)
    body = spz_body(made, 4)
    body[5] = b"".join(body[5][45 * i : 45 * (i + 1)] + bytes(27) for i in range(30))
    found = read(write(tmp_path / "x", spz_4(30, 4, body)))
    assert_spz(found, made, 0.01)
    assert found.notes.sh_degree == 3 and "degree 4" in found.notes.remarks[0]


def test_spz_holds_no_far_places_nor_other_axes(tmp_path):
    made = some(3)
    with pytest.raises(SceneError, match="axes RFU, SPZ has RUB"):
        write_spz(replace(made, notes=replace(made.notes, axes="RFU")), tmp_path / "x.spz")
    made.gaussians.means[1, 2] = 3000
    with pytest.raises(SceneError, match="2048"):
        write_spz(made, tmp_path / "x.spz")


# ---- .splat --------------------------------------------------------------------------------------


def splat(made: Splats) -> bytes:
    g, out = made.gaussians, b""
    for i in range(len(g.means)):
        rgba = [*(round(float(c) * 255) for c in g.colours[i]), round(float(g.opacities[i]) * 255)]
        rot = [min(255, max(0, round(float(q) * 128 + 128))) for q in g.quats_wxyz[i]]
        out += struct.pack("<6f8B", *g.means[i], *g.scales[i], *rgba, *rot)
    return out


def test_splat(tmp_path):
    made = some(150, 0)
    found = read(write(tmp_path / "x", splat(made)))
    np.testing.assert_array_equal(found.gaussians.means, made.gaussians.means)
    np.testing.assert_array_equal(found.gaussians.scales, made.gaussians.scales)
    np.testing.assert_allclose(found.gaussians.colours, made.gaussians.colours, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(found.gaussians.opacities, made.gaussians.opacities, atol=0.5 / 255 + 1e-6)
    assert turn_between(found.gaussians.quats_wxyz, made.gaussians.quats_wxyz) < 0.05
    assert found.notes.format == ".splat" and found.gaussians.sh is None
    made.gaussians.quats_wxyz[:] = 1, 0, 0, 0
    np.testing.assert_array_equal(read(write(tmp_path / "x", splat(made))).gaussians.quats_wxyz[:, 1:], 0)
