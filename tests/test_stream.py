"""The training side: every sample once, in an order known beforehand, from whole files only."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import clips
import numpy as np
import pytest
from clips import KEYS

from synth4d import codec
from synth4d.errors import ConfigError, ShardError
from synth4d.stream import Shards, as_torch_iterable


@pytest.fixture(scope="module")
def decodable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decodable")
    clips.dataset(folder, {"train-000000.tar": [clips.encoded(f"toy-{i}", i) for i in range(3)]})
    return folder


def keys(shards: Shards) -> list[str]:
    return [sample["key"] for sample in shards]


# ---- Samples -------------------------------------------------------------------------------------


def test_a_decoded_sample_is_its_clip(decodable: Path) -> None:
    for i, sample in enumerate(Shards(decodable, shuffle=False)):
        made = codec.decode(clips.encoded(f"toy-{i}", i).members)
        assert set(sample) == {"key", "rgb", "depth_z_m", "ids", "camera", "facts", "qa"}
        assert sample["key"] == f"toy-{i}" and sample["facts"] == {"key": f"toy-{i}"} and sample["qa"] == []
        assert sample["camera"]["fps"] == 8.0
        for name in ("rgb", "depth_z_m", "ids"):
            assert np.array_equal(sample[name], getattr(made, name))
            assert sample[name].dtype == getattr(made, name).dtype
            assert sample[name].flags.writeable


def test_bytes_and_chosen_members(decodable: Path) -> None:
    raw = next(iter(Shards(decodable, shuffle=False, decode=False)))
    assert raw == {"key": "toy-0"} | clips.encoded("toy-0", 0).members
    few = next(iter(Shards(decodable, shuffle=False, members=["qa.json", "ids.npz"])))
    assert set(few) == {"key", "qa", "ids"}
    with pytest.raises(ShardError, match=r"depth\.exr"):
        next(iter(Shards(decodable, members=["depth.exr"])))


# ---- Order ---------------------------------------------------------------------------------------


def test_order_is_known_beforehand_and_follows_from_seed_and_epoch(plain: Path) -> None:
    def order(seed: int, epoch: int) -> list[str]:
        shards = Shards(plain, seed=seed, epoch=epoch, decode=False)
        assert len(shards) == 31
        assert keys(shards) == shards.order() == [shards[i]["key"] for i in range(31)]
        return shards.order()

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(o) == KEYS for o in orders)
    assert len({tuple(o) for o in orders}) == 4
    assert orders[0] == order(0, 0)
    assert keys(Shards(plain, shuffle=False, decode=False)) == KEYS
    assert keys(Shards(plain, "test", shuffle=False, decode=False)) == ["zz-0", "zz-1"]


def test_the_order_of_this_seed_is_fixed_for_ever(plain: Path) -> None:
    first = [int(key[-2:]) for key in Shards(plain, seed=5, epoch=2).order()[:8]]
    assert first == [9, 6, 26, 30, 16, 24, 0, 8]


def test_an_epoch_set_later_has_its_own_order(plain: Path) -> None:
    shards = Shards(plain, seed=1, decode=False)
    first = shards.order()
    shards.set_epoch(1)
    assert keys(shards) == Shards(plain, seed=1, epoch=1).order() != first
    shards.set_epoch(0)
    assert shards.order() == first


@pytest.mark.parametrize(("world", "workers"), [(1, 1), (1, 3), (2, 1), (2, 2), (4, 2), (4, 4), (7, 5)])
def test_every_sample_once_over_ranks_and_workers(plain: Path, world: int, workers: int) -> None:
    whole, dealt = Shards(plain, seed=3).order(), []
    for rank in range(world):
        everyone = Shards(plain, seed=3, rank=rank, world_size=world)
        parts = [
            Shards(plain, seed=3, rank=rank, world_size=world, worker=(w, workers), decode=False)
            for w in range(workers)
        ]
        assert [len(part) for part in parts] == [len(keys(part)) for part in parts]
        assert sum(map(len, parts)) == len(everyone)
        assert sorted(k for part in parts for k in part.order()) == sorted(everyone.order())
        dealt += [part.order() for part in parts]
    assert sorted(k for part in dealt for k in part) == KEYS
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    for i, key in enumerate(whole):  # dealt like cards: rank first, then worker
        consumer = (i % world) * workers + i // world % workers
        assert dealt[consumer][i // (world * workers)] == key


def test_drop_last_gives_all_ranks_the_same_count(plain: Path) -> None:
    ranks = [Shards(plain, rank=r, world_size=4, drop_last=True) for r in range(4)]
    assert [len(r) for r in ranks] == [7] * 4
    assert len({k for r in ranks for k in r.order()}) == 28


def test_a_torch_worker_is_asked_where_torch_is_loaded(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = SimpleNamespace(id=1, num_workers=2)
    monkeypatch.setitem(sys.modules, "torch.utils.data", SimpleNamespace(get_worker_info=lambda: info))
    shards = Shards(plain, seed=3, decode=False)
    assert keys(shards) == Shards(plain, seed=3, worker=(1, 2)).order()
    assert shards[0]["key"] == Shards(plain, seed=3, worker=(0, 1)).order()[0], "map style: the sampler deals"


def test_it_becomes_an_iterable_dataset_of_torch(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(IterableDataset=type("IterableDataset", (), {}), get_worker_info=lambda: None)
    for name in ("torch", "torch.utils", "torch.utils.data"):
        monkeypatch.setitem(sys.modules, name, fake)  # type: ignore[arg-type]
    made = as_torch_iterable(Shards(plain, seed=3, decode=False))
    assert isinstance(made, fake.IterableDataset) and len(made) == 31
    again = pickle.loads(pickle.dumps(made))
    assert [s["key"] for s in again] == Shards(plain, seed=3, worker=(0, 1)).order()


def test_it_travels_to_another_process(plain: Path) -> None:
    shards = Shards(plain, seed=3, decode=False)
    shards[0]
    assert keys(pickle.loads(pickle.dumps(shards))) == shards.order()


# ---- Resuming ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("world", "workers", "then"), [(1, 1, (1, 1)), (2, 2, (1, 3)), (1, 3, (4, 1)), (3, 1, (2, 2))])
def test_an_epoch_goes_on_from_every_position_with_other_consumers(
    plain: Path, world: int, workers: int, then: tuple[int, int]
) -> None:
    whole = Shards(plain, seed=1, epoch=4).order()
    for step in range(31 // (world * workers) + 1):
        seen, state = [], None
        for rank in range(world):
            for worker in range(workers):
                first = Shards(
                    plain,
                    seed=1,
                    epoch=4,
                    rank=rank,
                    world_size=world,
                    worker=(worker, workers),
                    decode=False,
                )
                stream = iter(first)
                seen += [next(stream)["key"] for _ in range(step)]
                state = json.loads(json.dumps(first.state_dict()))
        assert sorted(seen) == sorted(whole[: step * world * workers])
        rest = []
        for rank in range(then[0]):
            for worker in range(then[1]):
                second = Shards(plain, seed=1, rank=rank, world_size=then[0], worker=(worker, then[1]), decode=False)
                second.load_state_dict(state)  # type: ignore[arg-type]
                assert len(second) == len(second.order())
                rest.append(keys(second))
        assert sorted(seen + [k for part in rest for k in part]) == KEYS
        if then == (1, 1):
            assert seen + rest[0] == whole


def test_states_chain_and_end(plain: Path) -> None:
    shards = Shards(plain, seed=1, decode=False)
    whole, seen = shards.order(), []
    for _ in range(40):
        stream = iter(shards)
        seen += [sample["key"] for sample in islice(stream, 3)]
        state = shards.state_dict()
        shards = Shards(plain, seed=1, decode=False)
        shards.load_state_dict(state)
        if len(shards) == 0:
            break
    assert seen == whole
    assert keys(shards) == [] and keys(shards) == whole, "after the end of an epoch it begins anew"


def test_a_loader_that_reads_ahead_says_what_was_seen(plain: Path) -> None:
    ranks = [Shards(plain, seed=1, rank=r, world_size=2, decode=False) for r in range(2)]
    trained = [ranks[r][i]["key"] for i in range(5) for r in range(2)]
    state = ranks[0].state_dict(seen=5)
    assert state == ranks[1].state_dict(seen=5)
    after = Shards(plain, seed=1, decode=False)
    after.load_state_dict(state)
    assert trained + keys(after) == Shards(plain, seed=1).order()
    after.set_epoch(1)
    assert len(after) == 31


@pytest.mark.parametrize("change", [{"seed": 9}, {"split": "test"}, {"shuffle": False}, {"digest": "x"}])
def test_a_state_of_something_else_is_refused(plain: Path, change: dict[str, object]) -> None:
    shards = Shards(plain)
    with pytest.raises(ConfigError, match=next(iter(change))):
        shards.load_state_dict({**shards.state_dict(), **change})


# ---- Elsewhere -----------------------------------------------------------------------------------


def test_plain_webdataset_reads_the_same_samples(decodable: Path, plain: Path) -> None:
    import webdataset

    for folder, names in (
        (decodable, ["train-000000.tar"]),
        (plain, [f"train-00000{i}.tar" for i in range(3)]),
    ):
        urls = [str(folder / name) for name in names]
        theirs = [
            {k: v for k, v in sample.items() if k not in ("__url__", "__local_path__")}
            for sample in webdataset.WebDataset(urls, shardshuffle=False)
        ]
        ours = [
            {"__key__" if k == "key" else k: v for k, v in sample.items()}
            for sample in Shards(folder, shuffle=False, decode=False)
        ]
        assert theirs == ours


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("synth4d", "numpy torch ray mujoco openai pydantic av"),
        ("synth4d.stream", "torch ray mujoco openai pydantic scipy av PIL webdataset trimesh fsspec"),
    ],
)
def test_imports_stay_light(module: str, heavy: str) -> None:
    script = f"import sys, {module}; print(*(m for m in {heavy.split()} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
