"""What a run needs of the machine, each checked by doing it."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from synth4d.errors import SynthError
from synth4d.run import cpus

NEED_DISK = 2 << 30
NEED_MEMORY = 2 << 30
MODULES = ("numpy", "scipy", "mujoco", "embreex", "av", "ray", "webdataset", "pydantic", "jinja2")


def examine() -> int:
    """Run every check, print a line each; 0 when all are well."""
    bad = 0
    for check in CHECKS:
        name = check.__name__.strip("_")
        try:
            print(f"ok    {name:<9} {check()}")
        except Exception as e:
            bad += 1
            text = " ".join(str(e).split())
            print(f"FAIL  {name:<9} {text if isinstance(e, SynthError) else f'{type(e).__name__}: {text}'}")
    return 1 if bad else 0


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}, {cpus()} cores"


def _modules() -> str:
    import importlib

    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError as e:
            raise SynthError(f"{name} can't be imported ({e}); run `make setup`") from None
    return ", ".join(f"{name} {metadata.version(name)}" for name in MODULES)


def _kernel() -> str:
    try:
        from synth4d.render.splat import BUILDS
    except ImportError as e:
        raise SynthError(f"the rasteriser is not built ({e}); run `make setup` with a C++ compiler") from None
    return f"splat rasteriser for {BUILDS[0]} (this processor runs {', '.join(BUILDS)})"


def _renderers() -> str:
    """Which can draw here, and what the others lack; `splat` alone has to."""
    from synth4d.render import gpu, mesh

    lacks = {"nerf": _no_nerf(), "mesh": mesh.why_not(), "splat-cuda": gpu.why_not()}
    here = ", ".join(["splat", *(name for name, reason in lacks.items() if not reason)])
    return "; ".join([here, *(f"no {name}: {reason}" for name, reason in lacks.items() if reason)])


def _no_nerf() -> str | None:
    try:
        from synth4d.nerf import studio  # noqa: F401
    except SynthError as problem:
        return str(problem)
    return None


def _scenes() -> str:
    from synth4d.scene import load

    names = [load.load(p).name for f in load.scene_folders() for p in sorted(f.glob("*/scene.yaml"))]
    if not names:
        raise SynthError("no scene found; run from a checkout or give a scene.yaml")
    return f"{', '.join(dict.fromkeys(names))}: files and packages found"


def _physics() -> str:
    import mujoco

    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    for _ in range(10):
        mujoco.mj_step(model, data)
    if not data.qpos[2] < 0:
        raise SynthError("a body in mujoco does not fall; install mujoco again")
    return f"mujoco {mujoco.__version__} steps"


def _video() -> str:
    import av

    av.codec.Codec("libx264", "w")
    return f"H.264 by av {av.__version__}"


def _ray() -> str:
    from synth4d.run.session import own_folder

    folder = own_folder()
    folder.rmdir()
    shm = Path("/dev/shm")
    free = shutil.disk_usage(shm).free >> 20 if shm.is_dir() else 0
    note = "" if free > 100 else f"; /dev/shm has {free} MiB, Ray will use {folder.parent} instead (slower start)"
    return f"ray {metadata.version('ray')}, sessions in {folder.parent}{note}"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if not os.access(Path.cwd(), os.W_OK):
        raise SynthError(f"{Path.cwd()} is not writable; run elsewhere or give --out")
    if min(free, shutil.disk_usage(tempfile.gettempdir()).free) < NEED_DISK:
        raise SynthError(
            f"{free >> 20} MiB free here; {NEED_DISK >> 30} GiB here and in the temporary folder are needed"
        )
    return f"{free >> 30} GiB free here"


def _memory() -> str:
    rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(rows["MemAvailable"].split()[0]) << 10
    if free < NEED_MEMORY:
        raise SynthError(f"{free >> 20} MiB available; {NEED_MEMORY >> 30} GiB are needed for two workers")
    return f"{free >> 20} MiB available"


CHECKS: tuple[Callable[[], str], ...] = (
    _python, _modules, _kernel, _renderers, _scenes, _physics, _video, _ray, _disk, _memory,
)  # fmt: skip
