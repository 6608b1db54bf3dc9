"""The training side: the samples of a dataset, decoded, in an order that is known beforehand.

    from synth4d.stream import Shards
    for sample in Shards("out/kitchen", split="train", seed=1):
        sample["rgb"], sample["qa"]                      # (T,H,W,3) uint8, a list of questions

The order of an epoch is a permutation of the split's samples, made from (seed, epoch) alone. It is dealt out
like cards, first to ranks, then to the workers of a rank: over all consumers every sample comes exactly once
an epoch, and every consumer knows its count before it starts.

With PyTorch: a Shards is a map-style dataset, so `DataLoader(shards, batch_size=8, num_workers=4)` gives the
same batches for any number of workers; `as_torch_iterable(shards)` is for code that wants an IterableDataset.
Neither needs torch here. Call `set_epoch` before each epoch, and leave `persistent_workers` off.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from synth4d import codec, seeds
from synth4d.errors import ConfigError, ShardError
from synth4d.source import Row, Source, load_rows
from synth4d.tar import Tar

Check = Literal["full", "size", "off"]
OnCorrupt = Literal["raise", "skip"]
DECODERS: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "camera.json": ("camera", json.loads),
    "depth.npz": ("depth_z_m", codec.decode_depth),
    "facts.json": ("facts", json.loads),
    "ids.npz": ("ids", codec.decode_ids),
    "mp4": ("rgb", codec.decode_video),
    "qa.json": ("qa", json.loads),
}
"""Member suffix → its name in a decoded sample and how it is read. The poster (jpg) is left out."""
OPEN_TARS = 256
"""Tars that one process keeps open."""


class State(TypedDict):
    """Where an epoch stands: every sample before `position` of its order has been given out."""

    digest: str
    split: str
    seed: int
    shuffle: bool
    epoch: int
    position: int


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    try:
        found = path.stat()
    except OSError as error:
        raise ShardError(f"can't read shard {path}: {error.strerror or error}") from None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _decoded(key: str, members: Mapping[str, bytes], where: Path) -> dict[str, Any]:
    sample: dict[str, Any] = {"key": key}
    for suffix, data in members.items():
        name, read = DECODERS.get(suffix, (suffix, bytes))
        try:
            sample[name] = read(data)
        except (ShardError, ValueError) as error:
            raise ShardError(f"{where}: sample {key}: {suffix}: {error}") from None
    return sample


class Shards:
    """An iterable, and a sequence, of the samples of one split.

    url: a folder, or an fsspec URL together with `cache`, a local folder that shards are fetched into.
    rank, world_size: this process among those that train together. worker: (number, count) among the readers
    of this rank; None asks torch where it is loaded. verify: `full` compares the sha256 of a shard before its
    first sample, `size` only its length, `off` nothing. decode: False gives the members' bytes. members:
    suffixes to read, all where None. drop_last: leave out the up to world_size − 1 samples at the end that
    would give some ranks one more than others. on_corrupt: `raise` at the first shard that is not what the manifest
    says, or `skip` it whole: `corrupt` then names it with what is wrong, `skipped` counts the samples left out, and an
    iteration gives so many fewer than its length.

    A decoded sample is a dict: key, rgb (T,H,W,3) uint8, depth_z_m (T,H,W) float32 (0 = nothing there), ids
    (T,H,W) uint16, and camera, facts, qa as in `synth4d schema`. ShardError where bytes on disk are not what
    the manifest says; no sample of such a shard is given out.
    """

    corrupt: dict[str, str]
    """Shards left out (on_corrupt="skip"), with what is wrong with each."""
    skipped: int
    """Samples left out with them, by this reader."""

    def __init__(
        self,
        url: str | Path,
        split: str = "train",
        *,
        seed: int = 0,
        shuffle: bool = True,
        epoch: int = 0,
        rank: int = 0,
        world_size: int = 1,
        worker: tuple[int, int] | None = None,
        verify: Check = "full",
        decode: bool = True,
        members: Iterable[str] | None = None,
        drop_last: bool = False,
        on_corrupt: OnCorrupt = "raise",
        cache: str | Path | None = None,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ConfigError(f"rank is {rank} of {world_size}: ranks count from 0 to world_size - 1")
        if worker is not None and not 0 <= worker[0] < worker[1]:
            raise ConfigError(f"worker is {worker}: give (number, count), numbers count from 0")
        if verify not in ("full", "size", "off"):
            raise ConfigError(f"verify is {verify!r}: choose full, size or off")
        if on_corrupt not in ("raise", "skip"):
            raise ConfigError(f"on_corrupt is {on_corrupt!r}: choose raise or skip")
        self._source = Source(str(url), None if cache is None else Path(cache))
        self.digest, self._rows = load_rows(self._source, split, proved=verify != "off")
        self._starts = np.cumsum([0] + [len(row.keys) for row in self._rows])
        self.split, self.seed, self.shuffle, self.epoch = split, seed, shuffle, epoch
        self._rank, self._world, self._worker = rank, world_size, worker
        self._verify, self._decode, self._drop_last, self._on_corrupt = verify, decode, drop_last, on_corrupt
        self.corrupt, self.skipped = {}, 0
        self._members = None if members is None else tuple(members)
        self._start = self._position = 0
        self._permutation: tuple[int, NDArray[np.int64]] | None = None
        self._tars: OrderedDict[str, Tar] = OrderedDict()
        self._proved: dict[str, tuple[int, ...]] = {}

    # Order.

    def set_epoch(self, epoch: int) -> None:
        """Begin that epoch from its start."""
        self.epoch, self._start, self._position = epoch, 0, 0

    def order(self) -> list[str]:
        """Keys of the samples that iterating here gives, in order."""
        order = self._order()
        return [self._key(order[position]) for position in self._share(self._readers())]

    def __len__(self) -> int:
        """How many samples iterating here gives."""
        return len(self._share(self._readers()))

    def _order(self) -> NDArray[np.int64]:
        """Sample number at each position of the epoch.

        Sorted by raw generator output, not by Generator.permutation, whose stream may change with numpy.
        """
        if self._permutation is None or self._permutation[0] != self.epoch:
            count = int(self._starts[-1])
            order = np.arange(count)
            if self.shuffle:
                generator = np.random.Philox(seeds.seed("stream", self.seed, self.split, self.epoch))
                order = np.argsort(generator.random_raw(count), kind="stable")
            self._permutation = (self.epoch, order)
        return self._permutation[1]

    def _share(self, worker: tuple[int, int]) -> range:
        """Positions that are dealt to a worker of this rank, from where the epoch stands."""
        end = int(self._starts[-1])
        if self._drop_last:
            end -= (end - self._start) % self._world
        number, count = worker
        return range(self._start + self._rank + self._world * number, end, self._world * count)

    def _readers(self) -> tuple[int, int]:
        if self._worker is not None:
            return self._worker
        torch_data = sys.modules.get("torch.utils.data")
        info = torch_data.get_worker_info() if torch_data is not None else None
        return (0, 1) if info is None else (info.id, info.num_workers)

    # Samples.

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """This consumer's samples, from the start of the epoch or from where a loaded state stands."""
        order, readers = self._order(), self._readers()
        begin, step = self._start, self._world * readers[1]
        for i, position in enumerate(self._share(readers), 1):
            sample = self._sample_or_none(int(order[position]))
            self._position = min(begin + i * step, len(order))
            if sample is not None:
                yield sample
        self._start, self._position = 0, len(order)

    def _sample_or_none(self, number: int) -> dict[str, Any] | None:
        """The sample; None where its shard is left out because it is corrupt."""
        row, _ = self._locate(number)
        if row.name not in self.corrupt:
            try:
                return self._sample(number)
            except ShardError as error:
                if self._on_corrupt == "raise":
                    raise
                self.corrupt[row.name] = str(error)
                warnings.warn(f"left out from here on: {error}", stacklevel=3)
        self.skipped += 1
        return None

    def __getitem__(self, i: int) -> dict[str, Any]:
        """The i-th sample of this rank, whichever worker asks: what a map-style DataLoader needs. It always raises."""
        return self._sample(int(self._order()[self._share((0, 1))[i]]))

    def _locate(self, number: int) -> tuple[Row, int]:
        shard = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._rows[shard], number - int(self._starts[shard])

    def _key(self, number: int) -> str:
        row, at = self._locate(number)
        return row.keys[at]

    def _sample(self, number: int) -> dict[str, Any]:
        row, at = self._locate(number)
        tar = self._tar(row)
        wanted = self._members
        if wanted is None and self._decode:
            wanted = tuple(name for name in tar.index.suffixes if name in DECODERS)
        members = tar.read(at, wanted)
        if not self._decode:
            return {"key": row.keys[at], **members}
        return _decoded(row.keys[at], members, tar.path)

    def _tar(self, row: Row) -> Tar:
        """The open tar of a row; its bytes are compared once a process, and again when the file changes."""
        if row.name in self._tars:
            self._tars.move_to_end(row.name)
            return self._tars[row.name]
        path = self._source.path(row.name, row.sha256)
        found = _signature(path)
        check = "size" if self._verify == "full" and self._proved.get(row.name) == found else self._verify
        tar = Tar(path, size=row.bytes, sha256=row.sha256, keys=row.keys, check=check)
        self._proved[row.name] = found
        self._tars[row.name] = tar
        if len(self._tars) > OPEN_TARS:
            self._tars.popitem(last=False)[1].close()
        return tar

    def __getstate__(self) -> dict[str, Any]:
        """Without open files, for a worker of another process."""
        return {**self.__dict__, "_tars": OrderedDict(), "_proved": {}}

    # Resuming.

    def state_dict(self, seen: int | None = None) -> State:
        """Where the epoch stands, valid for any other number of ranks and workers.

        Any consumer's state is the state of all when each has given out equally many samples. A DataLoader
        reads ahead: pass `seen`, how many samples this rank has trained on since iterating began.
        """
        position = self._position if seen is None else self._start + seen * self._world
        return State(
            digest=self.digest,
            split=self.split,
            seed=self.seed,
            shuffle=self.shuffle,
            epoch=self.epoch,
            position=min(position, int(self._starts[-1])),
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. ConfigError where the state is of another dataset, split, seed or shuffle."""
        for name in ("digest", "split", "seed", "shuffle"):
            if state[name] != getattr(self, name):
                ours = getattr(self, name)
                raise ConfigError(f"state has {name} {state[name]}, these shards {ours}: resume with the same")
        self.epoch = int(state["epoch"])
        self._start = self._position = int(state["position"])


def as_torch_iterable(shards: Shards) -> Any:
    """The shards as a torch IterableDataset: DataLoader workers then deal the samples among themselves."""
    from torch.utils.data import IterableDataset

    class TorchShards(IterableDataset):  # type: ignore[misc]
        def __iter__(self) -> Iterator[dict[str, Any]]:
            return iter(shards)

        def __len__(self) -> int:
            return len(shards)

        def __reduce__(self) -> tuple[Any, ...]:
            return as_torch_iterable, (shards,)

    return TorchShards()
