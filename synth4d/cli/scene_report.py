"""What a scene is, asset by asset, and what is odd about it: `synth4d doctor SCENE`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from synth4d import yamlfile
from synth4d.errors import CannotHappen, SceneError
from synth4d.motion import camera, simulate
from synth4d.physics import Sim
from synth4d.render.clip import render
from synth4d.scene import build, draft, guess, load
from synth4d.scene.bring import Brought, bring
from synth4d.scene.spec import AssetSpec, SceneSpec
from synth4d.types import Shot, Timeline, World

EYES = 64
"""Places of the camera that are tried."""
SOME = 0.25
"""Share of them that may lie within something, where no camera will be put."""
LOOKS = 4
EMPTY = 0.05
"""A picture with less of anything in it shows nothing."""


def report(name: str) -> int:
    """Print a line an asset, then what is odd; 0 when nothing is."""
    path = load.find(name)
    spec, document = yamlfile.load(path, SceneSpec, SceneError)
    odd: list[str] = []
    for i, asset in enumerate(spec.assets):
        line, doubts = _asset(asset, bring(spec, i, document))
        print(line)
        odd += [f"{asset.file}: {doubt}" for doubt in doubts]
    scene = load.load(path)
    named = f"{len(scene.templates)} things with a name, {len(scene.spec.places)} places"
    print(f"{scene.name}: {named}, {len(scene.props)} categories of props")
    odd += list(_views(scene))
    for line in odd:
        print(f"warning: {line}")
    return 1 if odd else 0


def _asset(asset: AssetSpec, found: Brought) -> tuple[str, list[str]]:
    """An asset's line, and what is odd about it."""
    if found.upright is not None:
        e = guess.extent(found.upright)
        counts = f"{len(found.upright.means):,} Gaussians, {len(found.named)} named things"
    else:
        low, high = draft.bounds(found.bodies)
        e = guess.Extent(low, high, float(low[2]), 0.0)
        shapes = sum(len(b.visual) for b in found.bodies)
        counts = f"{len(found.bodies)} bodies, {shapes} shapes, {len(found.files)} files"
    size = " x ".join(f"{s:.2f}" for s in e.high - e.low)
    scale = f"axes {found.at.axes}, units {asset.units}, scale {asset.scale:g}"
    return f"{asset.file}: {scale}: {size} m, {counts}", list(guess.doubts(e))


def _views(scene: load.Scene) -> Iterator[str]:
    """Where the camera rules lead: into walls, or to where nothing is seen."""
    shots = [Shot(f"look-{k}", k, scene.name, "static", 0, 0, "train", 1, 4.0, 96, 72) for k in range(LOOKS)]
    try:
        world = build.build(scene, shots[0])
        timeline = simulate.simulate(world, shots[0])
    except CannotHappen as problem:
        yield f"nothing comes to rest: {problem}"
        return
    stuck = _stuck(world, timeline)
    if stuck > SOME * EYES:
        yield f"{stuck} of {EYES} places for the camera lie in something: narrow camera.room_low and room_high"
    blind, empty = [], 0
    for k, shot in enumerate(shots):
        try:
            path = camera.film(world, timeline, shot, attempt=k)
        except CannotHappen as problem:
            blind.append(str(problem))
            continue
        seen = render(world, timeline, path, rng=np.random.default_rng(0)).depth_z_m > 0
        empty += bool(seen.mean() < EMPTY)
    if empty:
        yield f"{empty} of {LOOKS} views show nothing: mend camera.azimuth and distance, or the assets' places"
    if len(blind) > LOOKS / 2:
        yield f"{len(blind)} of {LOOKS} cameras find no view ({blind[0]}): widen camera.room, distance, azimuth"


def _stuck(world: World, timeline: Timeline) -> int:
    """How many of the places in the camera's room are within something solid."""
    low, high = np.array(world.camera.room_low), np.array(world.camera.room_high)
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    # The R3 low-discrepancy sequence (Roberts 2018).
    eyes = low + (np.arange(1, EYES + 1)[:, None] * [0.8191725, 0.6710436, 0.5497005] % 1) * (high - low)
    solid = camera.solid_cells(world, timeline)
    return sum(not camera.free(sim, eye) or camera.inside(solid, eye[None]) for eye in eyes)
