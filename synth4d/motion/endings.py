"""How a clip would end without one of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synth4d.errors import CannotHappen
from synth4d.motion.script import Planned
from synth4d.types import Ending, Timeline, World

if TYPE_CHECKING:
    from synth4d.motion.simulate import Run

ENDING_TRIES = 2


def draw(run: Run, timeline: Timeline, rng: np.random.Generator) -> tuple[Ending, ...]:
    """How the clip would end without one of its events: one that opens what holds something, or else one drawn by the
    seed; none where all hang together."""
    world, planned = run.stage.world, run.planned
    order = sorted(rng.permutation(len(planned)).tolist(), key=lambda k: not _reveals(world, planned[k], timeline))
    for k in order[:ENDING_TRIES]:
        try:
            return (without(run, timeline, k),)
        except CannotHappen:
            continue
    return ()


def _reveals(world: World, p: Planned, timeline: Timeline) -> bool:
    """Whether something is opened that holds a thing at the end: without it that could not be seen."""
    behind = [place.body for place in world.places if place.inside and place.gate == p.object]
    return p.kind == "open" and bool(np.isin(timeline.inside[-1], behind).any())


def without(run: Run, timeline: Timeline, k: int) -> Ending:
    """The end of a clip that goes on without its k-th event, everything else being equal. Liquid is not poured again:
    what a pour left out would have moved is where it was. Raises CannotHappen where another event hangs on this one."""
    world, left = run.stage.world, run.planned[k]
    wet = [p for p in run.planned if p.kind == "pour"]
    if any({left.object, left.other} & {p.object, p.other} for p in wet if p is not left):
        raise CannotHappen("a pour hangs on it")
    poses, joints, levels, support, inside = run.forks[k].rows()
    fill = timeline.fill[-1].copy()
    if left in wet:
        changed = [b.id in (left.object, left.other) for b in world.bodies]
        fill[changed] = timeline.fill[0][changed]
    return Ending(
        k, poses[-1], joints[-1], levels[-1], fill, support[-1].astype(np.uint16), inside[-1].astype(np.uint16)
    )
