"""scene.yaml → Scene: everything named is found and checked here, once; nothing random happens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synth4d import yamlfile
from synth4d.errors import ConfigError, SceneError
from synth4d.geometry import compose, invert_pose
from synth4d.physics import Geom, Hinge, RawBody
from synth4d.scene import assets
from synth4d.scene.bring import Brought, bring
from synth4d.scene.capture import Capture
from synth4d.scene.catalogue import Category, catalogue
from synth4d.scene.spec import BodySpec, SceneSpec
from synth4d.types import F64, Track
from synth4d.vocabulary import COLOURS

if TYPE_CHECKING:
    from synth4d.yamlfile import Document

IDENTITY = np.array([0.0, 0, 0, 1, 0, 0, 0])


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A named body of the scene before a seed paints it."""

    name: str
    spec: BodySpec
    geoms: tuple[Geom, ...]
    pose: F64
    """World pose of its frame with every joint at its zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    name: str
    folder: Path
    spec: SceneSpec
    digest: str
    """sha256 of scene.yaml, the prop catalogue and every asset file."""
    bodies: tuple[RawBody, ...]
    """Physics bodies, parents first; joints that the scene does not name are welded."""
    templates: tuple[Template, ...]
    structure: tuple[Geom, ...]
    """Visible shapes that belong to no named body, world frame: id 0."""
    props: dict[str, Category]
    captures: dict[str, Capture]
    """Gaussians of captured bodies by name; those of no template are structure too."""
    tracks: dict[str, Track]
    """How captured bodies move, from their first frame on."""


def load(scene: str | Path) -> Scene:
    """A scene by name (a folder of `scenes/`) or by path of a scene.yaml. Raises SceneError/ConfigError."""
    path = find(str(scene))
    return _load(path, path.stat().st_mtime_ns)


def find(scene: str) -> Path:
    given = Path(scene)
    if given.suffix in (".yaml", ".yml"):
        if not given.is_file():
            raise ConfigError(f"scene {scene}: no such file")
        return given.resolve()
    known = {p.parent.name: p for folder in scene_folders() for p in sorted(folder.glob("*/scene.yaml"))}
    if scene not in known:
        raise ConfigError(
            f"unknown scene {scene!r}; there are {', '.join(sorted(known)) or 'none'}; or give a scene.yaml"
        )
    return known[scene].resolve()


def scene_folders() -> list[Path]:
    """`scenes/` of the working folder, then those of the project itself."""
    package = Path(__file__).resolve().parents[1]
    return [f for f in (Path.cwd() / "scenes", package.parent / "scenes", package / "_data" / "scenes") if f.is_dir()]


@lru_cache(maxsize=8)
def _load(path: Path, _mtime: int) -> Scene:
    spec, document = yamlfile.load(path, SceneSpec, SceneError)
    brought = [bring(spec, i, document) for i in range(len(spec.assets))]
    spec = _with_things(spec, brought, document)
    raws = [body for b in brought for body in b.bodies]
    names = [r.name for r in raws]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SceneError(f"{path}: two assets have a body {twice[0]!r}; rename one in its file")
    props, props_file = catalogue(path.parent)
    _check(spec, {r.name: r for r in raws}, props, document)
    templates, structure = _dress(spec, raws)
    files = [path, *(f for b in brought for f in b.files), props_file]
    return Scene(
        spec.scene, path.parent, spec, assets.digest(files), _physics(spec, raws), tuple(templates), tuple(structure),
        {c: props[c] for c in spec.props.categories}, {n: c for b in brought for n, c in b.captures.items()},
        {n: replace(t, body=n) for b in brought for n, t in b.tracks.items()},
    )  # fmt: skip


def _with_things(spec: SceneSpec, brought: list[Brought], doc: Document) -> SceneSpec:
    """The scene with the bodies and places that annotations name."""
    bodies, places = dict(spec.bodies), dict(spec.places)
    for b in brought:
        for name, body in b.named.items():
            if name in bodies:
                where = doc.where(("bodies", name))
                raise SceneError(f"{where}: the name {name!r} is taken by a thing of an annotation")
            bodies[name] = body
        for name, place in b.places.items():
            places.setdefault(name, place)
    return spec.model_copy(update={"bodies": bodies, "places": places})


def _check(spec: SceneSpec, raws: dict[str, RawBody], props: dict[str, Category], doc: Document) -> None:
    """Every name that refers to something refers to something that is there, and fits."""

    def known(value: str | None, choices: Collection[str], what: str, *at: str | int) -> None:
        if value is not None and value not in choices:
            listed = ", ".join(sorted(choices)) or "none"
            raise SceneError(f"{doc.where(at)}: unknown {what} {value!r}; choices: {listed}")

    for name, body in spec.bodies.items():
        known(body.source, raws, "body", "bodies", name, "from")
        known(body.part_of, spec.bodies, "body", "bodies", name, "part_of")
        known(body.colour, COLOURS, "colour", "bodies", name, "colour")
        raw = raws[body.source]
        if body.joint and (raw.joint is None or raw.joint.type not in ("hinge", "slide")):
            able = ", ".join(sorted(n for n, r in raws.items() if r.joint and r.joint.type != "free"))
            where = doc.where(("bodies", name, "joint"))
            raise SceneError(f"{where}: body {body.source!r} has no hinge or slide; with one: {able}")
        if body.joint and raw.joint and raw.joint.follows:
            where = doc.where(("bodies", name, "joint"))
            raise SceneError(
                f"{where}: body {body.source!r} follows joint {raw.joint.follows[0]!r}; give that one a joint"
            )
        if body.joint and body.joint.closed == body.joint.open:
            raise SceneError(
                f"{doc.where(('bodies', name, 'joint'))}: closed and open are the same value {body.joint.open}"
            )
        count = sum(len(r.visual) for r in raws.values() if r.name == body.source)
        for i in body.geoms or ():
            if not 0 <= i < count:
                where = doc.where(("bodies", name, "geoms"))
                raise SceneError(f"{where}: no visible geom {i} in {body.source!r}; it has 0..{count - 1}")
        if body.cavity:
            parts = [n for n, b in spec.bodies.items() if b.joint]
            known(body.cavity.gate, parts, "gate (a body with a joint)", "bodies", name, "cavity", "gate")
    jointed = [n for n, b in spec.bodies.items() if b.joint]
    switched = [n for n, b in spec.bodies.items() if b.switched]
    for i, switch in enumerate(spec.switches):
        known(switch.part, jointed, "part (a body with a joint)", "switches", i, "part")
        known(switch.turns, switched, "switched body", "switches", i, "turns")
    for i, lamp in enumerate(spec.lamps):
        known(lamp.body, switched, "switched body", "lamps", i, "body")
    for name, place in spec.places.items():
        known(place.on, spec.bodies, "body", "places", name, "on")
    for i, category in enumerate(spec.props.categories):
        known(category, props, "prop category", "props", "categories", i)
    if spec.props.count[0] > spec.props.count[1]:
        raise SceneError(
            f"{doc.where(('props', 'count'))}: {list(spec.props.count)}: the first must not be above the second"
        )


def _physics(spec: SceneSpec, raws: list[RawBody]) -> tuple[RawBody, ...]:
    """Bodies under their scene names; joints that the scene does not name are welded. A body picked geom by
    geom is a shapeless child of the body it is cut from, so that its pose can be read by name."""
    whole = {b.source: n for n, b in spec.bodies.items() if b.geoms is None}

    def rename(raw: str) -> str:
        return whole.get(raw, f"raw:{raw}") if raw else ""

    led = {
        r.joint.name: whole[r.name] for r in raws if r.joint and r.name in whole and spec.bodies[whole[r.name]].joint
    }
    out = []
    for raw in raws:
        joint, name = raw.joint, whole.get(raw.name)
        if joint is not None and joint.follows and joint.follows[0] in led:
            leader, ratio, offset = joint.follows
            joint = replace(joint, name=f"follows:{raw.name}", follows=(led[leader], ratio, offset))
            out.append(replace(raw, name=rename(raw.name), parent=rename(raw.parent), joint=joint))
            continue
        if joint is not None:
            role = spec.bodies[name] if name else None
            loose = joint.type in ("free", "mocap")
            moves = role is not None and (role.role == "prop" if loose else role.joint is not None)
            joint = replace(joint, name=name, follows=None) if moves and name else None
        elif name and spec.bodies[name].role == "prop" and not raw.parent:
            joint = Hinge(name, "free")  # files of one thing don't say that it can be carried
        out.append(replace(raw, name=rename(raw.name), parent=rename(raw.parent), joint=joint))
    for name, body in spec.bodies.items():
        if body.geoms is not None:
            out.append(RawBody(name, rename(body.source), IDENTITY, None, (), ()))
    return tuple(out)


def _dress(spec: SceneSpec, raws: list[RawBody]) -> tuple[list[Template], list[Geom]]:
    """Share out the visible geoms: to the body that names them, else to the nearest named body above that is
    not picked geom by geom, else to the structure."""
    world = {"": IDENTITY}
    for raw in raws:
        world[raw.name] = compose(world[raw.parent], raw.pose)
    whole = {b.source: n for n, b in spec.bodies.items() if b.geoms is None}
    picked = {(b.source, i): n for n, b in spec.bodies.items() for i in b.geoms or ()}
    parent = {r.name: r.parent for r in raws}
    shares: dict[str, list[Geom]] = {n: [] for n in spec.bodies}
    structure: list[Geom] = []
    for raw in raws:
        for i, geom in enumerate(raw.visual):
            owner, at = picked.get((raw.name, i)), raw.name
            while owner is None and at:
                owner = whole.get(at)
                at = parent[at] if owner is None else at
            pose = compose(world[raw.name], geom.pose)
            if owner is None:
                structure.append(replace(geom, pose=pose))
                continue
            shares[owner].append(replace(geom, pose=compose(invert_pose(world[spec.bodies[owner].source]), pose)))
    templates = [Template(n, b, tuple(shares[n]), world[b.source]) for n, b in spec.bodies.items()]
    return templates, structure
