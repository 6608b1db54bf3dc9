"""Gaussians, tracks and cameras that are cut, padded, lying or exploding."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from splat_files import ply, some, spz_head, trained

GAUSSIANS = ply(trained(some(100)))
HEAD_END = GAUSSIANS.index(b"end_header\n") + 11


def spz_4(count: int, packed: bytes, unpacked: int, degree: int = 0, streams: int = 5, toc: int = 32) -> bytes:
    head = spz_head(4, count, degree)[:-1] + struct.pack("<BI12x", streams, toc)
    return head + struct.pack("<QQ", len(packed), unpacked) * streams + packed * streams


def zeros_zstd(size: int, told: bool = True) -> bytes:
    import zstandard

    if told:
        return zstandard.ZstdCompressor().compress(bytes(size))
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(bytes(size)) + stream.flush()


def zeros_gzip(size: int, start: bytes = b"") -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    out = packer.compress(start)
    for _ in range(size >> 20):
        out += packer.compress(bytes(1 << 20))
    return out + packer.flush()


def header(*lines: str, data: bytes = b"") -> bytes:
    return "\n".join(["ply", "format binary_little_endian 1.0", *lines, "end_header", ""]).encode() + data


FILES = {
    "empty": (b"", "0 bytes"),
    "text": (b"hello, this is no scene at all", "30 bytes"),
    "zip": (b"PK\x03\x04" + bytes(60), "a zip"),
    "glb": (b"glTF" + bytes(60), "a GLB"),
    "json": (b'{"frames": []}', "JSON"),
    "html as splat": (b"<html><body>not found</body></ht", "of Gaussian 0"),
    "splat cut": (bytes(32 * 3 - 1), "no PLY or SPZ, .* 95 bytes"),
    "splat of zeros": (bytes(32 * 3), "scale_0 of Gaussian 0 is 0"),
    # ---- PLY headers
    "ply cut in header": (GAUSSIANS[:50], "no end_header"),
    "ply header bomb": (b"ply\ncomment " + b"x" * 5_000_000, "no end_header in the first 131072"),
    "ply comments": (b"ply\n" + b"comment x\n" * 1_000_000 + b"end_header\n", "no end_header in the first"),
    "ply many properties": (header("element vertex 1", *(f"property float p{i}" for i in range(2000))), "1000 prop"),
    "ply no format": (b"ply\nelement vertex 1\nend_header\n", "no format line"),
    "ply format": (GAUSSIANS.replace(b"1.0", b"2.0", 1), "line 2: format 'binary_little_endian 2.0'"),
    "ply keyword": (header("elephant vertex 1"), "line 3: 'elephant'"),
    "ply type": (GAUSSIANS.replace(b"float scale_1", b"half scale_1", 1), "scale_1 is of unknown type 'half'"),
    "ply short line": (GAUSSIANS.replace(b"float scale_1", b"float", 1), "a property is a type and a name"),
    "ply twice": (GAUSSIANS.replace(b"float scale_1", b"float scale_0", 1), "scale_0 twice"),
    "ply elements": (header("element vertex 0", "element vertex 0"), "an element twice"),
    "ply early": (header("property float x"), "before any element"),
    "ply list": (header("element vertex 3", "property list uchar int vertex_indices"), "list property"),
    "ply negative": (header("element vertex -1", "property float x"), "not 'vertex -1'"),
    "ply wordy": (header("element vertex 1e3", "property float x"), "not 'vertex 1e3'"),
    "ply huge": (
        header("element vertex 4000000000", "property float x"),
        "4000000000 rows of vertex, at most 50000000",
    ),
    "ply huge count": (header("element vertex 99999999999999999999"), "an element is a name and a count"),
    "ply none": (header("element vertex 0", "property float x"), "no vertices"),
    "ply no vertex": (header("element face 0", "property list uchar int vertex_indices"), "no vertices"),
    "ply mesh": (
        header("element vertex 1", *(f"property float {a}" for a in "xyz"), data=bytes(12)),
        "opacity; a mesh",
    ),
    # ---- PLY rows
    "ply cut": (GAUSSIANS[:-1], f"file ends at {len(GAUSSIANS) - 1}: it is cut off"),
    "ply cut after header": (GAUSSIANS[:HEAD_END], f"file ends at {HEAD_END}"),
    "ply garbage": (GAUSSIANS + b"more", f"4 bytes follow from byte {len(GAUSSIANS)}"),
    "ply lies": (GAUSSIANS.replace(b"vertex 100", b"vertex 9000000", 1), "9000000 rows of vertex"),
    "ply ascii word": (ply(trained(some(9)), "a").replace(b"0.", b"zero.", 1), "rows of vertex from 0 on: .*zero"),
    "ply ascii cut": (ply(trained(some(9)), "a")[:-200], "rows of vertex from 0 on"),
    "ply ascii lies": (ply(trained(some(9)), "a").replace(b"vertex 9", b"vertex 900000", 1), "needs at least"),
    "ply ascii more": (ply(trained(some(9)), "a") + b"1.0", "more words follow"),
    "ply ascii junk": (ply(trained(some(9)), "a") + b"junk", "more words follow"),
    "ply ascii endless": (ply(trained(some(9)), "a") + b"1" * 3_000_000, "no number"),
    "ply ascii byte": (ply({"id": np.array([300.0])}, "a", {"id": "uchar"}), "lack the property x"),
    # ---- SPZ
    "gzip of nothing": (gzip.compress(b""), "no SPZ header"),
    "gzip of text": (gzip.compress(b"some text that is long enough"), "no SPZ header"),
    "gzip damaged": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "spz version": (gzip.compress(spz_head(1, 5) + bytes(100)), "version 1; 2, 3 and 4"),
    "spz 4 in gzip": (gzip.compress(spz_head(4, 5) + bytes(100)), "version 4 within gzip"),
    "spz plain": (spz_head(3, 5) + bytes(100), "not gzipped"),
    "spz none": (gzip.compress(spz_head(3, 0)), "0 Gaussians"),
    "spz degree": (gzip.compress(spz_head(3, 5, 9)), "degree 9"),
    "spz bits": (gzip.compress(spz_head(3, 5, 0, 40)), "40 fractional bits"),
    "spz cut": (gzip.compress(spz_head(3, 10) + bytes(100)), "take 216 bytes unpacked, .* after 116"),
    "spz more": (gzip.compress(spz_head(3, 10) + bytes(201)), "after byte 216"),
    "spz after gzip": (gzip.compress(spz_head(3, 10) + bytes(200)) + b"x", "after byte 216"),
    "spz many": (gzip.compress(spz_head(3, 60_000_000)), "60000000 Gaussians"),
    "spz lies": (gzip.compress(spz_head(3, 49_000_000, 3)), "refused as a bomb"),
    "spz bomb": (zeros_gzip(100 << 20, spz_head(3, 10)), "after byte 216"),
    "spz 4 cut": (spz_4(10, b"x" * 20, 90)[:60], "cut off"),
    "spz 4 streams": (spz_4(10, zeros_zstd(90), 90, streams=3), "3 streams"),
    "spz 4 toc": (spz_4(10, zeros_zstd(90), 90, toc=4 << 20), "byte 4194304"),
    "spz 4 size": (spz_4(10, zeros_zstd(90), 91), "stream 0 at byte 112 .* need 90"),
    "spz 4 no zstd": (spz_4(10, b"no zstd data", 90), "no whole zstd"),
    "spz 4 bomb": (spz_4(1000, zeros_zstd(64 << 20), 9000), "unpacks to more bytes than the 9000"),
    "spz 4 quiet bomb": (spz_4(1000, zeros_zstd(64 << 20, told=False), 9000), "unpacks to more bytes than the 9000"),
    "spz 4 few": (spz_4(10, zeros_zstd(40), 90), "fewer bytes than the 90"),
    "spz 4 lies": (spz_4(49_000_000, b"x" * 20, 9 * 49_000_000), "refused as a bomb"),
    "spz 4 fat": (spz_4(10, bytes(100_000), 90), "100000 bytes, 90 unpacked"),
}


# ---- npz -----------------------------------------------------------------------------------------


class Canary:
    def __reduce__(self):
        return Path.touch, (Path("touched"),)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


IDS, TIMES, POSES = np.array([1, 2]), np.arange(3.0), np.tile([0, 0, 0, 1, 0, 0, 0.0], (2, 3, 1))
GOOD = {"object_id": npy(IDS), "times_s": npy(TIMES), "poses": npy(POSES)}


def shaped(text: str) -> bytes:
    """An npy of no data whose header says so much."""
    head = text.encode() + b" " * (118 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


NPZ = {
    "no zip": (b"no zip at all", "no whole npz"),
    "cut": (npz(**GOOD)[:-30], "no whole npz"),
    "damaged": (npz(**GOOD).replace(npz(**GOOD)[60:80], b"\xff" * 20, 1), "tracks.npz"),
    "lacks poses": (
        npz(object_id=GOOD["object_id"], times_s=GOOD["times_s"]),
        "lacks poses; it has object_id, times_s",
    ),
    "bomb": (npz(**GOOD | {"poses": bytes(65 << 20)}), "refused as a bomb"),
    "lies": (
        npz(**GOOD | {"poses": shaped("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 7)}")}),
        "336 bytes",
    ),
    "huge": (
        npz(**GOOD | {"poses": shaped("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999, 999999)}")}),
        "more",
    ),
    "negative": (
        npz(**GOOD | {"poses": shaped("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -7)}")}),
        "more",
    ),
    "code": (npz(**GOOD | {"poses": shaped("__import__('os').system('touch touched')")}), "no whole npz"),
    "pickle": (npz(**GOOD | {"poses": pickle.dumps(Canary())}), "no whole npz"),
    "objects": (npz(**GOOD | {"poses": npy(np.array([Canary()], object))}), "only numbers"),
    "text": (npz(**GOOD | {"object_id": npy(np.array(["a", "b"]))}), "only numbers"),
    "many": (npz(**GOOD, **{f"x{i}": b"" for i in range(100)}), "103 members"),
    "shape": (npz(**GOOD | {"poses": npy(POSES[:, :2])}), r"poses \(2, 2, 7\) must be"),
    "id 0": (npz(**GOOD | {"object_id": npy(np.array([0, 1]))}), "not 0"),
    "same id": (npz(**GOOD | {"object_id": npy(np.array([1, 1]))}), "distinct"),
    "float id": (npz(**GOOD | {"object_id": npy(np.array([1.5, 1]))}), "whole numbers"),
    "times": (npz(**GOOD | {"times_s": npy(np.array([0.0, 2.0, 1.0]))}), "increase"),
    "NaN": (npz(**GOOD | {"poses": npy(np.where(POSES == 1, np.nan, POSES))}), r"poses\[0, 0\]"),
    "no unit": (npz(**GOOD | {"poses": npy(2 * POSES)}), "unit quaternion"),
}


# ---- Cameras -------------------------------------------------------------------------------------


def cameras(**changed: object) -> dict[str, object]:
    frame = {"file_path": "a.png", "transform_matrix": np.eye(4).tolist()}
    return {"w": 64, "h": 48, "fl_x": 50.0, "frames": [frame]} | changed


def posed(T: object, **more: object) -> list[object]:
    return [{"file_path": "a.png", "transform_matrix": T} | more]


CAMERAS = {
    "no frames": ({"w": 5}, "frames must be a list"),
    "empty": (cameras(frames=[]), "frames must be a list"),
    "frame": (cameras(frames=[3]), "frame 0 is no object"),
    "no pose": (cameras(frames=[{"file_path": "a"}]), "transform_matrix"),
    "shape": (cameras(frames=posed([[1, 2], [3, 4]])), "transform_matrix of shape"),
    "ragged": (cameras(frames=posed([[1, 2], [3]])), "no matrix"),
    "NaN": (cameras(frames=posed([[float("nan")] * 4] * 4)), "finite"),
    "scaled": (cameras(frames=posed(np.diag([2.0, 2, 2, 1]).tolist())), "no rigid pose"),
    "mirrored": (cameras(frames=posed(np.diag([-1.0, 1, 1, 1]).tolist())), "no rigid pose"),
    "no size": ({"fl_x": 5.0, "frames": posed(np.eye(4).tolist())}, "neither w and h, nor the image a.png"),
    "text size": (cameras(w="wide"), "w is wide, not a number"),
    "huge size": (cameras(w=10**400), "not a number"),
    "negative size": (cameras(h=-5), "64×-5"),
    "no focal": ({"w": 5, "h": 5, "frames": posed(np.eye(4).tolist())}, "camera_angle_x is None"),
    "focal": (cameras(fl_x=-5.0), "focal lengths"),
    "infinite": (cameras(cx=float("inf")), "cx is inf"),
    "angle": ({"w": 5, "h": 5, "camera_angle_x": 4.0, "frames": posed(np.eye(4).tolist())}, "between 0 and π"),
    "distorted": (cameras(k1=0.1, p2=0.01), "distortion k1, p2: only pinholes"),
    "listed": (cameras(distortion_params=[0, 0.1]), "distortion distortion_params"),
    "fisheye": (cameras(camera_model="OPENCV_FISHEYE"), "camera_model OPENCV_FISHEYE"),
    "some times": (cameras(frames=[*posed(np.eye(4).tolist()), *posed(np.eye(4).tolist(), time=0.5)]), "only 1 of 2"),
    "path": (cameras(frames=[{"file_path": 5, "transform_matrix": np.eye(4).tolist()}]), "file_path is no text"),
    "splits": (cameras(train_filenames="a.png"), "train_filenames"),
    "applied": (cameras(applied_transform=[1, 2]), "applied_transform"),
}
NO_CAMERAS = (b"", b"[]", b"{", b"[" * 1_000_000, b'{"frames": ' + b"9" * 10_000 + b"}", b"\xff\xfe")
