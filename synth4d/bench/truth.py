"""What a clip and its facts say against the posed meshes, cast by open3d, over shots with every kind of event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from synth4d import config
from synth4d.annotate import world as annotate
from synth4d.annotate.visible import visible
from synth4d.bench import likeness, shots
from synth4d.bench.oracle import Oracle
from synth4d.errors import SynthError
from synth4d.geometry import box_corners
from synth4d.records import ObjectFact, at
from synth4d.render.choose import renderer
from synth4d.render.clip import Stage, pictures
from synth4d.render.splat import Rasteriser
from synth4d.types import F32, F64, U16, CameraPath, Clip, Shot, Timeline, World

SHOTS = {"splat": 52, "mesh": 4, "nerf": 4}
FRAMES = 2
"""Frames judged a shot, spread over the clip from one shot to the next."""
EDGE_PX = 2
"""Pixels this close to a change of id or a jump in depth are silhouettes: there half a pixel decides."""
JUMP = 0.03
"""Relative jump in depth that is a silhouette."""
SEEN_PX = 20
"""Objects with fewer pixels than this have no visible box to speak of."""


@dataclass
class Errors:
    """What was found, frame by frame and object by object."""

    depth: list[F64] = field(default_factory=list)
    ids: list[float] = field(default_factory=list)
    visible_box: list[float] = field(default_factory=list)
    occluded: list[float] = field(default_factory=list)
    box3d: list[float] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    shots: int = 0

    def rows(self, name: str) -> dict[str, dict[str, object]]:
        """Percentiles, each named after the renderer."""
        depth, ids = 1000 * np.concatenate(self.depth), 100 * np.array(self.ids)
        box, hidden, box3d = (np.array(v) for v in (self.visible_box, self.occluded, self.box3d))
        against = f"open3d, {len(ids)} frames of {self.shots} shots"
        kinds = ", ".join(f"{n} {k}" for k, n in self.events.most_common()) or "no events"
        figures = {
            "depth_median": (np.median(depth), "mm", f"{against}; {kinds}"),
            "depth_99": (np.quantile(depth, 0.99), "mm", against),
            "ids_agree": (ids.mean(), "%", f"{against}, all pixels"),
            "ids_agree_worst_frame": (ids.min(), "%", f"{against}, all pixels"),
            "visible_box_2px": (100 * np.mean(box <= 2), "%", f"open3d, {len(box)} boxes within 2 px"),
            "visible_box_99": (np.quantile(box, 0.99), "px", f"open3d, {len(box)} boxes"),
            "occluded_median": (100 * np.median(hidden), "points", f"open3d, {len(hidden)} silhouettes"),
            "occluded_99": (100 * np.quantile(hidden, 0.99), "points", f"open3d, {len(hidden)} silhouettes"),
            "box3d_sticks_out_99": (np.quantile(box3d, 0.99), "px", f"open3d, {len(box3d)} re-projected boxes"),
        }
        return {f"{name}_{k}": row(float(v), unit, by) for k, (v, unit, by) in figures.items()}


def run() -> dict[str, dict[str, object]]:
    """The Gaussians over at least 50 shots; the radiance field and the meshes through OpenGL over a few, and how alike
    the Gaussians and the meshes look."""
    found = measure("splat", SHOTS["splat"]).rows("splat")
    for name in ("nerf", "mesh"):
        try:
            found |= measure(name, SHOTS[name]).rows(name)
        except SynthError as e:
            print(f"  {name} is not measured: {e}")
    return found | _alike()


def measure(name: str, count: int) -> Errors:
    """Draw shots with one renderer and judge some frames of each."""
    errors = Errors()
    for n, (shot, world, timeline, camera, rng) in enumerate(_still(count) if name == "nerf" else _shots(count)):
        frames = [(n * 5 + k * shot.frames // FRAMES) % shot.frames for k in range(FRAMES)]
        if name != "splat":  # the Gaussians of a clip depend on all its frames
            timeline, camera = thin(timeline, camera, frames)
            frames = list(range(len(frames)))
        clip = renderer(name, shot.field)(world, timeline, camera, rng=rng)
        judge(errors, shot, world, timeline, clip, frames)
    return errors


def judge(errors: Errors, shot: Shot, world: World, timeline: Timeline, clip: Clip, frames: list[int]) -> None:
    """Add what a clip and the facts made of it get wrong at some frames."""
    errors.shots += 1
    errors.events.update(e.kind for e in timeline.events)
    facts = annotate.facts(shot, world, timeline, clip)
    liquids = [b.id for b in world.bodies if b.role == "liquid"]
    for f in frames:
        oracle = Oracle(world, timeline, clip.camera, f)
        depth, ids = oracle.picture()
        dry = ~np.isin(clip.ids[f], liquids)
        inside = ~silhouette(depth, ids) & (depth > 0) & dry
        errors.depth.append(np.abs(clip.depth_z_m[f] - depth)[inside])
        errors.ids.append(float(np.mean((clip.ids[f] == ids)[dry])))
        for thing in (o for o in facts.objects if o.id not in liquids):
            _object(errors, thing, f, clip, oracle, ids)


def _object(errors: Errors, thing: ObjectFact, f: int, clip: Clip, oracle: Oracle, ids: U16) -> None:
    counts, boxes = visible(ids[None], [thing.id])
    said = at(thing.visible2d, f)
    if said is not None and counts[0, 0] >= SEEN_PX and at(thing.pixels, f) >= SEEN_PX:
        errors.visible_box.append(float(np.abs(np.array(said) - boxes[0, 0]).max()))
    amodal, hidden = at(thing.box2d, f), at(thing.occluded, f)
    if amodal is None:
        return
    columns, rows = oracle.amodal(thing.id, np.array(amodal))
    if len(columns) >= SEEN_PX and hidden is not None:
        truth = 1 - np.mean(ids[rows, columns] == thing.id)
        errors.occluded.append(abs(float(truth) - hidden))
    box = at(thing.box, f)
    if len(columns) and box is not None:
        errors.box3d.append(_sticks_out(np.array(box), np.array(thing.size), clip.camera, f, columns, rows))


def _sticks_out(
    box: F64, size: F64, camera: CameraPath, f: int, columns: NDArray[np.int64], rows: NDArray[np.int64]
) -> float:
    """How far, in pixels, a silhouette reaches beyond the extent of its 9-DoF box's projected corners."""
    T = camera.T_world_cam[f]
    seen = box_corners(box, size) - T[:3, 3]
    x, y, z = ((seen * T[:3, k]).sum(1) for k in range(3))
    if z.min() <= 0.02:
        return 0.0
    u, v = camera.K[0, 0] * x / z + camera.K[0, 2], camera.K[1, 1] * y / z + camera.K[1, 2]
    centre_u, centre_v = columns + 0.5, rows + 0.5
    over = (u.min() - centre_u.min(), centre_u.max() - u.max(), v.min() - centre_v.min(), centre_v.max() - v.max())
    return max(0.0, float(max(over)))


