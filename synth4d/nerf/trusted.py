"""Posed views of any nerfstudio run, drawn by nerfstudio itself in a process of its own.

This runs code that the run names: nerfstudio loads config.yml and the checkpoint as Python objects. It is done only
where the user says so (`--trust`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from synth4d.errors import SceneError
from synth4d.nerf.views import View
from synth4d.splats import CameraSet
from synth4d.types import F64

PYTHON = "SYNTH4D_NERFSTUDIO_PYTHON"
"""Environment variable: the Python that has nerfstudio, where it is not this one."""
SCRIPT = Path(__file__).with_name("nerfstudio_views.py")
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def views(folder: Path, cameras: CameraSet, parser: tuple[F64, float], data: Path) -> Iterator[View]:
    """What a run shows at cameras of `views.chosen`; `parser` is T and s of x_model = s · (T · x).

    `data` is where the run's data lie now: nerfstudio asks for them even to draw. SceneError with the last line that
    nerfstudio said where it fails.
    """
    with tempfile.TemporaryDirectory(prefix="synth4d-") as room:
        request, out = Path(room) / "request.json", Path(room) / "views.npz"
        request.write_text(json.dumps(_request(folder, cameras, parser, data)))
        try:
            done = subprocess.run(command(request, out), capture_output=True, text=True, check=False)
        except OSError as problem:
            raise SceneError(f"{os.environ.get(PYTHON)}: {problem.strerror}; set {PYTHON} to a Python") from None
        if done.returncode or not out.is_file():
            said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()] or ["nothing"]
            raise SceneError(f"{folder}: nerfstudio could not draw it: {said[-1][:300]}")
        yield from _read(out, folder, cameras, parser[1])


def command(request: Path, out: Path) -> list[str]:
    """What is run, without a shell."""
    return [os.environ.get(PYTHON) or sys.executable, str(SCRIPT), str(request), str(out)]


def _request(folder: Path, cameras: CameraSet, parser: tuple[F64, float], data: Path) -> dict[str, object]:
    T, scale = parser
    poses = np.einsum("ij,mjk,kl->mil", T, cameras.T_world_cam, OPENGL)
    poses[:, :3, 3] *= scale
    return {
        "run": str(folder.resolve()),
        "data": str(data.resolve()),
        "camera_to_worlds": poses[:, :3].tolist(),
        "K": cameras.K.tolist(),
        "sizes": cameras.sizes.tolist(),
    }


def _read(path: Path, folder: Path, cameras: CameraSet, scale: float) -> Iterator[View]:
    try:
        with np.load(path, allow_pickle=False) as file:
            for k, (width, height) in enumerate(cameras.sizes):
                rgb, depth = file[f"rgb{k}"], file[f"depth{k}"]
                if rgb.shape != (height, width, 3) or depth.shape != (height, width):
                    raise SceneError(f"{folder}: nerfstudio drew {rgb.shape} where {(height, width, 3)} was asked for")
                rgb, depth = np.nan_to_num(rgb), np.nan_to_num(depth, posinf=0.0, neginf=0.0)
                yield View(
                    cameras.K[k],
                    cameras.T_world_cam[k],
                    np.clip(rgb, 0, 1).astype(np.float32),
                    (depth / scale).astype(np.float32),
                )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise SceneError(f"{folder}: what nerfstudio drew can't be read: {problem}") from None
