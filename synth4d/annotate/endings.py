"""What would have been: the end of a clip played again without an event, as facts."""

from __future__ import annotations

import numpy as np

from synth4d.annotate import identity, tracks
from synth4d.records import EndFact, Without
from synth4d.types import Ending, Timeline, World

SAME_M, SAME_DEG_CM = 0.002, 0.2
"""Smaller differences of place (m) and openness (deg, cm) are the solver's."""


def without(world: World, timeline: Timeline, ending: Ending) -> Without:
    """The instances that would be otherwise at the end."""
    last = Ending(
        -1, timeline.poses[-1], timeline.joints[-1], timeline.levels[-1], timeline.fill[-1], timeline.support[-1],
        timeline.inside[-1],
    )  # fmt: skip
    both = zip(_ends(world, ending), _ends(world, last), strict=True)
    return Without(event=ending.event, objects=[a for a, b in both if not _same(a, b)])


def _ends(world: World, ending: Ending) -> list[EndFact]:
    places = identity.askable(world.bodies)
    bodies = [world.bodies[i] for i in places]
    known, boxes = {b.id for b in bodies}, tracks.poses(identity.boxes(bodies, ending.poses[places])[None])
    return [_end(world, ending, i, known, box) for i, (box,) in zip(places, boxes, strict=True)]


def _end(world: World, ending: Ending, i: int, known: set[int], box: list[float] | None) -> EndFact:
    body = world.bodies[i]
    support, inside = (int(v[i]) if int(v[i]) in known else 0 for v in (ending.support, ending.inside))
    opened, level = None, None
    if body.joint is not None:
        (opened,) = tracks.numbers(identity.openness(body.joint, ending.joints[i : i + 1]), 4)
    if body.vessel is not None:
        (level,) = tracks.numbers(ending.fill[i : i + 1], 4)
    on = None if body.control is None else bool(ending.levels[world.controls.index(body.control)] >= 0.5)
    return EndFact(
        id=body.id,
        box=box if body.role != "liquid" else None,
        openness=opened,
        on=on,
        fill=level,
        support=support,
        inside=inside,
    )


def _same(a: EndFact, b: EndFact) -> bool:
    if (a.on, a.fill, a.support, a.inside) != (b.on, b.fill, b.support, b.inside):
        return False
    if abs((a.openness or 0.0) - (b.openness or 0.0)) > SAME_DEG_CM:
        return False
    return a.box is None or b.box is None or bool(np.abs(np.subtract(a.box, b.box)).max() <= SAME_M)