def _alike() -> dict[str, dict[str, object]]:
    """Splats against the meshes through OpenGL, the same frames in the same light."""
    signal, structure, edge = [], [], []
    for shot, world, timeline, camera, rng in _shots(SHOTS["mesh"]):
        frames = [shot.frames // 3, shot.frames - 1]
        splat = renderer("splat")(world, timeline, camera, rng=rng)
        mesh = renderer("mesh")(world, *thin(timeline, camera, frames), rng=rng)
        # The ids of a clip are exact at borders: where its colours end is where the splats' own ids do.
        own = [p.ids for p in pictures(Stage(world, timeline, camera), Rasteriser())]
        for k, f in enumerate(frames):
            signal.append(likeness.psnr(splat.rgb[f], mesh.rgb[k]))
            structure.append(likeness.ssim(splat.rgb[f], mesh.rgb[k]))
            edge.append(likeness.edge_error(own[f], mesh.ids[k]))
    against = f"the meshes through OpenGL, {len(signal)} frames"
    return {
        "splat_psnr": row(float(np.mean(signal)), "dB", against),
        "splat_ssim": row(float(np.mean(structure)), "", against),
        "splat_edge_mean": row(float(np.concatenate(edge).mean()), "px", against),
        "splat_edge_95": row(float(np.quantile(np.concatenate(edge), 0.95)), "px", against),
    }


# ---- Which shots, which frames --------------------------------------------------------------------


def _still(count: int) -> Iterator[shots.Filmed]:
    """Shots of the kitchen that are drawn by its radiance field, which is fitted if it is not kept."""
    from synth4d.run import fit, plan, stages

    mix = {"dynamic": 0, "twin": 0, "static": 1, "control": 0}
    settings = config.load(None, {"scenes": ["kitchen"], "shots": count, "static_renderer": "nerf", "mix": mix})
    planned = plan.make(settings, fit.fitted(settings, stages.scenes(["kitchen"]), quiet=True))
    return shots.film("kitchen", list(planned))


def _shots(count: int) -> Iterator[shots.Filmed]:
    """Dynamic shots, three of the kitchen to each of the small room."""
    films = [shots.filmed(scene, count) for scene in ("kitchen", "toy")]
    return (next(films[n % 4 == 3]) for n in range(count))


def thin(timeline: Timeline, camera: CameraPath, frames: list[int]) -> tuple[Timeline, CameraPath]:
    """Some frames of a clip as a clip of their own."""
    return timeline.take(frames), replace(camera, T_world_cam=camera.T_world_cam[frames])


def row(value: float, unit: str, against: str) -> dict[str, object]:
    return {"value": round(value, 3), "unit": unit, "against": against, "ratio": None}


def silhouette(depth: F32, ids: U16) -> NDArray[np.bool_]:
    """(H,W) bool"""
    edge = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        a, b = (np.take(depth, np.arange(depth.shape[axis])[s], axis) for s in (slice(None, -1), slice(1, None)))
        i, j = (np.take(ids, np.arange(depth.shape[axis])[s], axis) for s in (slice(None, -1), slice(1, None)))
        step = (i != j) | (np.abs(a - b) > JUMP * np.minimum(a, b))
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, 1)
        edge |= np.pad(step, pad)
        pad[axis] = (1, 0)
        edge |= np.pad(step, pad)
    return binary_dilation(edge, iterations=EDGE_PX - 1)
