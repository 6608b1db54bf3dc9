"""The one door to MuJoCo: read MJCF/URDF into plain bodies, write a physics model, step it.

Visual geometry is split from physics at the door: `read_model` gives triangle meshes for the eye and convex
primitives for contact; `write_model` emits a small MJCF with collision shapes only, which compiles in
milliseconds and needs no file beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from synth4d.errors import SceneError
from synth4d.geometry import apply_pose, compose, invert_pose
from synth4d.types import F64, I32

_PRIMITIVES = {2: "sphere", 3: "capsule", 4: "ellipsoid", 5: "cylinder", 6: "box"}
TIMESTEP_S = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Geom:
    """A shape in its body's frame: a convex primitive (MuJoCo half-sizes) or a mesh (`vertices`, `faces`)."""

    type: str
    size: tuple[float, float, float]
    pose: F64
    material: str = ""
    rgba: tuple[float, float, float, float] = (0.5, 0.5, 0.5, 1.0)
    texture: str = ""
    vertices: F64 | None = None
    faces: I32 | None = None


@dataclass(frozen=True, slots=True)
class Hinge:
    """A joint of a body, in the body's frame. `type` is hinge, slide or free."""

    name: str
    type: str
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    anchor: tuple[float, float, float] = (0.0, 0.0, 0.0)
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class RawBody:
    """A rigid body as a model file describes it, or as the project composes it."""

    name: str
    parent: str
    """Empty: the world."""
    pose: F64
    """In the parent's frame, xyz + wxyz."""
    joint: Hinge | None
    visual: tuple[Geom, ...]
    collision: tuple[Geom, ...]
    mass: float = 0.3
    friction: float = 0.8
    rolling: float = 0.0005


def read_model(path: Path, *, scale: float = 1.0, keep: Iterable[str] = ()) -> list[RawBody]:
    """Bodies of an MJCF or URDF file, parents first, all lengths times `scale`; `keep` names the top-level
    bodies (with all below them) that are wanted, empty = all. Geoms of groups 0–2 are visual, others contact."""
    import mujoco

    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise SceneError(f"{path.name}: not a model MuJoCo can read: {_line(error)}") from None
    roots = [model.body(b).name for b in range(1, model.nbody) if model.body_parentid[b] == 0]
    for name in keep:
        if name not in roots:
            raise SceneError(f"{path.name}: keep: no top-level body {name!r}; there are {', '.join(filter(None, roots))}")
    wanted = set(keep) or set(roots)
    bodies = []
    for b in range(0, model.nbody):
        top = b
        while top and model.body_parentid[top]:
            top = model.body_parentid[top]
        if b and model.body(top).name not in wanted:
            continue
        bodies.append(_raw_body(mujoco, model, b, scale))
    return bodies


def _raw_body(mujoco: Any, m: Any, b: int, scale: float) -> RawBody:
    visual, collision = [], []
    for g in range(m.body_geomadr[b], m.body_geomadr[b] + m.body_geomnum[b]):
        geom = _geom(m, g, scale)
        if geom is None:
            continue
        if m.geom_group[g] <= 2:
            visual.append(geom)
        if m.geom_contype[g] or m.geom_conaffinity[g]:
            collision.append(geom)
    joint = None
    if m.body_jntnum[b]:
        j = m.body_jntadr[b]
        kind = {0: "free", 2: "slide", 3: "hinge"}.get(int(m.jnt_type[j]), "ball")
        factor = scale if kind == "slide" else 1.0
        joint = Hinge(
            m.joint(j).name, kind, _t3(m.jnt_axis[j]), _t3(m.jnt_pos[j] * scale),
            float(m.jnt_range[j][0] * factor), float(m.jnt_range[j][1] * factor),
        )  # fmt: skip
    pose = np.concatenate([m.body_pos[b] * scale, m.body_quat[b]])
    parent = int(m.body_parentid[b])
    return RawBody(
        m.body(b).name or f"body{b}" if b else "world", (m.body(parent).name or f"body{parent}") if parent else "",
        pose, joint, tuple(visual), tuple(collision), mass=max(0.05, float(m.body_mass[b]) * scale**3 * 3),
    )  # fmt: skip


