"""What is kept between runs: no byte depends on it, it is checked, it keeps to its size, and gc leaves what is used."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import time
from dataclasses import fields, replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import grimp
import pytest

from synth4d import cli, config, disk, run
from synth4d.cli.text import outcome
from synth4d.errors import CannotHappen, SynthError
from synth4d.render.choose import MODULES
from synth4d.run import film, folder, kept, shelf, stages
from synth4d.run.film import Filmed
from synth4d.run.plan import SceneRef
from synth4d.run.work import Clock
from synth4d.types import Shot

SCENE = SceneRef("toy", "0" * 64, "toy")
SHOT = Shot(
    key="toy-000000-static-000000", index=0, scene="toy", kind="static", run_seed=0, layout=0, split="train", frames=2,
    fps=4.0, width=32, height=24,
)  # fmt: skip
MADE = Filmed({"mp4": b"video" * 99, "facts.json": b"{}"}, b"viewed", b"[]")


def boxes(cache: Path) -> list[Path]:
    return sorted((cache / "synth4d" / "clips").glob("*/*.box"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---- Runs ----------------------------------------------------------------------------------------


@pytest.fixture
def warm(cache: Path, toy_dataset: Path) -> Path:
    shutil.copytree(toy_dataset.parent / "kept", cache)
    return cache


def test_with_kept_clips_nothing_is_filmed_and_no_byte_differs(
    warm: Path, toy_config: config.RunConfig, toy_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "film", lambda *a: pytest.fail("filmed"))
    end = run.dataset(toy_config, tmp_path / "a", workers=0, quiet=True)
    assert end.record.digest == disk.digest(toy_dataset) and end.clips == {"taken": len(boxes(warm))}
    fewer = toy_config.model_copy(update={"questions": 5, "splits": {"train": 1.0}})
    other = run.dataset(fewer, tmp_path / "b", workers=0, quiet=True).record
    assert other.questions < end.record.questions and other.frames == end.record.frames


def test_a_damaged_clip_is_made_anew_and_said(
    warm: Path, toy_config: config.RunConfig, toy_dataset: Path, tmp_path: Path
) -> None:
    path = max(boxes(warm), key=lambda p: p.stat().st_size)
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    end = run.dataset(toy_config, tmp_path / "a", workers=0, quiet=True)
    assert end.record.digest == disk.digest(toy_dataset)
    assert end.clips["damaged"] == end.clips["made"] == 1 and "damaged and made anew" in outcome(end)
    assert path.read_bytes() == whole


def test_an_edited_scene_stops_the_run_instead_of_being_kept(
    cache: Path, toy_config: config.RunConfig, tmp_path: Path
) -> None:
    (toy,) = stages.scenes(toy_config.scenes)
    with pytest.raises(SynthError, match="changed since the run began"):
        run.dataset(toy_config, tmp_path / "a", workers=0, scenes=(replace(toy, digest="0" * 64),), quiet=True)
    assert not boxes(cache)


# ---- What a clip is kept by ----------------------------------------------------------------------


def test_every_room_that_shapes_a_clip_is_in_its_key() -> None:
    graph = grimp.build_graph("synth4d", exclude_type_checking_imports=True)
    found = graph.find_upstream_modules("synth4d.run.film")
    for module in MODULES.values():
        found |= {f"synth4d.render.{module}"} | graph.find_upstream_modules(f"synth4d.render.{module}")
    rooms = {name.split(".")[1] for name in found}
    assert rooms <= kept.ROOMS | {"errors", "disk", "yamlfile"}  # which say what is wrong, and read files
    assert not rooms & {"ask", "filter", "program", "config", "llm"}


def key(shot: Shot, settings: config.RunConfig, scene: SceneRef = SCENE, attempt: int = 0) -> object:
    return kept._about(shot, settings.whatif, scene, attempt)


def test_all_of_a_shot_but_its_split_is_in_the_key_and_of_the_config_only_what_films() -> None:
    plain = config.RunConfig()
    for field in fields(Shot):
        value = getattr(SHOT, field.name)
        other = value + 1 if isinstance(value, int | float) else "splat-cuda" if field.name == "renderer" else "other"
        try:
            changed = key(replace(SHOT, **{field.name: other}), plain)
        except PackageNotFoundError:  # of a renderer that is not installed
            continue
        assert (changed == key(SHOT, plain)) == (field.name in ("split", "field")), field.name
    drawn = replace(SHOT, field="a.npz")
    assert key(drawn, plain, replace(SCENE, field_digest="1")) != key(drawn, plain, replace(SCENE, field_digest="2"))
    assert key(SHOT, plain, replace(SCENE, digest="1")) != key(SHOT, plain) != key(SHOT, plain, attempt=1)
    assert key(SHOT, plain) != key(SHOT, plain.model_copy(update={"whatif": 0.25}))


def test_what_cannot_happen_is_kept_and_what_was_made_amid_an_edit_is_not(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed, answer = list[int](), {0: CannotHappen("the door is blocked")}

    def fake(shot: Shot, whatif: float, scene: SceneRef, attempt: int, clock: Clock) -> Filmed:
        filmed.append(attempt)
        if attempt in answer:
            raise answer[attempt]
        return MADE

    monkeypatch.setattr(film, "film", fake)
    for _ in range(2):
        with pytest.raises(CannotHappen, match="the door is blocked"):
            kept.filmed(SHOT, config.RunConfig(), SCENE, 0, Clock(None))
        assert kept.filmed(SHOT, config.RunConfig(), SCENE, 1, Clock(None)) == MADE
    assert filmed == [0, 1]
    off = config.RunConfig.model_validate({"cache": {"max_gb": 0.0}})
    kept.filmed(SHOT, off, SCENE, 1, Clock(None))
    kept.filmed(SHOT, off, SCENE, 2, Clock(None))
    assert filmed == [0, 1, 1, 2] and len(boxes(cache)) == 2
    monkeypatch.setattr(kept, "code", lambda: "of another second")
    clock = Clock(None)
    kept.filmed(SHOT, config.RunConfig(), SCENE, 3, clock)
    assert clock.counts == {"made": 1, "not kept": 1} and len(boxes(cache)) == 2


# ---- The shelf -----------------------------------------------------------------------------------


def name(n: int) -> str:
    return hashlib.sha256(b"%d" % n).hexdigest()


def test_a_shelf_stays_within_its_size_and_the_unused_goes_first(tmp_path: Path) -> None:
    most = 50_000
    for n in range(60):
        assert shelf.Shelf(tmp_path, most).put(name(n), {}, {"a": bytes(n * 37 % 4000)})
        size = sum(p.stat().st_size for p in tmp_path.glob("*/*"))
        assert size <= most
        for age, used in enumerate((n, 0)):  # box 0 is used again and again
            os.utime(shelf.Shelf(tmp_path, most).path(name(used)), (1e9 + n, 1e9 + n - age / 2))
    there = [n for n in range(60) if shelf.Shelf(tmp_path, most).path(name(n)).exists()]
    assert there == [0, *range(there[1], 60)] and size > most // 2


def test_no_damage_of_a_box_is_taken(tmp_path: Path) -> None:
    one = shelf.Shelf(tmp_path, 10**6)
    one.put(name(0), {"a": 1}, {"b": b"c" * 600})
    whole = one.path(name(0)).read_bytes()
    assert one.take(name(0)) == ({"a": 1}, {"b": b"c" * 600}) and one.take(name(1)) == "missing"
    for n in range(0, len(whole), 5):
        for damaged in (whole[:n], whole[:n] + bytes([whole[n] ^ 0x10]) + whole[n + 1 :]):
            one.path(name(0)).write_bytes(damaged)
            assert one.take(name(0)) == "damaged"


def at_work(folder: Path, seed: int) -> None:
    one = shelf.Shelf(folder, 20_000)
    for n in range(80):
        n = n * (2 * seed + 1) % 23
        found = one.take(name(n))
        assert found == "missing" or found == ({}, {"a": b"%d" % n * 900}), found
        if found == "missing":
            assert one.put(name(n), {}, {"a": b"%d" % n * 900})


def test_many_may_use_a_shelf_at_once(tmp_path: Path) -> None:
    together = [multiprocessing.get_context("fork").Process(target=at_work, args=(tmp_path, s)) for s in range(4)]
    for process in together:
        process.start()
    for process in together:
        process.join()
    assert [process.exitcode for process in together] == [0] * 4


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert not shelf.Shelf(tmp_path / "file", 10**6).put(name(0), {}, {})
    monkeypatch.setattr(shelf, "SPARE_BYTES", 1 << 60)
    assert not shelf.Shelf(tmp_path / "full", 10**6).put(name(0), {}, {})


# ---- gc ------------------------------------------------------------------------------------------


def aged(path: Path, days: float, size: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    then = time.time() - days * 86400
    os.utime(path, (then, then))
    return path


def test_gc_removes_the_old_the_forgotten_and_the_too_much_but_nothing_in_use(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = cache / "synth4d"
    old = [aged(root / "clips/aa/aa1.box", 40), aged(root / "nerf/old.npz", 40), aged(root / "nerf/old.json", 1)]
    forgotten = [aged(root / f"clips/aa/aa2.box{disk.TEMPORARY}1-2", 2), aged(root / "runs/gone/a.shot", 40)]
    young = [aged(root / "clips/bb/bb1.box", 20), aged(root / "nerf/new.npz", 10), aged(root / "clips/bb/bb2.box", 5)]
    used, live = aged(root / "nerf/used.npz", 90), aged(root / "runs/live/a.shot", 90)
    fresh = aged(root / f"clips/aa/aa3.box{disk.TEMPORARY}1-3", 0)
    everything = [*old, *forgotten, *young, used, live, fresh]
    with shelf.held(used), folder.locked(live.parent):
        assert cli.run(["gc", "--dry-run"]) == 0
        assert all(path.exists() for path in everything)
        would = capsys.readouterr().out
        assert cli.run(["gc"]) == 0
        said = capsys.readouterr().out
        assert said.splitlines()[:-1] == would.splitlines()[:-1] and said.count("1 in use stay") == 2
        assert not any(path.exists() for path in (*old, *forgotten))
        assert all(path.exists() for path in (*young, used, live, fresh))
        assert cli.run(["gc", "--max-gb", "0.0000015"]) == 0  # room for one of a thousand bytes, and for none held
        assert [path.exists() for path in young] == [False, False, True] and used.exists()
    assert cli.run(["gc", "--older-than", "0s"]) == 0
    assert not any(path.exists() for path in (*young, used, live)) and fresh.exists()


@pytest.mark.parametrize("wrong", ["30", "d", "-1d", "1y"])
def test_gc_takes_ages_only(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gc", f"--older-than={wrong}"]) == 2 and "must be a number with" in capsys.readouterr().err
