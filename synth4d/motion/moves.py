"""Hands: functions of time that work a joint or carry a prop. Times in seconds, paths in world metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth4d.geometry import quat_from_axis_angle, quat_mul, rotate
from synth4d.physics import Sim
from synth4d.types import F64, Joint

STIFFNESS = 1500.0
"""1/s²; a 0.16 s response, far below the 0.8 s of the shortest event."""
LIMIT = {"hinge": 8.0, "slide": 60.0}
"""What a hand pushes with: N·m on a door, N on a drawer. A blocked part stays where it is blocked."""


def smooth(s: float) -> float:
    """Minimum-jerk progress 0..1."""
    s = min(1.0, max(0.0, s))
    return s**3 * (10 - 15 * s + 6 * s * s)


@dataclass(frozen=True, slots=True)
class Servo:
    """Moves a joint from where it is to a value, with limited force; holds it there afterwards."""

    joint: Joint
    start: float
    end: float
    start_s: float
    end_s: float
    inertia: float

    def drive(self, sim: Sim, t: float) -> None:
        span = self.end_s - self.start_s
        want = self.start + (self.end - self.start) * smooth((t - self.start_s) / span)
        ahead = self.start + (self.end - self.start) * smooth((t + 1e-3 - self.start_s) / span)
        error, speed = (
            want - sim.joint(self.joint.name),
            (ahead - want) / 1e-3 - sim.joint_speed(self.joint.name),
        )
        force = self.inertia * (STIFFNESS * error + 2 * STIFFNESS**0.5 * speed)
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

    def at(self, t: float) -> F64:
        share = (t - self.start_s) / (self.end_s - self.start_s)
        x = (min(1.0, max(0.0, share)) if self.linear else smooth(share)) * (len(self.path) - 1)
        i = min(int(x), len(self.path) - 2)
        # Two steps a millisecond of physics: in Python's own floats this takes a third of numpy's time.
        share, rest = x - i, 1 - (x - i)
        a, b = self.path[i].tolist(), self.path[i + 1].tolist()
        *xyz, w, x, y, z = [p * rest + q * share for p, q in zip(a, b, strict=True)]
        long = (w * w + x * x + y * y + z * z) ** 0.5
        return np.array([*xyz, w / long, x / long, y / long, z / long])

    def away(self, t: float) -> float:
        """Distance from the nearer end of the path; 0 when not carrying."""
        if not self.start_s <= t <= self.end_s:
            return 0.0
        xyz = self.at(t)[:3]
        return min(float(np.linalg.norm(xyz - self.path[e, :3])) for e in (0, -1))

    def drive(self, sim: Sim, t: float) -> None:
        if self.start_s <= t <= self.end_s:
            pose, ahead = self.at(t), self.at(t + 1e-3)
            sim.place(self.body, pose, np.concatenate([(ahead[:3] - pose[:3]) / 1e-3, np.zeros(3)]))


@dataclass(frozen=True, slots=True, eq=False)
class Shove:
    """Slides a free body over what it stands on: a horizontal speed for a while, friction does the rest."""

    body: str
    travel: F64
    """(2,) metres"""
    start_s: float
    end_s: float

    def drive(self, sim: Sim, t: float) -> None:
        if self.start_s <= t <= self.end_s:
            span = self.end_s - self.start_s
            rate = (smooth((t + 1e-3 - self.start_s) / span) - smooth((t - self.start_s) / span)) / 1e-3
            sim.steer(self.body, self.travel * rate)


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

    def drive(self, sim: Sim, t: float) -> None:
        if not self.start_s <= t <= self.start_s + 1.0:
            return
        pose = sim.pose(self.body)
        up = rotate(pose[3:], np.array([0.0, 0.0, 1.0]))
        if up[2] > np.cos(self.until):
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