def _geom(m: Any, g: int, scale: float) -> Geom | None:
    kind = int(m.geom_type[g])
    pose = np.concatenate([m.geom_pos[g] * scale, m.geom_quat[g]])
    mat = int(m.geom_matid[g])
    rgba = m.mat_rgba[mat] if mat >= 0 else m.geom_rgba[g]
    texture = ""
    if mat >= 0:
        texid = max(int(t) for t in np.atleast_1d(m.mat_texid[mat]))
        texture = m.tex(texid).name if texid >= 0 else ""
    common = {"material": m.mat(mat).name if mat >= 0 else "", "rgba": tuple(float(x) for x in rgba), "texture": texture}
    if kind == 7:
        k = int(m.geom_dataid[g])
        v = m.mesh_vert[m.mesh_vertadr[k] : m.mesh_vertadr[k] + m.mesh_vertnum[k]].astype(float) * scale
        f = m.mesh_face[m.mesh_faceadr[k] : m.mesh_faceadr[k] + m.mesh_facenum[k]].astype(np.int32)
        return Geom("mesh", (0, 0, 0), pose, vertices=v, faces=f, **common)  # type: ignore[arg-type]
    if kind not in _PRIMITIVES:
        return None  # planes and height fields: a scene brings its own floor as a box
    return Geom(_PRIMITIVES[kind], _t3(m.geom_size[g] * scale), pose, **common)  # type: ignore[arg-type]


def _t3(v: Any) -> tuple[float, float, float]:
    return (float(v[0]), float(v[1]), float(v[2]))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


# ---- Writing -------------------------------------------------------------------------------------


def write_model(bodies: list[RawBody]) -> bytes:
    """MJCF text of the bodies' contact shapes and joints. A body's parent must come before it."""
    children: dict[str, list[RawBody]] = {}
    for body in bodies:
        children.setdefault(body.parent, []).append(body)
    assets: list[str] = []
    free_below: dict[str, bool] = {"": False}
    for body in bodies:
        free_below[body.name] = free_below[body.parent] or (body.joint is not None and body.joint.type == "free")

    def emit(body: RawBody) -> str:
        free = free_below[body.name]
        joint = "" if body.joint is None else _joint_xml(body.joint)
        geoms = "".join(_geom_xml(body, i, g, assets, free) for i, g in enumerate(body.collision))
        below = "".join(emit(c) for c in children.get(body.name, []))
        inertial = "" if body.collision else '<inertial pos="0 0 0" mass="1e-6" diaginertia="1e-9 1e-9 1e-9"/>'
        return f"<body name={quoteattr(body.name)} {_pose_xml(body.pose)}>{joint}{inertial}{geoms}{below}</body>"

    tree = "".join(emit(b) for b in children.get("", []))
    option = f'<option timestep="{TIMESTEP_S}" integrator="implicitfast" cone="elliptic" impratio="5" iterations="30"><flag sleep="enable"/></option>'
    xml = (
        f'<mujoco><compiler angle="radian" autolimits="true"/>{option}<size memory="64M"/>'
        '<default><geom condim="4" solref="0.006 1" solimp="0.95 0.99 0.001"/></default>'
        f"<asset>{''.join(assets)}</asset><worldbody>{tree}</worldbody></mujoco>"
    )
    return xml.encode()


def _joint_xml(joint: Hinge) -> str:
    if joint.type == "free":
        return f"<freejoint name={quoteattr(joint.name)}/>"
    return (
        f"<joint name={quoteattr(joint.name)} type={quoteattr(joint.type)} axis={quoteattr(_nums(joint.axis))} "
        f'pos="{_nums(joint.anchor)}" range="{_nums((joint.low, joint.high))}" damping="1" armature="0.02"/>'
    )


