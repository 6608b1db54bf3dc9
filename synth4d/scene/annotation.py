"""What is what in a capture: things as oriented boxes, in the asset's upright frame (metres, +z up).

A thing's body frame stands in the middle of its box's lower face, along the box's axes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from synth4d import yamlfile
from synth4d.errors import SceneError
from synth4d.geometry import apply_pose, quat_from_axis_angle
from synth4d.scene.spec import CavitySpec, F, JointSpec, NameSpec, Slug, Spec, Vec3
from synth4d.types import F64

Length = Annotated[float, Field(gt=0, le=1e3, allow_inf_nan=False)]


class BoxSpec(Spec):
    """An oriented box."""

    center: Vec3
    size: tuple[Length, Length, Length]
    """Along the box's own axes."""
    yaw: F = 0.0
    """Degrees about +z."""
    quat: tuple[F, F, F, F] | None = None
    """wxyz, instead of yaw, for what stands askew."""

    @model_validator(mode="after")
    def _one_turn(self) -> BoxSpec:
        if self.quat is not None and (self.yaw or sum(q * q for q in self.quat) < 1e-6):
            raise ValueError("give yaw or a quat that is not zero")
        return self

    @property
    def pose(self) -> F64:
        """(7,) of the box's centre."""
        if self.quat is None:
            turn = quat_from_axis_angle([0, 0, 1], np.radians(self.yaw))
        else:
            turn = np.array(self.quat) / np.sqrt(np.sum(np.square(self.quat)))
        return np.concatenate([self.center, turn])

    @property
    def foot(self) -> F64:
        """(7,) of the middle of its lower face."""
        pose = self.pose
        return np.concatenate([apply_pose(pose, [0, 0, -self.size[2] / 2]), pose[3:]])


class MotionSpec(JointSpec):
    """How a part opens. It was captured at the value 0; degrees for a hinge, metres for a slide."""

    type: Literal["hinge", "slide"]
    axis: Vec3
    """Direction that it turns about or slides along, in the annotation's axes."""
    anchor: Vec3 | None = None
    """hinge: a point on the axis, in the annotation's frame."""

    @model_validator(mode="after")
    def _complete(self) -> MotionSpec:
        if sum(a * a for a in self.axis) < 1e-6:
            raise ValueError("axis is zero")
        if (self.anchor is None) == (self.type == "hinge"):
            raise ValueError("a hinge has an anchor, a slide has none")
        return self


class ThingSpec(BoxSpec):
    """A thing of the capture: the Gaussians with its `object_id`, or else those in its box."""

    object_id: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    name: NameSpec | None = None
    """Whoever has none is solid, but nobody asks about it."""
    category: Slug | None = None
    role: Literal["fixture", "part", "prop"] = "fixture"
    """A prop can be carried; the hole it leaves in the capture stays."""
    part_of: Slug | None = None
    colour: str | None = None
    joint: MotionSpec | None = None
    cavity: CavitySpec | None = None
    place: bool = False
    """Props may stand on its top face."""
    solids: list[BoxSpec] | None = None
    """Boxes to bump into instead of the whole box; [] = none."""

    @model_validator(mode="after")
    def _fits(self) -> ThingSpec:
        if self.name is None and (self.place or self.joint or self.cavity or self.part_of or self.role != "fixture"):
            raise ValueError("a thing without a name is only solid; give it a name")
        if self.place and self.quat is not None and abs(_up(self.quat)) < 0.998:
            raise ValueError("only upright things (within 3 degrees) can be a place")
        if self.joint and self.role == "prop":
            raise ValueError("a prop is free; it has no joint")
        return self


class AnnotationSpec(Spec):
    things: Annotated[dict[Slug, ThingSpec], Field(max_length=2000)]

    @model_validator(mode="after")
    def _each_once(self) -> AnnotationSpec:
        ids = [t.object_id for t in self.things.values() if t.object_id is not None]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"two things have the object_id {twice[0]}")
        return self


def load(path: Path) -> tuple[AnnotationSpec, yamlfile.Document]:
    """Read and check an annotation. Raises SceneError with file, line and rule."""
    spec, document = yamlfile.load(path, AnnotationSpec, SceneError)
    for name, thing in spec.things.items():
        other, where = thing.part_of, document.where(("things", name, "part_of"))
        if other is not None and (other not in spec.things or spec.things[other].name is None or other == name):
            named = ", ".join(n for n, t in spec.things.items() if t.name and n != name) or "none"
            raise SceneError(f"{where}: no named thing {other!r}; there are {named}")
        seen = [name]
        while other is not None:
            if other in seen:
                raise SceneError(f"{where}: {name} is part of itself")
            seen.append(other)
            other = spec.things[other].part_of
    return spec, document


def _up(quat: tuple[float, float, float, float]) -> float:
    """Cosine between the box's z axis and +z."""
    w, x, y, z = quat
    return 1 - 2 * (x * x + y * y) / (w * w + x * x + y * y + z * z)
