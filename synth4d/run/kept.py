"""Clips that were made before: simulated, rendered and annotated, kept under the digest of all that shaped them.

That is the shot, its scene and field, the sources and compiled parts of the rooms between plan and clip, and what they
run on. A prompt, a margin or an author is not among it, so a run that changed those only asks and filters anew. An
attempt that could not happen is kept too, as its reason.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from synth4d import machine
from synth4d.config import RunConfig
from synth4d.errors import CannotHappen
from synth4d.records import JSON, dump
from synth4d.run import film, plan
from synth4d.run.film import Filmed
from synth4d.run.plan import SceneRef
from synth4d.run.shelf import Found, Shelf, place
from synth4d.types import Shot

if TYPE_CHECKING:
    from synth4d.run.work import Clock

ROOMS = frozenset({
    "_packing", "_tracer", "annotate", "codec", "geometry", "machine", "motion", "nerf", "npz", "packing", "physics",
    "rays", "records", "render", "scene", "seeds", "splats", "tracer", "types", "vessel", "vocabulary",
})  # fmt: skip
"""What shapes a clip, with film.py; a test holds this against what film.py imports."""
OF_NO_CLIP = ("split", "field")
"""Parts of a shot that do not shape its clip: a field counts by its digest, not by its path."""
DRAWN_BY = {"splat-cuda": ("torch", "gsplat"), "mesh": ("pyrender", "PyOpenGL")}
"""Packages beyond plan.LIBRARIES that a renderer's pictures depend on."""


def filmed(shot: Shot, config: RunConfig, scene: SceneRef, attempt: int, clock: Clock) -> Filmed:
    """film.film, once: what was made before is taken where it is whole, CannotHappen too."""
    most = int(config.cache.max_gb * 1e9)
    if not most:
        return film.film(shot, config.whatif, scene, attempt, clock)
    shelf, about = _shelf(place("clips"), most), _about(shot, config.whatif, scene, attempt)
    key = hashlib.sha256(dump(about)).hexdigest()
    found = shelf.take(key)
    if not isinstance(found, str):
        clock.count("taken")
        return _opened(found, clock)
    clock.count("made")
    if found == "damaged":
        clock.count("damaged")

    def keep(head: JSON, parts: dict[str, bytes]) -> None:
        # What was made while somebody changed the sources is of neither the old nor the new ones.
        if code() != about["code"] or not shelf.put(key, head | {"about": about}, parts):
            clock.count("not kept")

    try:
        made = film.film(shot, config.whatif, scene, attempt, clock)
    except CannotHappen as reason:
        keep({"cannot": str(reason)}, {})
        raise
    parts = {f"member/{name}": raw for name, raw in made.members.items()}
    keep({}, parts | {"viewed": made.viewed, "absent": made.absent})
    return made


@cache
def _shelf(folder: Path, max_bytes: int) -> Shelf:
    return Shelf(folder, max_bytes)


def _opened(found: Found, clock: Clock) -> Filmed:
    head, parts = found
    if "cannot" in head:
        raise CannotHappen(head["cannot"])
    clock.passed(*film.STAGES)
    members = {k.removeprefix("member/"): v for k, v in parts.items() if k.startswith("member/")}
    return Filmed(members, parts["viewed"], parts["absent"])


# ---- What shapes a clip --------------------------------------------------------------------------


def _about(shot: Shot, whatif: float, scene: SceneRef, attempt: int) -> JSON:
    """All of it; the digest of this is the clip's key."""
    own = {name: value for name, value in asdict(shot).items() if name not in OF_NO_CLIP}
    field = scene.field_digest if shot.field else ""
    return {
        "shot": own, "attempt": attempt, "whatif": whatif, "scene": scene.digest, "field": field,
        **_surroundings(shot.renderer),
    }  # fmt: skip


@cache
def _surroundings(renderer: str) -> JSON:
    """The code and the machine, as they were when this process first asked."""
    from synth4d import codec, digests

    packages = (*plan.LIBRARIES, *DRAWN_BY.get(renderer, ()))
    versions = {name: metadata.version(name) for name in packages}
    driver = [path.read_text() for path in _driver() if path.is_file()] if renderer == "splat-cuda" else []
    return {
        "code": code(), "versions": versions | codec.versions(), "machine": digests.machine(),
        "settled": machine.settled(), "driver": driver,
    }  # fmt: skip


def _driver() -> list[Path]:
    root = Path("/proc/driver/nvidia")
    return [root / "version", *sorted(root.glob("gpus/*/information"))]


def code() -> str:
    """sha256 over ROOMS, with their compiled parts, which may be of older sources, and over film.py."""
    rooms = plan.rooms_digest(ROOMS, plan.CODE + plan.COMPILED)
    return hashlib.sha256(rooms.encode() + Path(film.__file__).read_bytes()).hexdigest()
