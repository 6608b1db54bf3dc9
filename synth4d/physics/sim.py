"""Stepping a model: state, forces, contacts and rays, by body and joint name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F64


@lru_cache(maxsize=4)
def _compiled(model: bytes) -> tuple[Any, dict[str, int], dict[str, int]]:
    """A world's model, compiled once for its simulations, whose copies differ in what is locked; the numbers of its
    bodies and joints by name."""
    import mujoco

    m = mujoco.MjModel.from_xml_string(model.decode())
    return m, {m.body(i).name: i for i in range(m.nbody)}, {m.joint(i).name: i for i in range(m.njnt)}


class Sim:
    """A running physics model. Bodies and joints go by name; poses are xyz + wxyz in world axes."""

    def __init__(self, model: bytes) -> None:
        import mujoco

        self._mj = mujoco
        compiled, self._body, self._joint = _compiled(model)
        self.model = copy.copy(compiled)
        self.data = mujoco.MjData(self.model)
        self._name, self._hit = tuple(self._body), np.zeros(1, np.int32)
        self._at = {n: int(self.model.jnt_qposadr[i]) for n, i in self._joint.items()}
        self._dof = {n: int(self.model.jnt_dofadr[i]) for n, i in self._joint.items()}
        self._look()
        mujoco.mj_forward(self.model, self.data)

    def _look(self) -> None:
        """Views of the state, kept: making one takes longer than reading a number through it."""
        self._qpos, self._qvel, self._force = self.data.qpos, self.data.qvel, self.data.qfrc_applied
        self._xpos, self._xquat = self.data.xpos, self.data.xquat

    def __copy__(self) -> Sim:
        """Another one in the same state."""
        other = object.__new__(Sim)
        other.__dict__ |= self.__dict__
        other.model, other.data = copy.copy(self.model), copy.copy(self.data)
        other._look()
        return other

    @property
    def qpos(self) -> F64:
        return np.array(self.data.qpos)

    @property
    def time(self) -> float:
        return self.data.time

    def times(self, count: int) -> F64:
        """(count,) seconds at which the next steps begin, from now on."""
        return np.cumsum([self.time, *[self.model.opt.timestep] * (count - 1)])

    def lock(self, name: str, locked: bool) -> None:
        """Joints nobody works are held by friction (N or N·m), so that contact can't drift them."""
        self.model.dof_frictionloss[self._dof[name]] = 25.0 if locked else 0.0

    def reset(self, qpos: F64) -> None:
        self._mj.mj_resetData(self.model, self.data)
        self.data.qpos[:] = qpos
        self._mj.mj_forward(self.model, self.data)

    def forward(self) -> None:
        self._mj.mj_forward(self.model, self.data)

    def step(self, count: int = 1, before: Callable[[], None] | None = None) -> None:
        if before is None:
            self._mj.mj_step(self.model, self.data, count)
            return
        for _ in range(count):
            before()
            self._mj.mj_step(self.model, self.data)

    def still(self, speed: float) -> bool:
        """Whether no joint moves faster."""
        return bool((np.abs(self._qvel) < speed).all())

    def wait(self, count: int) -> None:
        """Let steps pass in which nothing moves."""
        self.data.time += count * self.model.opt.timestep

    def pose(self, body: str) -> F64:
        i = self._body[body]
        return np.concatenate([self._xpos[i], self._xquat[i]])

    def poses(self, bodies: Iterable[str]) -> F64:
        return self.poses_at(self.rows(bodies))

    def rows(self, bodies: Iterable[str]) -> NDArray[np.int64]:
        """What `poses_at` takes for these bodies."""
        return np.array([self._body[b] for b in bodies], np.int64)

    def poses_at(self, rows: NDArray[np.int64]) -> F64:
        return np.concatenate(self.places_at(rows), 1)

    def places_at(self, rows: NDArray[np.int64]) -> tuple[F64, F64]:
        """Where `rows` of bodies (N,) are (N,3), and their quaternions (N,4)."""
        return self._xpos.take(rows, 0), self._xquat.take(rows, 0)

    def joint(self, name: str) -> float:
        return self._qpos.item(self._at[name])

    def set_joint(self, name: str, value: float) -> None:
        """Put a joint, and those that follow it, at a value."""
        joint = self._joint[name]
        self.data.qpos[self._at[name]] = value
        for k in range(self.model.neq):
            if self.model.eq_obj2id[k] == joint:
                offset, ratio = self.model.eq_data[k][:2]
                self.data.qpos[self.model.jnt_qposadr[self.model.eq_obj1id[k]]] = offset + ratio * value

    def holding(self, names: Iterable[str]) -> Callable[[], None]:
        """What puts joints, and those that follow them, back to where they are now, at rest."""
        joints = {self._joint[n] for n in names}
        follow = {int(b) for a, b in zip(self.model.eq_obj2id, self.model.eq_obj1id, strict=True) if a in joints}
        which = sorted(joints | follow)
        rows, dofs = self.model.jnt_qposadr[which], self.model.jnt_dofadr[which]
        values = self._qpos[rows]

        def hold() -> None:
            self._qpos[rows], self._qvel[dofs] = values, 0.0

        return hold

    def push_joint(self, name: str, force: float) -> None:
        """Generalised force on a joint for the next step (N or N·m)."""
        self._force[self._dof[name]] = force

    def joint_motion(self, name: str) -> tuple[float, float]:
        """Value and speed."""
        return self._qpos.item(self._at[name]), self._qvel.item(self._dof[name])

    def joint_inertia(self, name: str) -> float:
        """Effective inertia seen by one joint (diagonal of the mass matrix)."""
        dense = np.zeros((self.model.nv, self.model.nv))
        self._mj.mj_fullM(self.model, self.data, dense)
        dof = self._dof[name]
        return float(dense[dof, dof])

    def place(self, body: str, pose: F64, velocity: F64 | None = None) -> None:
        """Put a free body at a pose, with a spatial velocity (linear, angular; default at rest)."""
        a, v = self._at[body], self._dof[body]
        self._qpos[a : a + 7] = pose
        self._qvel[v : v + 6] = 0 if velocity is None else velocity

    def lead(self, body: str, pose: F64) -> None:
        """Put a mocap body at a pose."""
        k = self.model.body_mocapid[self._body[body]]
        self.data.mocap_pos[k], self.data.mocap_quat[k] = pose[:3], pose[3:]

    def speed(self, body: str) -> float:
        """Linear speed of a free body, plus its angular speed times 5 cm, m/s."""
        v = self._dof[body]
        q = self.data.qvel[v : v + 6]
        return float(np.linalg.norm(q[:3]) + 0.05 * np.linalg.norm(q[3:]))

    def turn_about(self, body: str, pivot: F64, rate: F64) -> None:
        """Set a free body's velocity to a rotation about a world point at an angular velocity (world)."""
        v, i = self._dof[body], self._body[body]
        (a, b, c), (x, y, z) = rate.tolist(), (self._xpos[i] - pivot).tolist()
        self._qvel[v : v + 3] = b * z - c * y, c * x - a * z, a * y - b * x
        self._qvel[v + 3 : v + 6] = self.data.xmat[i].reshape(3, 3).T @ rate

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
                hit = touched[0]
                break
        self.data.qpos[:], self.data.qvel[:] = saved
        self._mj.mj_forward(self.model, self.data)
        return hit

    def steer(self, body: str, velocity: F64) -> None:
        """Set the horizontal velocity (2,) of a free body and stop it turning."""
        v = self._dof[body]
        self.data.qvel[v : v + 2] = velocity
        self.data.qvel[v + 3 : v + 6] = 0

    def touching(self, body: str) -> list[str]:
        """Names of the bodies in contact with this one."""
        me, contacts = self._body[body], self.data.contact
        sides = self.model.geom_bodyid[contacts.geom[contacts.dist <= 0.002].ravel()]
        return [self._name[i] for i in sides[np.flatnonzero(sides == me) ^ 1]]

    def finite(self) -> bool:
        return bool(np.isfinite(self._qpos).all() and np.abs(self._qvel).max(initial=0) < 200)

    def ray(self, start: F64, direction: F64, *, ignore: str | None = None) -> float:
        """Distance to the first contact shape along a unit direction, or inf."""
        skip = self._body[ignore] if ignore else -1
        distance: float = self._mj.mj_ray(self.model, self.data, start, direction, None, 1, skip, self._hit)
        return distance if distance >= 0 else float("inf")

    def within(self, start: F64, directions: F64, reach: float) -> bool:
        """Whether any of some unit directions (N,3) meets a contact shape within reach."""
        count = len(directions)
        hit, distance = np.zeros(count, np.int32), np.zeros(count)
        self._mj.mj_multiRay(
            self.model, self.data, np.asarray(start, float), directions.ravel(), None, True, -1, hit, distance, None,
            count, reach,
        )  # fmt: skip
        return bool(((distance >= 0) & (distance <= reach)).any())

    def first_hit(self, start: F64, direction: F64) -> tuple[float, str]:
        """Distance to the first contact shape along a unit direction and the body it is on; inf and ''."""
        distance = self.ray(start, direction)
        return distance, self._name[self.model.geom_bodyid[self._hit[0]]] if distance < float("inf") else ""
