"""From linear light to display values."""

from __future__ import annotations

import numpy as np

from synth4d.types import F32, F64

_KNEE = 0.6
"""Linear level above which highlights are compressed; below it a matt surface in full light keeps its sRGB."""
_TABLE_TOP = 16.0
_TABLE_SIZE = 4096


def linear(srgb: F64) -> F64:
    """sRGB 0..1 → linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def encode(light: F64) -> F64:
    """Linear light 0..1 → sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def shoulder(light: F64) -> F64:
    """Identity up to the knee, then a hyperbola towards 1, slow enough that lit things keep their hue."""
    over = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.where(light < _KNEE, light, _KNEE + (1 - _KNEE) * over / (1 + over))


# Square-root spacing: the dark end, where the eye is keenest, gets the finest steps.
_TABLE = encode(shoulder((np.arange(_TABLE_SIZE + 1) / _TABLE_SIZE) ** 2 * _TABLE_TOP)).astype(np.float32)


def display(light: F32) -> F32:
    """Exposed linear light → display value 0..1, from a table."""
    step = np.sqrt(np.clip(light, 0, _TABLE_TOP) * np.float32(1 / _TABLE_TOP)) * np.float32(_TABLE_SIZE)
    shown: F32 = _TABLE[(step + np.float32(0.5)).astype(np.int32)]
    return shown


_LINEAR = linear(np.arange(_TABLE_SIZE + 1) / _TABLE_SIZE).astype(np.float32)


def linear_fast(srgb: F32) -> F32:
    """sRGB, clipped to 0..1 → linear light, from a table."""
    light: F32 = _LINEAR[(np.clip(srgb, 0, 1) * np.float32(_TABLE_SIZE) + np.float32(0.5)).astype(np.int32)]
    return light
