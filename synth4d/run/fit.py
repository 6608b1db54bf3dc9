"""Radiance fields of scenes: views drawn by the splat renderer, the fit, how good it is, and the cache of fits.

A fit is kept under the digest of all it follows from (scene, seed, settings, code of the rooms that shape it, versions,
device): `<digest>.npz`, the field, and beside it `<digest>.json`, its sha256 and its quality on held-out views. What
is found is used only where the sha256 holds.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib import metadata
from itertools import islice
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from synth4d import disk, seeds
from synth4d.config import Mix, Nerf, RunConfig
from synth4d.errors import ConfigError, SynthError
from synth4d.records import Record, dump
from synth4d.run import plan, shelf
from synth4d.run.plan import SceneRef
from synth4d.run.views import views
from synth4d.types import Clip

ROOMS = frozenset({"scene", "motion", "physics", "render", "nerf", "geometry", "rays", "tracer", "types", "seeds"})
"""What shapes a fit, with VIEWS."""
VIEWS = Path(__file__).with_name("views.py")


class FitRecord(Record):
    """What lies beside the weights."""

    sha256: str
    """Of the field's file."""
    scene: str
    layout: int
    seed: int
    settings: dict[str, object]
    device: str
    steps: int
    """Done; fewer than asked for where the fit stopped early."""
    psnr_db: float
    """Over the pixels of held-out views."""
    depth_m: float
    """Median error along the optical axis, likewise."""
    ids: float
    """Share of pixels with the right id, likewise."""
    seconds: float


def fit(
    scene: SceneRef, settings: Nerf, seed: int, *, cache: Path | None = None, device: str = "auto",
    force: bool = False, quiet: bool = False,
) -> tuple[Path, FitRecord]:  # fmt: skip
    """The field of a layout of a scene, from the cache or fitted now. Raises SynthError where it did not converge,
    unless forced."""
    folder, device = cache or shelf.place("nerf"), _device(device)
    path = folder / f"{_key(scene, settings, seed, device)}.npz"
    record = _kept(path)
    if record is None:
        record = _make(scene, settings, seed, device, path, quiet)
    elif not quiet:
        print(f"NeRF of {scene.name}, layout {settings.layout}: {quality(record)}, fitted before", file=sys.stderr)
    if record.psnr_db < settings.floor_db and not force:
        raise SynthError(
            f"the NeRF of {scene.name} did not converge: {record.psnr_db:.1f} dB on held-out views, below "
            f"nerf.floor_db={settings.floor_db:g}; give it more nerf.steps, take it as it is (--set nerf.floor_db=0, "
            "or fit --force), or draw still shots with --set static_renderer=splat"
        )
    return path, record


def quality(r: FitRecord) -> str:
    return f"{r.psnr_db:.1f} dB, depth {1000 * r.depth_m:.1f} mm off (median), {r.ids:.1%} of ids right"


def settled(config: RunConfig, quiet: bool, *, here: bool = True) -> RunConfig:
    """The config with what it leaves to this machine chosen, and said: `auto` becomes a renderer, and one that draws
    still rooms only gets no shots in which something happens. Raises ConfigError where shots are made `here` and what
    draws them is not."""
    from synth4d.render import gpu

    if config.renderer == "auto":
        why = gpu.why_not()
        config = config.model_copy(update={"renderer": "splat" if why else "splat-cuda"})
        if not quiet and gpu.devices():
            print(f"renderer: {config.renderer} ({why or 'a GPU is there'})", file=sys.stderr)
    needs: dict[str, Callable[[], str | None]] = {"splat-cuda": gpu.why_not, "mesh": _no_mesh}
    for name in (config.renderer, config.static_renderer):
        if here and name in needs and (missing := needs[name]()):
            raise ConfigError(f"renderer {name}: {missing}; or choose splat")
    mix = config.mix
    if config.renderer != "nerf" or not mix.dynamic:
        return config
    mix = Mix(dynamic=0, twin=0, static=max(1, mix.static), control=mix.control)
    if not quiet:
        print(f"the nerf renderer draws still rooms: static {mix.static}, control {mix.control}", file=sys.stderr)
    return config.model_copy(update={"mix": mix})


def _no_mesh() -> str | None:
    from synth4d.render import mesh

    return mesh.why_not()


def fitted(config: RunConfig, scenes: tuple[SceneRef, ...], quiet: bool) -> tuple[SceneRef, ...]:
    """The scenes with the fields that shots of the plan are drawn by."""
    round = len(scenes) * sum(config.mix.model_dump().values())
    wanted = {s.scene for s in islice(plan.make(config, scenes, {}), round) if s.renderer == "nerf"}

    def with_field(scene: SceneRef) -> SceneRef:
        if scene.name not in wanted or scene.broken:
            return scene
        path, record = fit(scene, config.nerf, config.seed, quiet=quiet)
        return replace(scene, field=str(path), field_digest=record.sha256)

    return tuple(map(with_field, scenes))


