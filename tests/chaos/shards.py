"""Rows 28 to 34: shards that are cut, flipped, swapped; readers that split, stop and go on."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import clips
import numpy as np

from chaos.table import Found, row
from synth4d import disk
from synth4d.errors import ConfigError, ShardError
from synth4d.stream import Shards

KEYS = [f"k{i:03d}" for i in range(31)]


def dataset(folder: Path, tint: str = "") -> Path:
    """31 samples in three shards."""
    cuts = (KEYS[:4], KEYS[4:20], KEYS[20:])
    shards = {f"train-{i:06d}.tar": [clips.plain(key, 700 + len(tint)) for key in keys] for i, keys in enumerate(cuts)}
    clips.dataset(folder, shards)
    return folder


def detected(found: Found, read: Callable[[], object], said: str) -> None:
    found.tries += 1
    try:
        read()
    except (ShardError, ConfigError) as error:
        found.expect("\n" not in str(error), f"{said}: more than a line")
    else:
        found.violations.append(f"{said}: not seen")


def first(folder: Path) -> Callable[[], object]:
    return lambda: next(iter(Shards(folder, shuffle=False, decode=False)))


@row("28", "a shard cut at every 512 bytes: no sample of it is given out", short=16, long=1)
def cuts(folder: Path, tries: int, found: Found) -> None:
    """`tries` is the stride in blocks."""
    path = dataset(folder / "c") / "train-000000.tar"
    whole = path.read_bytes()
    for cut in range(0, len(whole), 512 * tries):
        path.write_bytes(whole[:cut])
        detected(found, first(folder / "c"), f"cut at {cut}")


@row("29", "single bits flipped in shards and manifest", short=50, long=1000)
def flips(folder: Path, tries: int, found: Found) -> None:
    there, rng = dataset(folder / "f"), np.random.default_rng(29)
    for n in range(tries):
        path = there / ("train-000000.tar" if n % 4 else disk.MANIFEST)
        whole = path.read_bytes()
        damaged = bytearray(whole)
        bit = int(rng.integers(8 * len(whole)))
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        detected(found, first(there), f"bit {bit} of {path.name}")
        path.write_bytes(whole)


@row("30", "shards missing, swapped, of another generation", short=3, long=3)
def swaps(folder: Path, tries: int, found: Found) -> None:
    other = dataset(folder / "other", "another generation")
    ways: list[Callable[[Path], object]] = [
        lambda at: (at / "train-000000.tar").unlink(),
        lambda at: shutil.copy(at / "train-000001.tar", at / "train-000000.tar"),
        lambda at: shutil.copy(other / "train-000000.tar", at / "train-000000.tar"),
    ]
    for n, way in enumerate(ways[:tries]):
        there = dataset(folder / f"s{n}")
        way(there)
        detected(found, first(there), f"way {n}")


@row("32", "every sample once an epoch over 1–4 ranks × 1–4 workers", short=4, long=16)
def consumers(folder: Path, tries: int, found: Found) -> None:
    there = dataset(folder / "r")
    for world, workers in itertools.islice(itertools.product((1, 2, 3, 4), repeat=2), tries):
        got: list[str] = []
        for rank, worker in itertools.product(range(world), range(workers)):
            shards = Shards(there, seed=1, decode=False, rank=rank, world_size=world, worker=(worker, workers))
            keys = [s["key"] for s in shards]
            found.expect(len(keys) == len(shards) and keys == shards.order(), "the count was not known beforehand")
            got += keys
        found.expect(sorted(got) == KEYS, f"{world}×{workers}: {len(got)} samples, {len(set(got))} of {len(KEYS)}")
        found.tries += 1


@row("33", "an epoch stopped after any sample and resumed with other ranks and workers", short=10, long=100)
def resumes(folder: Path, tries: int, found: Found) -> None:
    there, rng = dataset(folder / "m"), np.random.default_rng(33)
    for _ in range(tries):
        epoch, world = int(rng.integers(9)), int(rng.integers(1, 4))
        whole = Shards(there, seed=2, epoch=epoch).order()
        cut = int(rng.integers(len(KEYS)))
        before = Shards(there, seed=2, epoch=epoch, decode=False)
        head = [s["key"] for _, s in zip(range(cut), before, strict=False)]
        state = json.loads(json.dumps(before.state_dict()))
        rest: dict[int, list[str]] = {}
        for rank in range(world):
            after = Shards(there, seed=2, decode=False, rank=rank, world_size=world)
            after.load_state_dict(state)
            rest[rank] = [s["key"] for s in after]
        dealt = [key for keys in itertools.zip_longest(*rest.values()) for key in keys if key is not None]
        found.expect(head + dealt == whole, f"epoch {epoch} cut at {cut} for {world}: another order")
        found.tries += 1


@row("34", "a new generation is published while it is read: old or an error, never a mix", short=10, long=200)
def generations(folder: Path, tries: int, found: Found) -> None:
    there = folder / "g"
    sizes = {"": 700, "new": 703}
    for n in range(tries):
        tint = ("", "new")[n % 2]
        shutil.rmtree(there, ignore_errors=True)
        dataset(there, tint)
        reader = iter(Shards(there, seed=n, decode=False))
        got = [next(reader) for _ in range(1 + n % 20)]
        dataset(there, ("new", "")[n % 2])
        with contextlib.suppress(ShardError):
            got += list(reader)
        found.expect({len(s["mp4"]) for s in got} == {sizes[tint]}, f"generation {n}: a mix")
        found.tries += 1
