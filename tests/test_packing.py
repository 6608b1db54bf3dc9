"""The own deflate of id and depth pictures, read back by the standard zlib, numpy and zipfile."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth4d import codec, npz
from synth4d._packing import deflate
from synth4d.types import U16

RNG = np.random.default_rng(5)
FIBONACCI = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233]


def law(data: bytes) -> None:
    """The stream holds the data and nothing behind it, is the same again, and grows by its tables at most."""
    packed = deflate(data)
    reader = zlib.decompressobj(wbits=-15)
    assert reader.decompress(packed) == data and reader.eof and not reader.unused_data
    assert deflate(data) == packed
    # 8 bits and a little for a byte, and 316 code lengths for each 64 KiB.
    assert len(packed) <= 1.01 * len(data) + 300


def literals(times: list[int]) -> U16:
    """Pixels whose bytes s occur times[s] times, in no order, so that hardly three pixels come again."""
    return RNG.permutation(np.repeat(np.arange(len(times), dtype=np.uint8), times)).view(np.uint16)


def rows(width: int, most: int) -> U16:
    """One row of noise again and again: matches at one distance, 2·width bytes, longer than the longest there is."""
    return np.tile(RNG.integers(0, most + 1, width, np.uint16), 90_000 // width)


def film() -> U16:
    """A clip as large as those of a run: things that move over a ramp, with noise in a corner."""
    t, y, x = np.ogrid[:24, :288, :384]
    out = ((x + 3 * t) // 40 + y // 30 * 11 + 65_000 * ((x - 8 * t) ** 2 + (y - 140) ** 2 < 3_000)).astype(np.uint16)
    out[:, :60, :90] = RNG.integers(0, 1 << 16, (24, 60, 90), np.uint16)
    return out


CASES: dict[str, Callable[[], U16]] = {
    "noise": lambda: RNG.integers(0, 1 << 16, 200_001, np.uint16),
    "noise, exactly two blocks": lambda: RNG.integers(0, 1 << 16, 65_536, np.uint16),
    "two values": lambda: RNG.choice(np.array([0, 65_535], np.uint16), 150_001),
    "three pixels again at any distance": lambda: RNG.integers(0, 30, 150_000, np.uint16),
    "constant": lambda: np.full(300_003, 65_535, np.uint16),
    "nothing": lambda: np.zeros(300_003, np.uint16),
    "ramp": lambda: np.arange(200_000).astype(np.uint16),
    "steep ramp": lambda: (np.arange(200_000) * 257).astype(np.uint16),
    "steps": lambda: np.repeat(np.arange(700, dtype=np.uint16), 211),
    "rows": lambda: rows(384, 65_535),
    "rows as far as the window": lambda: rows(16_384, 65_535),
    "rows a pixel beyond the window": lambda: rows(16_385, 65_535),
    # With the end's sign, which comes once, the rarest bytes would get 19 bits; there are but 15.
    "codes cut at 15 bits": lambda: literals([*FIBONACCI, *[377] * 150]),
    # Bytes as often as makes n[k] codes of k bits, and of those n[k] the rarest would get 9 bits: there are but 7.
    "code of codes cut at 7 bits": lambda: literals(
        [16 << 12 - k for k, n in enumerate((1, 1, 2, 6, 5, 8, 13, 21, 34, 55, 88), 2) for _ in range(n)]
    ),
    "film": film,
}


@pytest.mark.parametrize("case", CASES)
def test_zlib_inflates_what_deflate_packs(case: str) -> None:
    law(CASES[case]().tobytes())


@pytest.mark.parametrize("length", [258, 260, 514, 516, 518])
def test_a_match_as_long_as_the_longest_ends_where_it_should(length: int) -> None:
    once = RNG.integers(0, 1 << 16, length // 2, np.uint16)
    other = RNG.integers(0, 1 << 16, 9, np.uint16)
    law(np.concatenate([once, other, once, other[::-1], once]).tobytes())


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 65_535), st.integers(1, 300)), max_size=40),
    st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 600)), max_size=8),
)
def test_runs_and_copies_of_what_was_come_back(runs: list[tuple[int, int]], copies: list[tuple[int, int]]) -> None:
    pixels = np.repeat(*np.array(runs, np.int64).reshape(-1, 2).T).astype(np.uint16)
    for at, count in copies:
        start = at % (len(pixels) + 1)
        pixels = np.concatenate([pixels, pixels[start : start + count]])
    law(pixels.tobytes())


def test_all_small_sizes_come_back() -> None:
    for pixels in (np.zeros(70, np.uint16), RNG.integers(0, 1 << 16, 70, np.uint16), RNG.integers(0, 2, 70, np.uint16)):
        for size in range(len(pixels) + 1):
            law(pixels[:size].tobytes())


def test_half_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="two bytes"):
        deflate(b"abc")


@pytest.mark.parametrize("shape", [(0, 2, 2), (1, 1, 1), (3, 5, 7), (24, 288, 384)])
def test_numpy_and_zipfile_open_the_npz(shape: tuple[int, int, int]) -> None:
    pixels = np.resize(film(), shape)
    data = npz.pack("ids", pixels)
    assert npz.pack("ids", pixels) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None and archive.namelist() == ["ids.npy"]
        (entry,) = archive.infolist()
        assert zlib.crc32(archive.read(entry)) == entry.CRC and not entry.flag_bits
    with np.load(io.BytesIO(data), allow_pickle=False) as opened:
        assert opened["ids"].dtype == np.uint16 and np.array_equal(opened["ids"], pixels)
    assert np.array_equal(codec.decode_ids(data), pixels)
