"""SPZ (Niantic), versions 2, 3 and 4: a byte or three a number, compressed.

Source: nianticlabs/spz, load-spz.cc and README. Little-endian. Versions 2 and 3 are one gzip stream of a header of 16
bytes and, attribute by attribute, positions (24-bit fixed point), opacities, colours, log scales, rotations, spherical
harmonics (colour innermost). Version 4 has a header of 32 bytes, extensions up to the table of contents, and
a zstd stream an attribute. Axes are right, up, back unless an extension says otherwise.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from io import FileIO
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.disk import write_atomic
from synth4d.errors import SceneError
from synth4d.splats.npz import MAX_RATIO, SMALL
from synth4d.splats.splats import MAX_GAUSSIANS, SH_C0, Notes, OnBad, Raw, Splats, finish
from synth4d.types import F32, U8

MAGIC, GZIP = b"NGSP", b"\x1f\x8b"
_HEADER = struct.Struct("<4sIIBBBB")
_HEADER_4 = struct.Struct("<4sIIBBBBI12x")
_ANTIALIASED, _EXTENSIONS = 1, 2
_COEFFICIENTS = (0, 3, 8, 15, 24)
_MAX_EXTENSIONS = 1 << 20
_COORDINATES = 0xADBE0003
_AXES: tuple[str, ...] = ("RUB", "LDB", "RDB", "LUB", "RUB", "LDF", "RDF", "LUF", "RUF")
_AXES += ("LFD", "RFD", "LFU", "RFU", "LBD", "RBD", "LBU", "RBU")
"""By the number of the extension; 0 = unspecified, which means the default."""
_COLOUR = np.float32(0.15)
"""Bytes of colour hold 0.5 + 0.15 · f_dc, which leaves room around 0..1."""


@dataclass(frozen=True, slots=True)
class Head:
    version: int
    count: int
    degree: int
    fraction_bits: int
    flags: int

    def sizes(self) -> tuple[int, ...]:
        """Bytes of each attribute, in file order."""
        n = self.count
        return 9 * n, n, 3 * n, 3 * n, (4 if self.version > 2 else 3) * n, 3 * _COEFFICIENTS[self.degree] * n


def read_spz(file: FileIO, source: str, on_bad: OnBad) -> Splats:
    """Gaussians of an open SPZ file; SceneError names the byte or field that is wrong."""
    file.seek(0)
    first = file.read(_HEADER_4.size)
    file.seek(0)
    head, streams, records = (_streams_4 if first.startswith(MAGIC) else _streams_gzip)(file, source)
    axes, remarks = _extensions(records, source)
    k = _COEFFICIENTS[head.degree]
    positions, alphas, colours, scales, rotations, harmonics = (np.frombuffer(s, np.uint8) for s in streams)
    sh = None
    if k:
        # Degree 4, the last nine, is beyond what splat renderers draw.
        kept = min(k, 15)
        sh = (harmonics.reshape(-1, k, 3)[:, :kept].astype(np.float32) - 128) / 128
        remarks += ("spherical harmonics of degree 4 were left out",) * (k > kept)
    raw = Raw(
        _fixed(positions, head.fraction_bits),
        _smallest_three(rotations) if head.version > 2 else _first_three(rotations),
        np.exp(scales.reshape(-1, 3) / np.float32(16) - np.float32(10)),
        alphas / np.float32(255),
        (colours.reshape(-1, 3) / np.float32(255) - np.float32(0.5)) / _COLOUR,
        sh,
        bool(head.flags & _ANTIALIASED),
    )
    return finish(raw, Notes(source, f"SPZ {head.version}", axes=axes, remarks=remarks), on_bad)


# ---- Containers ----------------------------------------------------------------------------------


def _head(data: bytes, source: str) -> Head:
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise SceneError(f"{source} has no SPZ header (NGSP) at its start")
    _, version, count, degree, bits, flags, _ = _HEADER.unpack_from(data)
    if version not in (2, 3, 4):
        raise SceneError(f"{source} is SPZ version {version}; 2, 3 and 4 are read")
    if not 0 < count <= MAX_GAUSSIANS:
        raise SceneError(f"{source}: {count} Gaussians, 1 to {MAX_GAUSSIANS} are read")
    if degree >= len(_COEFFICIENTS) or bits > 23:
        raise SceneError(f"{source}: harmonics of degree {degree} or {bits} fractional bits; at most 4 and 23 exist")
    return Head(version, count, degree, bits, flags)


def _bomb(size: int, compressed: int, what: str) -> None:
    if size > max(SMALL, MAX_RATIO * compressed):
        raise SceneError(f"{what} says {size} bytes from {compressed} compressed: refused as a bomb")


def _streams_gzip(file: FileIO, source: str) -> tuple[Head, list[bytes], bytes]:
    length, unpacker = os.fstat(file.fileno()).st_size, zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        head = _head(_inflate(unpacker, file, _HEADER.size), source)
        if head.version > 3:
            raise SceneError(f"{source}: SPZ version {head.version} within gzip; gzip holds 2 and 3")
        end = sum(head.sizes())
        _bomb(end, length, f"{source}: its header")
        body = _inflate(unpacker, file, end + _MAX_EXTENSIONS)
    except zlib.error as error:
        raise SceneError(f"{source}: its gzip stream is damaged: {error}") from None
    if len(body) < end or (not unpacker.eof and len(body) < end + _MAX_EXTENSIONS):
        raise SceneError(
            f"{source}: {head.count} Gaussians of degree {head.degree} take {_HEADER.size + end} bytes unpacked, "
            f"its stream breaks off after {_HEADER.size + len(body)}: it is cut off"
        )
    more = not unpacker.eof or unpacker.unused_data or file.read(1)
    if more or (len(body) > end and not head.flags & _EXTENSIONS):
        raise SceneError(f"{source}: more follows after byte {_HEADER.size + end} unpacked, where its Gaussians end")
    return head, _split(body, head.sizes()), body[end:]


def _inflate(unpacker: Any, file: FileIO, limit: int) -> bytes:
    """Up to so many further bytes of a gzip stream."""
    out = bytearray()
    while len(out) < limit and not unpacker.eof:
        data = unpacker.unconsumed_tail or file.read(1 << 20)
        if not data:
            break
        out += unpacker.decompress(data, limit - len(out))
    return bytes(out)


def _split(body: bytes, sizes: tuple[int, ...]) -> list[bytes]:
    ends = accumulate(sizes)
    return [body[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _streams_4(file: FileIO, source: str) -> tuple[Head, list[bytes], bytes]:
    length, start = os.fstat(file.fileno()).st_size, file.read(_HEADER_4.size)
    head = _head(start, source)
    if head.version < 4 or len(start) < _HEADER_4.size:
        raise SceneError(f"{source} of SPZ version {head.version} is cut off or not gzipped as versions 2 and 3 are")
    streams, toc = _HEADER_4.unpack(start)[-2:]
    sizes = head.sizes()
    wanted = [size for size in sizes if size]
    if streams != len(wanted) or not _HEADER_4.size <= toc <= _HEADER_4.size + _MAX_EXTENSIONS:
        raise SceneError(f"{source}: {streams} streams listed at byte {toc}; degree {head.degree} has {len(wanted)}")
    records, table = file.read(toc - _HEADER_4.size), file.read(16 * streams)
    _bomb(sum(sizes), length, f"{source}: its header")
    at = toc + 16 * streams
    if at > length:
        raise SceneError(f"{source}: its table of contents reaches to byte {at}, the file ends at {length}: cut off")
    found = []
    for number, (size, (packed, unpacked)) in enumerate(zip(wanted, struct.iter_unpack("<QQ", table), strict=True)):
        what = f"{source}: stream {number} at byte {at}"
        # Zstandard adds less than a 200th to what it can't compress.
        if unpacked != size or at + packed > length or packed > size + size // 100 + 1024:
            raise SceneError(
                f"{what} says {packed} bytes, {unpacked} unpacked: {head.count} Gaussians need {size} unpacked, and "
                f"the file ends at {length}"
            )
        found.append(_unzstd(file.read(packed), size, what))
        at += packed
    if at != length:
        raise SceneError(f"{source}: {length - at} bytes follow from byte {at}, where its streams end")
    return head, found + [b""] * (len(sizes) - len(found)), records


def _unzstd(data: bytes, size: int, what: str) -> bytes:
    import zstandard

    try:
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data)
        body = reader.read(size + 1)
    except zstandard.ZstdError as error:
        raise SceneError(f"{what} is no whole zstd stream: {error}") from None
    if len(body) != size:
        raise SceneError(f"{what} unpacks to {'more' if len(body) > size else 'fewer'} bytes than the {size} it says")
    return body


def _extensions(records: bytes, source: str) -> tuple[str, tuple[str, ...]]:
    """(axes, remarks) of extension records: type, length, payload; unknown ones are skipped, as the format asks."""
    axes, remarks, at = "RUB", [], 0
    while at < len(records):
        kind, size = struct.unpack_from("<II", records, at) if at + 8 <= len(records) else (0, len(records))
        payload = records[at + 8 : at + 8 + size]
        if len(payload) < size:
            raise SceneError(f"{source}: the extension at byte {at} of {len(records)} reaches past their end")
        if kind != _COORDINATES:
            remarks.append(f"the extension 0x{kind:08X} was left out")
        elif size != 4 or (system := int.from_bytes(payload, "little")) >= len(_AXES):
            raise SceneError(f"{source}: its coordinate system is none of the {len(_AXES) - 1} that exist")
        else:
            axes = _AXES[system]
        at += 8 + size
    return axes, tuple(remarks)


# ---- Numbers -------------------------------------------------------------------------------------


def _fixed(data: U8, fraction_bits: int) -> F32:
    """(N,3) from 24-bit signed little-endian numbers."""
    b = data.reshape(-1, 3, 3).astype(np.int32)
    whole = (b[..., 0] << 8 | b[..., 1] << 16 | b[..., 2] << 24) >> 8
    return (whole / np.float64(1 << fraction_bits)).astype(np.float32)


def _first_three(data: U8) -> F32:
    """(N,4) wxyz from bytes of x y z; w ≥ 0 follows."""
    xyz = data.reshape(-1, 3) / np.float32(127.5) - np.float32(1)
    w = np.sqrt(np.maximum(1 - (xyz[:, 0] ** 2 + xyz[:, 1] ** 2 + xyz[:, 2] ** 2), 0))
    return np.concatenate([w[:, None], xyz], 1)


def _smallest_three(data: U8) -> F32:
    """(N,4) wxyz: two bits say which of x y z w is largest, the others follow as sign and 9 bits of ±1/√2."""
    left = np.ascontiguousarray(data.reshape(-1, 4)).view("<u4")[:, 0]
    which = left >> np.uint32(30)
    xyzw, square = np.empty((len(left), 4), np.float32), np.zeros(len(left), np.float32)
    for i in (3, 2, 1, 0):
        largest = which == i
        value = (left & np.uint32(511)) * np.float32(np.sqrt(0.5) / 511)
        value = np.where(largest, 0, np.where(left & np.uint32(512), -value, value)).astype(np.float32)
        xyzw[:, i] = value
        square += value * value
        left = np.where(largest, left, left >> np.uint32(10))
    np.put_along_axis(xyzw, which[:, None].astype(np.int64), np.sqrt(np.maximum(1 - square, 0))[:, None], 1)
    return xyzw[:, [3, 0, 1, 2]]


# ---- Writing -------------------------------------------------------------------------------------


def write_spz(splats: Splats, path: Path) -> None:
    """Write SPZ version 3: positions to 1/4096 within ±2048, log scales to 1/16, the rest to a byte or 10 bits.

    Its axes are right, up, back: what is known to have others is refused, as are positions that don't fit. Object ids
    and other columns have no place in it.
    """
    g, axes = splats.gaussians, splats.notes.axes
    if axes not in (None, _AXES[0]):
        raise SceneError(f"{splats.notes.source} has axes {axes}, SPZ has {_AXES[0]}: transform it first")
    fixed = np.rint(g.means.astype(np.float64) * 4096).astype(np.int64)
    if np.abs(fixed).max() >= 1 << 23:
        raise SceneError(
            f"{splats.notes.source}: SPZ holds positions within ±2048, these reach {np.abs(g.means).max():g}"
        )
    bits = fixed.astype("<i4").view(np.uint8).reshape(-1, 3, 4)[..., :3]
    f_dc = (g.colours - np.float32(0.5)) / np.float32(SH_C0)
    parts = [bits, _byte(g.opacities * np.float32(255)), _byte((f_dc * _COLOUR + np.float32(0.5)) * np.float32(255))]
    parts += [_byte((np.log(g.scales) + np.float32(10)) * np.float32(16)), _pack_three(g.quats_wxyz)]
    if g.sh is not None:
        parts.append(_byte(g.sh * np.float32(128) + np.float32(128)))
    degree = _COEFFICIENTS.index(0 if g.sh is None else g.sh.shape[1])
    head = _HEADER.pack(MAGIC, 3, len(g.means), degree, 12, _ANTIALIASED * g.antialiased, 0)
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    write_atomic(path, packer.compress(head + b"".join(p.tobytes() for p in parts)) + packer.flush())


def _byte(values: F32) -> U8:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _pack_three(quats_wxyz: F32) -> NDArray[np.uint8]:
    xyzw = quats_wxyz[:, [1, 2, 3, 0]]
    which = np.argmax(np.abs(xyzw), 1)
    xyzw = xyzw * np.where(np.take_along_axis(xyzw, which[:, None], 1) < 0, np.float32(-1), np.float32(1))
    packed = which.astype(np.uint32)
    for i in range(4):
        part = np.rint(np.abs(xyzw[:, i]) * np.float32(511 * np.sqrt(2))).astype(np.uint32)
        part = np.minimum(part, 511) | np.where(xyzw[:, i] < 0, np.uint32(512), np.uint32(0))
        packed = np.where(which == i, packed, packed << np.uint32(10) | part)
    return packed.astype("<u4").view(np.uint8)