def _geom_xml(body: RawBody, index: int, geom: Geom, assets: list[str], free: bool) -> str:
    # Furniture meets only what is carried: a door and its own frame overlap in most model files.
    mask = 'contype="2" conaffinity="3"' if free else 'contype="1" conaffinity="2"'
    volume = sum(_volume(g) for g in body.collision)
    mass = body.mass * _volume(geom) / volume
    condim = 6 if body.rolling > 0.001 else 4  # rolling friction acts in contacts of dimension 6 only
    slip = f'condim="{condim}" friction="{body.friction} 0.005 {body.rolling}"'
    if geom.type == "mesh":
        assert geom.vertices is not None
        name = f"{body.name}:{index}"
        assets.append(f"<mesh name={quoteattr(name)} vertex={quoteattr(_nums(geom.vertices.ravel()))}/>")
        shape = f'type="mesh" mesh={quoteattr(name)}'
    else:
        shape = f'type="{geom.type}" size="{_nums(geom.size)}"'
    return f'<geom {shape} {_pose_xml(geom.pose)} mass="{mass:.9g}" {slip} {mask}/>'


def _volume(geom: Geom) -> float:
    a, b, c = geom.size
    if geom.type == "mesh":
        assert geom.vertices is not None
        return float(np.prod(np.ptp(geom.vertices, axis=0)) * 0.5 + 1e-9)
    return {
        "box": 8 * a * b * c, "sphere": 4.19 * a**3, "cylinder": 6.28 * a * a * b,
        "capsule": 6.28 * a * a * b + 4.19 * a**3, "ellipsoid": 4.19 * a * b * c,
    }[geom.type]  # fmt: skip


def _pose_xml(pose: F64) -> str:
    return f'pos="{_nums(pose[:3])}" quat="{_nums(pose[3:])}"'


def _nums(values: Iterable[float]) -> str:
    return " ".join(f"{float(v):.9g}" for v in values)


# ---- Stepping ------------------------------------------------------------------------------------


