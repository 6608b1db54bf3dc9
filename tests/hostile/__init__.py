"""Hostile files, each with the command that a person would give it to, and what is to be said of it.

They try to be executed, to reach out of their folder, to explode in memory, and to be taken for what they are not.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from splat_files import some

from hostile import documents, fields, gaussians, models
from synth4d.splats import write_ply

ROOT = Path(__file__).resolve().parents[2]
CANARIES = ("canary", "touched")
"""Files that those which try to be executed would make in the working folder."""


@dataclass(frozen=True)
class Case:
    door: tuple[str, ...]
    """The command of `synth4d` that meets it."""
    write: Callable[[Path], object]
    """Makes it, in the folder that the command works in."""
    says: str
    """Pattern of the one line of error."""


def imported(name: str, *more: str) -> tuple[str, ...]:
    return ("import", name, "--out", "mine", "--name", "x", *more)


def bytes_at(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def all_cases() -> Iterator[tuple[str, Case]]:
    yield from _captures()
    yield from _models()
    yield from _scenes()


def _captures() -> Iterator[tuple[str, Case]]:
    for name, (data, says) in gaussians.FILES.items():
        yield name, Case(imported("x"), bytes_at("x", data), says)
    for name, (spoil, says) in fields.HOSTILE.items():
        if says != "ok":
            run = lambda folder, spoil=spoil: spoil(fields.nerfacto(folder))  # noqa: E731
            yield f"run: {name}", Case(imported("run", "--cameras", "c.json"), run, says)
    sets = {n: (json.dumps(r).encode(), says) for n, (r, says) in gaussians.CAMERAS.items() if "distortion" not in says}
    sets = {n: c for n, c in sets.items() if n != "fisheye"}  # import takes the places of cameras only
    sets |= {f"of {len(data)} bytes": (data, r"c\.json") for data in gaussians.NO_CAMERAS}
    for name, (data, says) in sets.items():

        def posed(folder: Path, data: bytes = data) -> None:
            write_ply(some(50), folder / "x.ply")
            (folder / "c.json").write_bytes(data)

        yield f"cameras: {name}", Case(imported("x.ply", "--cameras", "c.json"), posed, says)


def _models() -> Iterator[tuple[str, Case]]:
    for name, (file, data, says) in models.MESHES.items():
        yield name, Case(imported(file), bytes_at(file, data), says)
    for name, (old, new, says) in models.URDFS.items():

        def cabinet(folder: Path, old: str = old, new: str = new) -> None:
            models.changed(models.cabinet(folder) / "mobility.urdf", old, new)

        yield name, Case(imported("cab"), cabinet, says)
    for name, (old, new, says) in models.MJCFS.items():

        def room(folder: Path, old: str = old, new: str = new) -> None:
            models.beside(toy(folder), folder)
            models.changed(folder / "toy" / "room.xml", old, new)

        yield name, Case(("doctor", "toy/scene.yaml"), room, says)


def _scenes() -> Iterator[tuple[str, Case]]:
    made = ("dataset", "--out", "out", "--shots", "1", "--workers", "0")
    for name, (text, says) in documents.YAMLS.items():
        data = text.encode() if isinstance(text, str) else text

        def scene(folder: Path, data: bytes = data) -> None:
            (toy(folder) / "scene.yaml").write_bytes(data)

        yield f"scene: {name}", Case((*made, "toy/scene.yaml"), scene, rf"scene\.yaml.*{says}")
        if data:  # a run config may be empty
            yield (
                f"run: {name}",
                Case((*made, "--config", "run.yaml"), bytes_at("run.yaml", data), rf"run\.yaml.*{says}"),
            )
    for name, (old, new, says) in documents.SCENES.items():

        def reaching(folder: Path, old: str = old, new: str = new) -> None:
            models.changed(toy(folder) / "scene.yaml", old, new)
            (folder / "toy" / "link.xml").symlink_to(ROOT / "scenes" / "toy" / "room.xml")
            (folder / "toy" / "away").symlink_to(ROOT / "scenes" / "toy")

        yield name, Case(("fit", "--nerf", "toy/scene.yaml"), reaching, says)
    for name, (data, says) in gaussians.NPZ.items():

        def moving(folder: Path, data: bytes = data) -> None:
            captured(folder, tracks=data)

        yield f"tracks: {name}", Case((*made, "toy/scene.yaml"), moving, says)
    for name, (text, says) in documents.YAMLS.items():

        def annotated(folder: Path, text: str | bytes = text) -> None:
            captured(folder, things=text.encode() if isinstance(text, str) else text)

        yield f"things: {name}", Case(("doctor", "toy/scene.yaml"), annotated, rf"things\.yaml.*{says}")


def toy(folder: Path) -> Path:
    """A copy of the small scene to spoil."""
    shutil.copy(ROOT / "scenes" / "props.yaml", folder / "props.yaml")
    return Path(shutil.copytree(ROOT / "scenes" / "toy", folder / "toy"))


def captured(folder: Path, things: bytes = b"things: {}\n", tracks: bytes | None = None) -> None:
    """The small scene with Gaussians beside it."""
    home = toy(folder)
    write_ply(some(50), home / "room.ply")
    (home / "things.yaml").write_bytes(things)
    moves = ""
    if tracks is not None:
        (home / "tracks.npz").write_bytes(tracks)
        moves = ", tracks: tracks.npz"
    asset = f"- model: room.xml\n  - {{splats: room.ply, annotation: things.yaml{moves}}}"
    models.changed(home / "scene.yaml", "- model: room.xml", asset)


CASES = dict(all_cases())
