"""One shot of a plan as files a person can open, with no dataset around it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from synth4d import codec, disk
from synth4d.config import RunConfig, Votes
from synth4d.errors import CannotHappen, ConfigError, SynthError
from synth4d.report.pictures import colour_depth, colour_ids
from synth4d.run import fit, plan, stages
from synth4d.run.plan import SceneRef
from synth4d.run.work import Clock, Made
from synth4d.types import Shot


def one_shot(config: RunConfig, index: int, out: Path) -> str:
    """Make the shot at a position of the plan and lay its members and frames out; gives a line about it."""
    config = fit.settled(
        config.model_copy(update={"author": "template", "votes": Votes()}), quiet=False
    )  # a look asks no model
    scenes = stages.scenes(config.scenes)
    planned = plan.make(config, scenes)
    if not 0 <= index < len(planned):
        raise ConfigError(f"--shot {index}: the plan has shots 0 to {len(planned) - 1}")
    shot = planned.shot(index)
    if shot.renderer == "nerf":
        shot = plan.make(config, fit.fitted(config, scenes, quiet=False)).shot(index)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"{out}: can't be written: {e.strerror}; choose another --out") from None
    scene = next(s for s in planned.scenes if s.name == shot.scene)
    clock = Clock(None)
    made = _made(shot, config, scene, clock)
    for name, raw in made.members.items():
        disk.write_atomic(out / f"shot.{name}", raw)
    _frames(made, out)
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in clock.seconds.items())
    asked = f"{made.kept} questions kept, {len(made.rejects)} rejected"
    return f"{out}: {shot.key}, {made.frames} frames, {asked} ({seconds} s)"


def _made(shot: Shot, config: RunConfig, scene: SceneRef, clock: Clock) -> Made:
    for attempt in range(config.max_attempts):
        try:
            return stages.make(shot, config, scene, attempt, clock)
        except CannotHappen as e:
            reason = e
    raise SynthError(f"{shot.key}: can't happen: {reason}; look at another --shot")


def _frames(made: Made, out: Path) -> None:
    clip = codec.decode(made.members)
    for t in range(len(clip.rgb)):
        Image.fromarray(clip.rgb[t]).save(out / f"rgb_{t:04d}.png")
        Image.fromarray(colour_depth(clip.depth_z_m[t])).save(out / f"depth_{t:04d}.png")
        Image.fromarray(colour_ids(clip.ids[t])).save(out / f"ids_{t:04d}.png")
