"""`synth4d fit`: a radiance field of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from synth4d.cli.make import Sets, read_config
from synth4d.errors import ConfigError


@dataclass(frozen=True)
class Fit:
    """Fit a NeRF to a layout of a scene and keep it in a cache, where `dataset` finds it."""

    scene: Annotated[Positional[tuple[str, ...]], arg(metavar="SCENE")] = ()
    """Name or path of a scene; the config's if none is given."""
    nerf: bool = False
    """Fit a NeRF; nothing else can be fitted yet."""
    layout: Annotated[int | None, arg(metavar="N")] = None
    """Number of the layout: which colours, props and places."""
    seed: Annotated[int | None, arg(metavar="S")] = None
    """The seed of the run that the layout belongs to."""
    steps: Annotated[int | None, arg(metavar="N")] = None
    """Steps of the fit."""
    views: Annotated[int | None, arg(metavar="N")] = None
    """Views it learns from."""
    size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Width and height of a view."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it is fitted; auto: on a GPU if there is one."""
    cache: Annotated[Path | None, arg(metavar="DIR")] = None
    """Where fits are kept. Default: synth4d/nerf in $XDG_CACHE_HOME or ~/.cache, where `dataset` looks."""
    force: bool = False
    """Take a fit that did not converge."""
    config: Annotated[Path | None, arg(metavar="FILE")] = None
    """Run config. Default: pipelines/dataset.yaml."""
    set: Sets = ()
    """Any value of the config, e.g. --set nerf.hidden=64."""

    def __call__(self) -> int:
        from synth4d.run import fit, stages

        if not self.nerf:
            raise ConfigError("fit: give --nerf, the one kind of field that can be fitted")
        settings = read_config(self.config, self.scene, self.set, seed=self.seed)
        given = {k: getattr(self, k) for k in ("layout", "steps", "views", "size") if getattr(self, k) is not None}
        # Checked like any value of the config: read once more with them set.
        more = (*self.set, tuple(f"nerf.{k}={v}" for k, v in given.items()))
        settings = read_config(self.config, self.scene, more, seed=self.seed) if given else settings
        for scene in stages.scenes(settings.scenes):
            path, record = fit.fit(
                scene, settings.nerf, settings.seed, cache=self.cache, device=self.device, force=self.force
            )
            print(f"{path}: {fit.quality(record)}")
        return 0