# ---- Fit -----------------------------------------------------------------------------------------


def _make(scene: SceneRef, settings: Nerf, seed: int, device: str, path: Path, quiet: bool) -> FitRecord:
    """Fit, judge and keep."""
    from synth4d.nerf import field, train
    from synth4d.render.clip import BACKGROUND

    start, done = time.monotonic(), 0
    learned, held = views(scene.path, settings, seed)
    title = f"NeRF of {scene.name}, layout {settings.layout}"
    with _progress(title, settings.steps, quiet) as say:

        def report(steps: int, psnr: float) -> None:
            nonlocal done
            done = steps
            say(steps, psnr)

        dice = seeds.seed(seed, scene.name, settings.layout, "nerf")
        made = train.train(learned, held, settings, BACKGROUND, dice, device, report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"{path.parent}: can't be written: {e.strerror}; choose another --cache") from None
    field.save(made, path, settings=settings.model_dump(mode="json"))
    psnr, depth, ids = judge(made, held)
    record = FitRecord(
        sha256=disk.file_sha256(path), scene=scene.name, layout=settings.layout, seed=seed,
        settings=settings.model_dump(mode="json"), device=device, steps=done, psnr_db=round(psnr, 3),
        depth_m=round(depth, 6), ids=round(ids, 5), seconds=round(time.monotonic() - start, 1),
    )  # fmt: skip
    disk.write_atomic(path.with_suffix(".json"), dump(record) + b"\n")
    if not quiet:
        print(f"{title}: {quality(record)}, {record.seconds:.0f} s", file=sys.stderr)
    return record


def judge(made: object, held: Clip) -> tuple[float, float, float]:
    """PSNR in dB, median error of depth in metres and share of right ids, of a field drawn as it will be."""
    from synth4d.nerf.field import Field
    from synth4d.nerf.march import Marcher
    from synth4d.render.nerf import draw

    assert isinstance(made, Field)
    seen = draw(Marcher(made), held.camera)
    error = np.mean((seen.rgb.astype(np.float64) - held.rgb) ** 2) / 255**2
    there = held.depth_z_m > 0
    off = np.abs(seen.depth_z_m - held.depth_z_m)[there]
    return float(-10 * np.log10(max(error, 1e-10))), float(np.median(off)), float(np.mean(seen.ids == held.ids))


def _device(name: str) -> str:
    """`auto`: a CUDA device where there is one."""
    from synth4d.nerf.studio import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device; use --device cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


# ---- Cache ---------------------------------------------------------------------------------------


def _key(scene: SceneRef, settings: Nerf, seed: int, device: str) -> str:
    versions = {p: metadata.version(p) for p in ("numpy", "scipy", "mujoco", "torch", "nerfstudio")}
    shapes = settings.model_dump(mode="json", exclude={"floor_db"})
    code = [plan.rooms_digest(ROOMS), disk.file_sha256(VIEWS)]
    parts = [scene.name, scene.digest, shapes, seed, device, versions, code]
    return hashlib.sha256(dump(parts)).hexdigest()[:32]


def _kept(path: Path) -> FitRecord | None:
    """What lies beside a field that is whole; None: fit it (anew)."""
    try:
        record = FitRecord.model_validate_json(path.with_suffix(".json").read_bytes())
        if hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
            return None
        path.touch()  # its last use, for gc
        return record
    except (FileNotFoundError, ValidationError):
        return None


def _progress(title: str, steps: int, quiet: bool) -> AbstractContextManager[Callable[[int, float], None]]:
    """A bar on a terminal, a line a look elsewhere; all of it goes to stderr."""
    if quiet:
        return nullcontext(lambda step, psnr: None)
    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext(
            lambda step, psnr: print(f"{title}: {step}/{steps} steps · {psnr:.1f} dB", file=sys.stderr, flush=True)
        )
    return _Bar(title, steps, console)


class _Bar:
    def __init__(self, title: str, steps: int, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=32), TimeElapsedColumn(),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[note]}", style="dim"),
        )  # fmt: skip
        self._bar = Progress(*columns, console=console, refresh_per_second=4)
        self._task = self._bar.add_task(title, total=steps, note="")

    def __enter__(self) -> Callable[[int, float], None]:
        self._bar.start()
        return lambda step, psnr: self._bar.update(self._task, completed=step, note=f"{psnr:.1f} dB")

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
