"""MJCF of contact shapes and joints only: it compiles in milliseconds and needs no file beside it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from xml.sax.saxutils import quoteattr

import numpy as np

from synth4d.physics.model import Geom, Hinge, RawBody
from synth4d.types import F64

TIMESTEP_S = 0.002


def write_model(bodies: list[RawBody]) -> bytes:
    """MJCF text of the bodies' contact shapes and joints. A body's parent must come before it."""
    children: dict[str, list[RawBody]] = {}
    for body in bodies:
        children.setdefault(body.parent, []).append(body)
    assets: list[str] = []
    free_below: dict[str, bool] = {"": False}
    for body in bodies:
        moves = body.joint is not None and body.joint.type in ("free", "mocap")
        free_below[body.name] = free_below[body.parent] or moves
    tree = _children_xml("", children, free_below, assets)
    # Sleep: what lies still costs nothing; a kitchen steps ten times faster, with the same outcome.
    option = (
        f'<option timestep="{TIMESTEP_S}" integrator="implicitfast" cone="elliptic" impratio="5" iterations="30">'
        '<flag sleep="enable"/></option>'
    )
    xml = (
        f'<mujoco><compiler angle="radian" autolimits="true"/>{option}<size memory="64M"/>'
        '<default><geom condim="4" solref="0.006 1" solimp="0.95 0.99 0.001"/></default>'
        f"<asset>{''.join(assets)}</asset><worldbody>{tree}</worldbody>{_equality(bodies)}</mujoco>"
    )
    return xml.encode()


def _children_xml(name: str, children: dict[str, list[RawBody]], free_below: dict[str, bool], assets: list[str]) -> str:
    """The elements below a body; their meshes go to `assets`."""
    tree = ""
    for body in children.get(name, []):
        own, meshes = _body_xml(body, free_below[body.name])
        assets.append(meshes)
        tree += own + _children_xml(body.name, children, free_below, assets) + "</body>"
    return tree


@lru_cache(maxsize=512)  # a scene's own bodies are the same in every layout
def _body_xml(body: RawBody, free: bool) -> tuple[str, str]:
    """A body's element up to where its children begin, and its meshes."""
    led = body.joint is not None and body.joint.type == "mocap"
    joint = "" if body.joint is None or led else _joint_xml(body.joint)
    volume = sum(_volume(g) for g in body.collision)
    assets: list[str] = []
    geoms = "".join(_geom_xml(body, i, g, assets, free, volume) for i, g in enumerate(body.collision))
    inertial = "" if body.collision else '<inertial pos="0 0 0" mass="1e-6" diaginertia="1e-9 1e-9 1e-9"/>'
    place = _pose_xml(body.pose) + (' mocap="true"' if led else "")
    return f"<body name={quoteattr(body.name)} {place}>{joint}{inertial}{geoms}", "".join(assets)


def _equality(bodies: list[RawBody]) -> str:
    """Joints that follow others."""
    followers = [(b.joint.name, b.joint.follows) for b in bodies if b.joint is not None and b.joint.follows]
    rows = [
        f'<joint joint1={quoteattr(name)} joint2={quoteattr(leader)} polycoef="{_nums((offset, ratio, 0, 0, 0))}"/>'
        for name, (leader, ratio, offset) in followers
    ]
    return f"<equality>{''.join(rows)}</equality>" if rows else ""


def _joint_xml(joint: Hinge) -> str:
    if joint.type == "free":
        return f"<freejoint name={quoteattr(joint.name)}/>"
    return (
        f"<joint name={quoteattr(joint.name)} type={quoteattr(joint.type)} axis={quoteattr(_nums(joint.axis))} "
        f'pos="{_nums(joint.anchor)}" range="{_nums((joint.low, joint.high))}" damping="1" armature="0.02"/>'
    )


def _geom_xml(body: RawBody, index: int, geom: Geom, assets: list[str], free: bool, volume: float) -> str:
    # Furniture meets only what is carried: a door and its own frame overlap in most model files.
    mask = 'contype="2" conaffinity="3"' if free else 'contype="1" conaffinity="2"'
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