class Sim:
    """A running physics model. Bodies and joints go by name; poses are xyz + wxyz in world axes."""

    def __init__(self, model: bytes) -> None:
        import mujoco

        self._mj = mujoco
        self.model = mujoco.MjModel.from_xml_string(model.decode())
        self.data = mujoco.MjData(self.model)
        self._body = {self.model.body(i).name: i for i in range(self.model.nbody)}
        self._joint = {self.model.joint(i).name: i for i in range(self.model.njnt)}
        mujoco.mj_forward(self.model, self.data)

    @property
    def qpos(self) -> F64:
        return np.array(self.data.qpos)

    @property
    def time(self) -> float:
        return float(self.data.time)

    def lock(self, name: str, locked: bool) -> None:
        """Joints nobody works are held by friction (N or N·m), so that contact can't drift them."""
        dof = self.model.jnt_dofadr[self._joint[name]]
        self.model.dof_frictionloss[dof] = 25.0 if locked else 0.0

    def reset(self, qpos: F64) -> None:
        self._mj.mj_resetData(self.model, self.data)
        self.data.qpos[:] = qpos
        self._mj.mj_forward(self.model, self.data)

    def forward(self) -> None:
        self._mj.mj_forward(self.model, self.data)

    def step(self, count: int = 1, before: Callable[[], None] | None = None) -> None:
        for _ in range(count):
            if before is not None:
                before()
            self._mj.mj_step(self.model, self.data)

    def pose(self, body: str) -> F64:
        i = self._body[body]
        return np.concatenate([self.data.xpos[i], self.data.xquat[i]])

    def poses(self, bodies: Iterable[str]) -> F64:
        i = [self._body[b] for b in bodies]
        return np.concatenate([self.data.xpos[i], self.data.xquat[i]], axis=1)

    def joint(self, name: str) -> float:
        return float(self.data.qpos[self.model.jnt_qposadr[self._joint[name]]])

    def set_joint(self, name: str, value: float) -> None:
        self.data.qpos[self.model.jnt_qposadr[self._joint[name]]] = value

    def push_joint(self, name: str, force: float) -> None:
        """Generalised force on a joint for the next step (N or N·m)."""
        self.data.qfrc_applied[self.model.jnt_dofadr[self._joint[name]]] = force

    def joint_speed(self, name: str) -> float:
        return float(self.data.qvel[self.model.jnt_dofadr[self._joint[name]]])

    def joint_inertia(self, name: str) -> float:
        """Effective inertia seen by one joint (diagonal of the mass matrix)."""
        dense = np.zeros((self.model.nv, self.model.nv))
        self._mj.mj_fullM(self.model, self.data, dense)
        dof = self.model.jnt_dofadr[self._joint[name]]
        return float(dense[dof, dof])

    def place(self, body: str, pose: F64, velocity: F64 | None = None) -> None:
        """Put a free body at a pose, with a spatial velocity (linear, angular; default at rest)."""
        j = self._joint[body]
        a, v = self.model.jnt_qposadr[j], self.model.jnt_dofadr[j]
        self.data.qpos[a : a + 7] = pose
        self.data.qvel[v : v + 6] = 0 if velocity is None else velocity

    def speed(self, body: str) -> float:
        """Linear speed of a free body, plus its angular speed times 5 cm, m/s."""
        v = self.model.jnt_dofadr[self._joint[body]]
        q = self.data.qvel[v : v + 6]
        return float(np.linalg.norm(q[:3]) + 0.05 * np.linalg.norm(q[3:]))

    def turn_about(self, body: str, pivot: F64, rate: F64) -> None:
        """Set a free body's velocity to a rotation about a world point at an angular velocity (world)."""
        v, i = self.model.jnt_dofadr[self._joint[body]], self._body[body]
        self.data.qvel[v : v + 3] = np.cross(rate, self.data.xpos[i] - pivot)
        self.data.qvel[v + 3 : v + 6] = self.data.xmat[i].reshape(3, 3).T @ rate

    def first_collision(self, body: str, poses: F64) -> str:
        """Name of what a free body would touch first at any of the poses (N,7), nothing else moving; '' = nothing."""
        saved = np.array(self.data.qpos), np.array(self.data.qvel)
        hit = ""
        for pose in poses:
            self.place(body, pose)
            self._mj.mj_kinematics(self.model, self.data)
            self._mj.mj_comPos(self.model, self.data)
            self._mj.mj_collision(self.model, self.data)
            touched = self.touching(body)
            if touched:
                hit = touched[0][0]
                break
        self.data.qpos[:], self.data.qvel[:] = saved
        self._mj.mj_forward(self.model, self.data)
        return hit

    def steer(self, body: str, velocity: F64) -> None:
        """Set the horizontal velocity (2,) of a free body and stop it turning."""
        v = self.model.jnt_dofadr[self._joint[body]]
        self.data.qvel[v : v + 2] = velocity
        self.data.qvel[v + 3 : v + 6] = 0

    def touching(self, body: str) -> list[tuple[str, F64]]:
        """Names of the bodies in contact with this one, with the contact normal pointing towards it."""
        me, out = self._body[body], []
        for k in range(self.data.ncon):
            c = self.data.contact[k]
            if c.dist > 0.002:
                continue
            a, b = int(self.model.geom_bodyid[c.geom[0]]), int(self.model.geom_bodyid[c.geom[1]])
            if me in (a, b):
                other, sign = (b, -1.0) if a == me else (a, 1.0)
                out.append((self.model.body(other).name, sign * np.array(c.frame[:3])))
        return out

    def finite(self) -> bool:
        return bool(np.isfinite(self.data.qpos).all() and np.abs(self.data.qvel).max(initial=0) < 200)

    def ray(self, start: F64, direction: F64, *, ignore: str | None = None) -> float:
        """Distance to the first contact shape along a unit direction, or inf."""
        return self.first_hit(start, direction, ignore=ignore)[0]

    def first_hit(self, start: F64, direction: F64, *, ignore: str | None = None) -> tuple[float, str]:
        """Distance to the first contact shape along a unit direction and the body it is on; inf and ''."""
        skip = self._body[ignore] if ignore else -1
        hit = np.zeros(1, np.int32)
        distance = self._mj.mj_ray(
            self.model, self.data, np.asarray(start, float), np.asarray(direction, float), None, 1, skip, hit
        )
        if distance < 0:
            return float("inf"), ""
        return float(distance), str(self.model.body(int(self.model.geom_bodyid[hit[0]])).name)


def relative(pose: F64, frame: F64) -> F64:
    """A world pose seen from a frame."""
    return compose(invert_pose(frame), pose)


def to_world(frame: F64, points: F64) -> F64:
    return apply_pose(frame, points)
