"""Hands that work a joint or carry a prop. Times in seconds, paths in world metres.

`course` lists what a hand wants in each physics step from its beginning on, the last entry for all that follow; `drive`
does it, before the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import dist

import numpy as np

from synth4d.geometry import quat_from_axis_angle, quat_mul, rotate
from synth4d.physics import Sim
from synth4d.types import F64, Joint

STIFFNESS = 1500.0
"""1/s²; a 0.16 s response, far below the 0.8 s of the shortest event."""
DAMPING = 2 * STIFFNESS**0.5
"""1/s; critical."""
LIMIT = {"hinge": 8.0, "slide": 60.0}
"""What a hand pushes with: N·m on a door, N on a drawer. A blocked part stays where it is blocked."""


AHEAD_S = 1e-3
"""A speed is how far a hand goes in this time."""


def smooth(s: float) -> float:
    """Minimum-jerk progress 0..1."""
    if s <= 0:
        return 0.0
    return s**3 * (10 - 15 * s + 6 * s * s) if s < 1 else 1.0


def _smooth(shares: F64) -> F64:
    return np.array([smooth(s) for s in shares.tolist()])


@dataclass(frozen=True, slots=True)
class Servo:
    """Moves a joint from where it is to a value, with limited force; holds it there afterwards."""

    joint: Joint
    start: float
    end: float
    start_s: float
    end_s: float
    inertia: float

    def course(self, times: F64) -> list[tuple[float, float]]:
        """Value and speed of the joint."""
        times, span = np.append(times, self.end_s + 1), self.end_s - self.start_s
        want = self.start + (self.end - self.start) * _smooth((times - self.start_s) / span)
        ahead = self.start + (self.end - self.start) * _smooth((times + AHEAD_S - self.start_s) / span)
        return list(zip(want.tolist(), ((ahead - want) / AHEAD_S).tolist(), strict=True))

    def drive(self, sim: Sim, step: tuple[float, float]) -> None:
        value, speed = sim.joint_motion(self.joint.name)
        force = self.inertia * (STIFFNESS * (step[0] - value) + DAMPING * (step[1] - speed))
        limit = LIMIT[self.joint.type]
        sim.push_joint(self.joint.name, min(limit, max(-limit, force)))


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """Carries a free body along a path; lets go at the end."""

    body: str
    path: F64
    """(N,7) poses, evenly spaced in path length."""
    start_s: float
    end_s: float
    linear: bool = False
    """The path is already eased in time."""

    def at(self, times: F64) -> F64:
        """(T,7)"""
        shares = (times - self.start_s) / (self.end_s - self.start_s)
        x = (np.clip(shares, 0.0, 1.0) if self.linear else _smooth(shares)) * (len(self.path) - 1)
        i = np.minimum(x.astype(int), len(self.path) - 2)
        share = (x - i)[:, None]
        out = self.path[i] * (1 - share) + self.path[i + 1] * share
        w, x, y, z = out[:, 3:].T
        out[:, 3:] /= np.sqrt(w * w + x * x + y * y + z * z)[:, None]
        return out

    def course(self, times: F64) -> list[tuple[F64, F64] | None]:
        """Pose and spatial velocity of the body."""
        times = times[times <= self.end_s]
        poses, speeds = self.at(times), np.zeros((len(times), 6))
        speeds[:, :3] = (self.at(times + AHEAD_S)[:, :3] - poses[:, :3]) / AHEAD_S
        return [*zip(poses, speeds, strict=True), None]

    def drive(self, sim: Sim, step: tuple[F64, F64] | None) -> None:
        if step is not None:
            sim.place(self.body, *step)

    def away(self, step: tuple[F64, F64] | None) -> float:
        """Distance from the nearer end of the path; 0 when not carrying."""
        if step is None:
            return 0.0
        here = step[0][:3].tolist()
        return min(dist(here, self.path[e, :3].tolist()) for e in (0, -1))


@dataclass(frozen=True, slots=True, eq=False)
class Shove:
    """Slides a free body over what it stands on: a horizontal speed for a while, friction does the rest."""

    body: str
    travel: F64
    """(2,) metres"""
    start_s: float
    end_s: float

    def course(self, times: F64) -> list[F64 | None]:
        """Horizontal speed of the body."""
        times, span = times[times <= self.end_s], self.end_s - self.start_s
        ahead, now = (_smooth((t - self.start_s) / span) for t in (times + AHEAD_S, times))
        return [*(self.travel * ((ahead - now) / AHEAD_S)[:, None]), None]

    def drive(self, sim: Sim, step: F64 | None) -> None:
        if step is not None:
            sim.steer(self.body, step)


@dataclass(frozen=True, slots=True, eq=False)
class Topple:
    """Tips a free body over the edge of its foot until it falls by itself."""

    body: str
    rate: F64
    """(3,) angular velocity, world, rad/s."""
    pivot: F64
    """(3,) world point of the edge it tips over."""
    until: float
    """Tilt (rad) at which the hand lets go: a little beyond balance."""
    start_s: float

    def course(self, times: F64) -> list[bool]:
        """Whether there is a hand."""
        return [*(times <= self.start_s + 1.0).tolist(), False]

    def drive(self, sim: Sim, step: bool) -> None:
        if step and rotate(sim.pose(self.body)[3:], np.array([0.0, 0.0, 1.0]))[2] > np.cos(self.until):
            sim.turn_about(self.body, self.pivot, self.rate)


Move = Servo | Carry | Shove | Topple


def polyline(points: list[F64], turn: float, start_quat: F64, spacing: float = 0.005) -> F64:
    """(N,7) poses along way-points with rounded corners, turning about +z by `turn` radians on the way."""
    p = np.array(points, float)
    for _ in range(3):  # Chaikin's corner cutting, ends kept
        cut = np.empty((2 * len(p) - 2, 3))
        cut[0::2], cut[1::2] = p[:-1] * 0.75 + p[1:] * 0.25, p[:-1] * 0.25 + p[1:] * 0.75
        p = np.concatenate([p[:1], cut, p[-1:]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))])
    count = max(8, int(length[-1] / spacing))
    s = np.linspace(0, length[-1], count)
    xyz = np.stack([np.interp(s, length, p[:, k]) for k in range(3)], 1)
    quats = quat_mul(quat_from_axis_angle(np.array([0.0, 0, 1]), turn * s / max(length[-1], 1e-9)), start_quat)
    return np.concatenate([xyz, quats], 1)
