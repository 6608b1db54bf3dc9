"""From linear light to display values: one curve for illumination, one for what still exceeds the display.

What makes pictures white out is the light beside a lamp, not the paint it falls on. So it is the illumination
alone that is compressed, as Durand and Dorsey (2002) do with the base layer of a photograph; a renderer knows it
exactly. Paint and texture keep their contrast under a lamp, and a matt thing keeps the name of its colour. The
curves are the same for all clips and frames, and rise everywhere: a lamp that goes on is seen.
"""

from __future__ import annotations

import numpy as np

from synth4d.render import _light
from synth4d.types import F32, F64

FULL, MOST = 0.75, 1.3
"""Exposed illumination up to which nothing changes, and what it never exceeds."""
_KNEE = 0.8
"""Linear level above which highlights and glows are compressed."""
TABLE_TOP = 16.0
_TABLE_SIZE = 4096


def linear(srgb: F64) -> F64:
    """sRGB 0..1 → linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def encode(light: F64) -> F64:
    """Linear light 0..1 → sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def exposed(light: F32) -> F32:
    """(…,3) exposed illumination, compressed by its strongest channel so that its hue stays: identity up to
    FULL, then a hyperbola towards MOST that starts with slope one."""
    peak = light.max(-1, keepdims=True)
    room = np.float32(MOST - FULL)
    over = np.maximum(peak - np.float32(FULL), 0) / room
    shown: F32 = light * np.where(over > 0, (np.float32(FULL) + room * over / (1 + over)) / np.maximum(peak, 1e-6), 1)
    return shown.astype(np.float32)


def shoulder(light: F64) -> F64:
    """Identity up to the knee, then a hyperbola towards 1."""
    over = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.where(light < _KNEE, light, _KNEE + (1 - _KNEE) * over / (1 + over))


# Square-root spacing: the dark end, where the eye is keenest, gets the finest steps.
TABLE: F32 = encode(shoulder((np.arange(_TABLE_SIZE + 1) / _TABLE_SIZE) ** 2 * TABLE_TOP)).astype(np.float32)


_LINEAR = linear(np.arange(_TABLE_SIZE + 1) / _TABLE_SIZE).astype(np.float32)


def linear_fast(srgb: F32) -> F32:
    """(N,3) sRGB, clipped to 0..1 → linear light, from a table."""
    return _light.look_up(srgb, _LINEAR)
