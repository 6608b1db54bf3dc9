"""Things one drinks and eats from: mug, glass, bowl, plate, vase."""

from __future__ import annotations

import numpy as np

from synth4d.scene.props.base import (
    CREAM,
    PropShape,
    Top,
    chance,
    contrast,
    glazed,
    lighter,
    prop,
    solid_box,
    solid_cylinder,
    solid_wall,
    vary,
)
from synth4d.scene.shapes import fillet, spline, split_rim, split_z, tube, turned
from synth4d.types import F64, Cavity, Material, Vec3, Vessel

Runs = list[tuple[Material, F64]]


def banded(outside: F64, material: Material, low: float, high: float, band: Material) -> Runs:
    """The outside of a lathe with a band of another material between two heights."""
    below, rest = split_z(outside, low)
    middle, above = split_z(rest, high)
    return [(material, below), (band, middle), (material, above)]


def mug(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    h, r, wall, floor = vary(rng, 0.096, 0.08), vary(rng, 0.0405, 0.06), 0.0036, 0.006
    foot = r * (0.84 + 0.16 * rng.random())
    corners = [
        (0, 0),
        (foot, 0, 0.006),
        (r, h * 0.3, 0.05),
        (r, h, wall * 0.48),
        (r - wall, h, wall * 0.48),
        (r - wall, h * 0.3, 0.05),
        (foot - wall, floor, 0.008),
        (0, floor),
    ]
    outside, inside = split_rim(fillet(corners))
    glaze = glazed(srgb, rng)
    white_inside = Material(CREAM if chance(rng, 0.5) else lighter(srgb, 0.12), gloss=0.35)
    runs: Runs = [(glaze, outside)]
    if chance(rng, 0.3):
        runs = banded(outside, glaze, h * 0.66, h * 0.8, Material(contrast(srgb), gloss=0.35))
    reach, thick = vary(rng, 0.031), vary(rng, 0.0105) / 2
    arc = spline(
        [
            (r - 0.002, h * 0.83),
            (r + reach * 0.72, h * 0.81),
            (r + reach, h * 0.54),
            (r + reach * 0.68, h * 0.27),
            (r - 0.002, h * 0.19),
        ],
        3,
    )
    handle = tube(np.insert(arc, 1, 0.0, axis=1), (thick * 1.15, thick), (0.0, 1.0, 0.0), 10)
    body = solid_cylinder(r, 0, h)
    loop = solid_box((reach + thick, 2.3 * thick, h * 0.7), (r + (reach + thick) / 2, 0, h * 0.51))
    return prop(
        [*turned([*runs, (white_inside, inside)], 30), handle.surface(Material(srgb, gloss=0.35))],
        [body, loop],
        vary(rng, 0.3),
        vessel=Vessel(
            floor,
            h - 0.001,
            foot - wall - 0.005,
            r - wall,
            belly=((floor + 0.006, foot - wall - 0.0005), (h * 0.3, r - wall - 0.001)),
            wall=wall,
        ),
        topples=True,
    )


def glass(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A tumbler of tinted glass; a little light passes each wall, so that what is behind shimmers through."""
    h, r, wall = vary(rng, 0.125), vary(rng, 0.037, 0.07), 0.0024
    foot, floor = r * vary(rng, 0.78, 0.08), 0.01
    corners = [
        (0, 0),
        (foot, 0, 0.004),
        (r, h, wall * 0.48),
        (r - wall, h, wall * 0.48),
        (foot - wall, floor, 0.005),
        (0, floor),
    ]
    outside, inside = split_rim(fillet(corners))
    tinted = Material(lighter(srgb, 0.12), gloss=0.6, opacity=0.75)
    return prop(
        turned([(tinted, outside), (tinted, inside)], 28),
        [solid_cylinder(r, 0, h)],
        vary(rng, 0.25),
        vessel=Vessel(
            floor,
            h - 0.001,
            foot - wall - 0.003,
            r - wall - 0.0003,
            belly=((floor + 0.004, foot - wall - 0.0003),),
            wall=wall,
        ),
        topples=True,
    )


def bowl(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    r, h, wall = vary(rng, 0.078, 0.08), vary(rng, 0.066), 0.005
    foot, floor = r * 0.5, 0.009
    corners = [
        (0, 0.002),
        (foot - 0.005, 0.002),
        (foot - 0.004, 0, 0.001),
        (foot, 0, 0.001),
        (foot, 0.006, 0.002),
        (r * 0.82, h * 0.36, 0.04),
        (r, h, wall * 0.48),
        (r - wall, h - 0.0005, wall * 0.48),
        (r * 0.82 - wall, h * 0.4, 0.04),
        (foot * 0.95, floor, 0.012),
        (0, floor),
    ]
    outside, inside = split_rim(fillet(corners))
    glaze = glazed(srgb, rng)
    runs: Runs = [(glaze, outside)]
    if chance(rng, 0.4):
        below, rim = split_z(outside, h * 0.87)
        runs = [(glaze, below), (Material(contrast(srgb), gloss=0.35), rim)]
    inner = Material(lighter(srgb, 0.16 if chance(rng, 0.4) and max(srgb) > 0.2 else 0.06), gloss=0.35)
    bottom = solid_cylinder(foot, 0, floor)
    lower = solid_wall((foot + 0.004, 0.006), (r * 0.84, h * 0.4), 0.006)
    upper = solid_wall((r * 0.84, h * 0.38), (r, h), 0.006)
    q, brim = (r - wall) * 0.7, float(outside[:, 1].max())
    return prop(
        turned([*runs, (inner, inside)], 34),
        [bottom, *lower, *upper],
        vary(rng, 0.4),
        vessel=Vessel(
            floor, brim - 0.002, foot * 0.9, r - wall - 0.001, belly=((h * 0.4, r * 0.82 - wall - 0.003),), wall=wall
        ),
        cavity=Cavity((-q, -q, floor), (q, q, brim)),
    )


def plate(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    r, h, floor = vary(rng, 0.118), vary(rng, 0.024), 0.008
    well, step, foot = r * 0.62, h * 0.62, r * 0.54
    corners = [
        (0, 0.0025),
        (foot - 0.006, 0.0025),
        (foot - 0.005, 0, 0.001),
        (foot, 0, 0.001),
        (foot + 0.003, 0.0045),
        (well, 0.0045, 0.006),
        (well * 1.08, step - 0.003, 0.006),
        (r, h - 0.0035, 0.001),
        (r, h, 0.001),
        (well * 1.08, step, 0.008),
        (well, floor, 0.008),
        (0, floor),
    ]
    profile = fillet(corners)
    edge = int(np.argmax(profile[:, 1]))
    step_at = edge + int(np.argmax(profile[edge:, 0] < well * 1.12))
    glaze, pale = glazed(srgb, rng), Material(lighter(srgb, 0.2), gloss=0.35)
    look = int(rng.integers(3))
    runs: Runs = [
        (glaze, profile[: edge + 1]),
        (pale if look == 1 else glaze, profile[edge : step_at + 1]),
        (pale if look == 2 else glaze, profile[step_at:]),
    ]
    ring = solid_wall((well, 0.004), (r, h), 0.006, 18)
    return prop(
        turned(runs, 36),
        [solid_cylinder(foot, 0, floor), solid_cylinder(well, 0.003, floor), *ring],
        vary(rng, 0.5),
        top=Top(floor, (well * 0.7, well * 0.7)),
    )


def vase(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    h, belly = vary(rng, 0.23), vary(rng, 0.058)
    neck, lip, foot = vary(rng, 0.02), vary(rng, 0.033), vary(rng, 0.036)
    middle = 0.3 + 0.14 * rng.random()
    side = spline(
        [
            (foot, 0.002),
            (belly * 0.82, h * middle * 0.42),
            (belly, h * middle),
            (belly * 0.72, h * 0.6),
            (neck, h * 0.8),
            (lip, h),
        ],
        3,
    )
    inner = side[6:][::-1] - (0.004, 0.0)
    glaze = glazed(srgb, rng, 0.5)
    runs: Runs = [(glaze, np.concatenate([[(0, 0), (foot - 0.003, 0)], side]))]
    if chance(rng, 0.4):
        runs = banded(runs[0][1], glaze, h * 0.3, h * 0.42, Material(contrast(srgb), gloss=0.35))
    hollow = np.concatenate([side[-1:], inner, [(0, inner[-1, 1])]])
    return prop(
        turned([*runs, (Material(CREAM, gloss=0.2), hollow)], 28),
        [
            solid_cylinder(foot + 0.004, 0, h * 0.14),
            solid_cylinder(belly, h * 0.14, h * (middle + 0.14)),
            solid_cylinder(neck * 1.4, h * (middle + 0.14), h * 0.9),
            solid_cylinder(lip, h * 0.9, h),
        ],
        vary(rng, 0.5),
        topples=True,
    )
