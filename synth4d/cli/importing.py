"""The command that brings other people's files in: import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from synth4d.errors import ConfigError


@dataclass(frozen=True)
class Import:
    """Make a scene folder of somebody's Gaussians (PLY, SPZ, .splat, frames, a nerfstudio run) or models (GLB, OBJ,
    STL, URDF, MJCF): the files checked and copied, a scene.yaml that loads, and what is left for a person to name."""

    path: Annotated[Positional[Path], arg(metavar="PATH")]
    """A file, or a folder: of PLYs a frame, of a nerfstudio run, or of a PartNet-Mobility object."""
    out: Annotated[Path, arg(metavar="DIR")]
    """The scene's folder, e.g. scenes/study."""
    axes: Annotated[str, arg(metavar="z-up|y-up|y-down|RDF…")] = ""
    """Where +x +y +z of the files point. Default: what the format fixes, else z-up."""
    units: Literal["m", "cm", "mm", "ft", "in"] = "m"
    """Units of the files."""
    scale: Annotated[float, arg(metavar="S")] = 1.0
    """Times the units."""
    name: Annotated[str, arg(metavar="NAME")] = ""
    """The scene's name. Default: that of its folder."""
    propose: bool = False
    """Look for floor, walls and things in Gaussians, and write their boxes for a person to name (needs open3d)."""
    cameras: Annotated[Path | None, arg(metavar="FILE")] = None
    """A camera set (transforms.json): new cameras stay among its; a NeRF run is seen from them."""
    fps: Annotated[float, arg(metavar="F")] = 8.0
    """Frames a second of a moving capture."""
    on_bad: Literal["refuse", "drop"] = "refuse"
    """Gaussians that are not finite, or absurd."""
    trust: bool = False
    """Let nerfstudio draw a run of whatever method, and so run the code that the run names."""

    def __call__(self) -> int:
        from synth4d.scene.adopt import Options, adopt

        name = self.name or re.sub(r"[^a-z0-9_-]+", "_", self.out.resolve().name.lower()).strip("_-")
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
            raise ConfigError(f"--name {name!r}: a scene's name is a-z 0-9 _ -, 40 at most")
        if not 0 < self.scale <= 1000:
            raise ConfigError(f"--scale {self.scale:g}: must be above 0 and at most 1000")
        options = Options(
            name, self.axes, self.units, self.scale, self.propose, self.trust, self.fps, self.on_bad, self.cameras
        )
        scene, said = adopt(self.path, self.out, options)
        for line in said:
            print(line)
        print(f"{scene}: now name things, and look: synth4d doctor {scene}")
        return 0
