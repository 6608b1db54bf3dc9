"""The nouns that pass between stages. Frozen; arrays are never written after construction.

Frames and units, everywhere: metres, seconds, radians inside (degrees only in what people read);
world axes right-handed with +z up; cameras OpenCV (+x right, +y down, +z forward), pixel centres at
half-integers; `T_a_b` maps b-coordinates to a-coordinates; quaternions wxyz; poses are `xyz + wxyz`.
Colours are sRGB in 0..1 where named `srgb`, linear light where named `rgb`.
"""

from __future__ import annotations

from synth4d.types.arrays import F32, F64, I32, U8, U16, Vec3
from synth4d.types.picture import CameraPath, Clip, Gaussians
from synth4d.types.shot import Sample, Shot, ShotKind
from synth4d.types.timeline import Ending, Event, EventKind, Timeline
from synth4d.types.world import (
    Body,
    CameraRules,
    Cavity,
    Image,
    Joint,
    Lamp,
    Material,
    Name,
    Place,
    Surface,
    Switch,
    Track,
    Vessel,
    World,
)

__all__ = [
    "F32",
    "F64",
    "I32",
    "U8",
    "U16",
    "Vec3",
    "Body",
    "CameraRules",
    "Cavity",
    "Image",
    "Joint",
    "Lamp",
    "Material",
    "Name",
    "Place",
    "Surface",
    "Switch",
    "Vessel",
    "World",
    "Ending",
    "Event",
    "EventKind",
    "Timeline",
    "Track",
    "CameraPath",
    "Clip",
    "Gaussians",
    "Sample",
    "Shot",
    "ShotKind",
]
