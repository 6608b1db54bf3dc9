"""Rows 26, 44 and 45: scenes of odd names, broken scenes, datasets of hardly anything."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import clips
import hostile
from runs import HERE, here

from chaos.table import Found, row
from synth4d import cli, config, dataset, report, run
from synth4d.config import RunConfig
from synth4d.errors import SynthError
from synth4d.records import dump
from synth4d.run.work import Clock, Made
from synth4d.stream import Shards
from synth4d.types import Sample, Shot

STORED = HERE / "golden" / "dataset_1"

NAMES = [
    *("厨房", "🍲", "кухня", "مطبخ", "ครัว", "キッチン", "d’été", "küche", unicodedata.normalize("NFD", "küche")),
    *("a b", " a", "a ", "a  b", "a\tb", "a\nb", "a.b", "a.v2", "a.v2-000", ".a", "a.", "...", "a..b", "-a", "--out"),
    *("-", "_", "A", "a", "CON", "con", "NUL", "nul.txt", "aux", "COM1", "~", "~root", "$HOME", "$(touch canary)"),
    *("`id`", "a;touch canary", "a|b", "a&b", "a>b", "a'b", 'a"b', "a\\b", "a:b", "a*b", "a?b", "a%00b", "%2e%2e"),
    *("{a,b}", "[a]", "a#b", "a=b", "a,b", "a@b", "0", "1e9", "null", "true", "x" * 200, "厨" * 80, "\u202ea"),
    *("a\u200bb", "\ufeffa", "<img src=x onerror=alert(1)>", "a\x7f", "\x1b[31mred"),
]  # fmt: skip
"""What people call folders, and what others would call them."""


def scene(folder: Path, name: str, of: Path) -> Path:
    """A copy of the toy scene under a name of its own, in a folder of any name."""
    home = of / folder
    shutil.copytree(hostile.ROOT / "scenes" / "toy", home)
    path = home / "scene.yaml"
    path.write_text(path.read_text().replace("scene: toy", f"scene: {name}", 1))
    return path


@functools.cache
def stored() -> Sample:
    """A sample that reports can show."""
    return next(dataset.read_shard(STORED, dataset.read_manifest(STORED)[0]))


def work(shot: Shot, config: RunConfig, scene: str, attempt: int, clock: Clock) -> Made:
    return Made(stored().members, [], shot.frames, 0)


def made(out: Path, paths: list[Path], shots: int) -> run.Outcome:
    """A run over scenes that are truly loaded."""
    settings = config.load(None, {"scenes": [str(p) for p in paths], "shots": shots}, ("shard_samples=4",))
    return run.dataset(settings, out, workers=0, work=work, page=report.write, quiet=True)


def said(*command: str) -> tuple[int, list[str]]:
    """A command's exit code and its lines of error."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = cli.run(list(command))
    return code, [line for line in errors.getvalue().splitlines() if line.startswith(("error:", "problem:"))]


@row(
    "26", "scenes in folders of odd names are each made; as names of scenes they are refused", short=0, long=len(NAMES)
)
def odd_names(folder: Path, tries: int, found: Found) -> None:
    shutil.copy(hostile.ROOT / "scenes" / "props.yaml", folder / "props.yaml")
    paths = [scene(Path(name), f"scene_{n}", folder) for n, name in enumerate(NAMES[:tries])]
    end = made(folder / "out", paths, tries)
    keys = {key for r in dataset.read_manifest(folder / "out") for key in r.keys}
    lost = {r.scene: r.reason for r in dataset.read_quarantine(folder / "out")}
    parted = {name for name in NAMES[:tries] if "\\" in name}  # MuJoCo takes it for a separator, which is said
    found.expect(set(lost) == parted, f"lost: {lost}")
    found.expect(len(keys) == end.record.committed == tries - len(lost), f"{len(keys)} of {tries} are made")
    for n, name in enumerate(NAMES[:tries]):
        path = paths[n]
        path.write_text(path.read_text().replace(f"scene: scene_{n}", f"scene: {name!r}", 1))
        lines = said("dataset", str(path), "--shots", "1", "--workers", "0", "--out", str(folder / "no"))
        plain = name.isascii() and name.isalnum() and name.islower() and len(name) < 40
        found.expect(plain or (lines[0] == 2 and len(lines[1]) == 1), f"scene: {name!r}: {lines}")
        found.tries += 1


@row("44", "a broken scene among 20: the others are made, the report says which, exit 3", short=2, long=6)
def broken_scene(folder: Path, tries: int, found: Found) -> None:
    shutil.copy(hostile.ROOT / "scenes" / "props.yaml", folder / "props.yaml")
    paths = [scene(Path(f"s{n}"), f"s{n}", folder) for n in range(20)]
    sound = {p: p.read_bytes() for path in paths for p in (path, path.parent / "room.xml")}
    for n in range(tries):
        file = list(sound)[7 * n % 40]
        file.write_bytes([sound[file][: len(sound[file]) // 2], b"\0" + sound[file], b""][n % 3])
        out, bad = folder / f"out{n}", file.parent.name
        try:
            end = made(out, paths, 40)
        except SynthError as error:
            found.violations.append(f"{file}: nothing was made: {error}")
            continue
        rows, page = dataset.read_quarantine(out), (out / report.PAGE).read_text()
        found.expect(end.exit_code == 3 and end.record.committed == 38, f"{file}: {end.record.committed} of 38 made")
        found.expect({r.scene for r in rows} == {bad} and len(rows) == 2, f"{file}: quarantined {rows}")
        found.expect(all(file.name in r.reason and str(folder) not in r.reason for r in rows), f"{file}: {rows}")
        found.expect(all(r.key in page for r in rows), f"{file}: not in the report")
        found.expect(made(out, paths, 40).redone == 0, f"{file}: made again")
        file.write_bytes(sound[file])
        found.tries += 1


def failed(out: Path) -> object:
    os.environ["FAKE"] = ",".join(f"{i}:never" for i in range(5))
    try:
        return here(out, shots=5)
    finally:
        del os.environ["FAKE"]


def one_frame(out: Path) -> object:
    smoke = str(hostile.ROOT / "pipelines" / "smoke.yaml")
    options = ["--config", smoke, "--shots", "1", "--workers", "0", "--out", str(out)]
    return said("dataset", "toy", *options, "--set", "frames=1", "mix={dynamic: 0, twin: 0, static: 1, control: 0}")


def no_question(out: Path) -> object:
    sample = Sample(stored().key, stored().members | {"qa.json": dump([])})
    rows = clips.dataset(out, {"train-000000.tar": [sample]})
    return clips.seal(out, rows, config=dataset.read_dataset(STORED).config, frames=2)


HARDLY: list[tuple[str, Callable[[Path], object], int]] = [
    ("every shot failed", failed, 0), ("one shot of one frame", one_frame, 1), ("no question kept", no_question, 1),
]  # fmt: skip


@row("45", "no sample, one of one frame, no question: whole, and every command copes", short=3, long=3)
def hardly_anything(folder: Path, tries: int, found: Found) -> None:
    for what, make, samples in HARDLY[:tries]:
        out = folder / make.__name__
        make(out)
        record = dataset.read_dataset(out)
        read = [s for split in record.splits for s in Shards(out, split=split)]
        found.expect((record.committed, len(read), len(list(out.glob("*.tar")))) == (samples,) * 3, f"{what}: {record}")
        for command in ("verify", "stats", "digest", "browse"):
            code, lines = said(command, str(out))
            found.expect(code == 0, f"{what}: {command}: {code} {lines}")
        found.tries += 1
