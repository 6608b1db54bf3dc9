"""A shot up to where somebody asks about it: scene → simulate → render → annotate.

What comes of it is bytes that follow from the shot, the scene and the rooms in kept.ROOMS alone: no question, margin or
model shapes them, so they outlive a change of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synth4d import seeds
from synth4d.errors import SceneError
from synth4d.records import Label, dump
from synth4d.types import Shot

if TYPE_CHECKING:
    from synth4d.run.plan import SceneRef
    from synth4d.run.work import Clock
    from synth4d.scene.load import Scene

STAGES = ("simulate", "render", "annotate")


@dataclass(frozen=True, slots=True)
class Filmed:
    """A clip with all that is known of it, as bytes."""

    members: dict[str, bytes]
    """Of the sample, all but its questions."""
    viewed: bytes
    """Facts: what a viewer of the clip can tell."""
    absent: bytes
    """[[category, Label]…]: the scene's props, some of which the clip may lack."""


def film(shot: Shot, whatif: float, ref: SceneRef, attempt: int, clock: Clock) -> Filmed:
    """Raises CannotHappen where the shot's events can't be carried out.

    The witnesses see the clip as it comes back from its own bytes: what is committed is what was judged.
    """
    from synth4d import codec
    from synth4d.annotate import identity, pixels
    from synth4d.annotate import world as simulated
    from synth4d.annotate.visible import look
    from synth4d.motion import camera, simulate
    from synth4d.render.choose import renderer
    from synth4d.scene import build, load

    with clock.stage("simulate"):
        scene = load.load(ref.path)
        if scene.digest != ref.digest:
            raise SceneError(f"{ref.path}: it or an asset changed since the run began; run the same command again")
        world = build.build(scene, shot)
        timeline = simulate.simulate(world, shot, attempt=attempt, whatif=whatif)
        path = camera.film(world, timeline, shot, attempt=attempt)
    with clock.stage("render"):
        draw = renderer(shot.renderer, shot.field)
        dice = seeds.rng(shot.run_seed, shot.scene, shot.key, "render", attempt)
        drawn = draw(world, timeline, path, rng=dice, threads=1)
        members, clip = codec.keep(drawn)
    with clock.stage("annotate"):
        seen = look(clip.ids, simulated.ids_of(world))
        facts = simulated.facts(shot, world, timeline, clip, seen)
        viewed = pixels.facts(identity.strip(facts), clip, seen)
        return Filmed(members | {"facts.json": dump(facts)}, dump(viewed), dump(_labels(scene)))


def _labels(scene: Scene) -> list[list[object]]:
    """The prop categories of a scene with their words."""
    labels = [
        (key, Label(en=c.name.en, zh=c.name.zh, measure=c.name.measure, plural=c.name.plural or f"{c.name.en}s"))
        for key, c in sorted(scene.props.items())
    ]
    return [[category, label.model_dump(mode="json")] for category, label in labels]
