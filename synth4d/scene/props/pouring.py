"""Things that liquid is poured from or kept in: jug, teapot, bottle, can, carton."""

from __future__ import annotations

import numpy as np

from synth4d.scene.props.base import (
    CREAM,
    DARK,
    STEEL,
    PropShape,
    accent,
    chance,
    contrast,
    darker,
    glazed,
    lighter,
    prop,
    solid_box,
    solid_capsule,
    solid_cylinder,
    vary,
)
from synth4d.scene.props.vessels import Runs, banded
from synth4d.scene.shapes import (
    capped,
    ellipsoid,
    fillet,
    lathe,
    loft,
    rounded_rectangle,
    spline,
    split_rim,
    tube,
    tube_rings,
    turned,
)
from synth4d.types import F64, Material, Vec3, Vessel


def xz(points: F64) -> F64:
    """Points (x, z) of a curve in the plane y = 0 as (x, y, z)."""
    return np.insert(points, 1, 0.0, axis=1)


def jug(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A pitcher; it pours along +x, its handle is at -x."""
    h, r = vary(rng, 0.2), vary(rng, 0.062)
    mouth, foot, wall, floor, lip = r * 0.82, r * 0.86, 0.005, 0.007, 0.026
    side = [(foot, 0, 0.006), (r, h * 0.28, 0.09), (mouth * 0.94, h * 0.74, 0.12), (mouth, h, wall * 0.48)]
    inner = [(max(a - wall, 0.0), z, *rest) for a, z, *rest in side[1:][::-1]]
    profile = fillet([(0, 0), *side, *inner, (foot - wall, floor, 0.006), (0, floor)])

    def pull_lip(v: F64) -> F64:
        height = np.clip((v[..., 2] / h - 0.76) / 0.24, 0, 1) ** 2
        facing = np.clip(v[..., 0] / np.maximum(np.hypot(v[..., 0], v[..., 1]), 1e-9), 0, 1) ** 6
        out = v.copy()
        out[..., 0] += lip * height * facing
        out[..., 2] += 0.3 * lip * height * facing
        return out

    outside, inside = split_rim(profile)
    glaze = glazed(srgb, rng)
    runs: Runs = [(glaze, outside)]
    if chance(rng, 0.35):
        runs = banded(outside, glaze, h * 0.3, h * 0.42, Material(contrast(srgb), gloss=0.35))
    lining = Material(CREAM if chance(rng, 0.5) else lighter(srgb, 0.1), gloss=0.35)
    reach = vary(rng, 0.045)
    arc = spline(
        np.array(
            [
                (-mouth + 0.003, h * 0.9),
                (-mouth - reach * 0.8, h * 0.9),
                (-r - reach, h * 0.62),
                (-r - reach * 0.4, h * 0.34),
                (-r + 0.003, h * 0.28),
            ]
        ),
        3,
    )
    handle = tube(xz(arc), (0.008, 0.006), (0.0, 1.0, 0.0), 10)
    span = r + reach + 0.006 - mouth
    return prop(
        [*turned([*runs, (lining, inside)], 34, pull_lip), handle.surface(Material(srgb, gloss=0.35))],
        [
            solid_cylinder(r, 0, h * 0.55),
            solid_cylinder(mouth, h * 0.55, h),
            solid_box((span, 0.016, h * 0.6), (-mouth - span / 2, 0, h * 0.6)),
            solid_box((lip, 0.03, 0.03), (mouth + lip / 2 - 0.004, 0, h - 0.012)),
        ],
        vary(rng, 0.7),
        vessel=Vessel(
            floor,
            h * 0.96,
            foot - wall - 0.001,
            mouth - wall - 0.002,
            (mouth + lip, 0.0, h + 0.3 * lip),
            True,
            ((h * 0.28, r - wall - 0.003), (h * 0.74, mouth * 0.94 - wall - 0.001)),
            wall,
            bore=0.014,
        ),
        topples=True,
    )


def teapot(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A round pot with a lid; it pours along +x, its handle is at -x."""
    r, h, knob = vary(rng, 0.075), vary(rng, 0.112), vary(rng, 0.012)
    foot, mouth = r * 0.62, r * 0.56
    belly = spline(np.array([(foot, 0.004), (r * 0.95, h * 0.27), (r, h * 0.48), (r * 0.84, h * 0.8), (mouth, h)]), 3)
    lid = spline(np.array([(mouth * 1.02, h + 0.005), (mouth * 0.7, h + 0.014), (knob * 0.55, h + 0.019)]), 3)
    glaze = glazed(srgb, rng)
    cover = glaze if chance(rng, 0.5) else Material(accent(srgb), gloss=0.35)
    body: Runs = [
        (glaze, np.concatenate([[(0, 0), (foot - 0.003, 0)], belly])),
        (cover, np.concatenate([belly[-1:], [(mouth * 1.05, h + 0.001)], lid, [(0, h + 0.019)]])),
    ]
    top = ellipsoid((knob, knob, knob * 0.9), (0, 0, h + 0.018 + knob * 0.7), 14)
    reach = vary(rng, 0.062)
    path = spline(
        np.array(
            [
                (r * 0.8, h * 0.34),
                (r + reach * 0.45, h * 0.45),
                (r + reach * 0.72, h * 0.8),
                (r + reach, h * 1.02),
            ]
        ),
        3,
    )
    rings = tube_rings(xz(path), np.linspace(0.019, 0.0095, len(path))[:, None] * (1.0, 1.0), (0.0, 1.0, 0.0), 12)
    bore = rings[-1].mean(0) + 0.72 * (rings[-1] - rings[-1].mean(0))
    deep = rings[-3].mean(0) + 0.5 * (rings[-3] - rings[-3].mean(0))
    spout = [
        loft(np.stack([np.broadcast_to(rings[0].mean(0), rings[0].shape), *rings, bore])),
        loft(np.stack([bore, deep, np.broadcast_to(deep.mean(0), deep.shape)])),
    ]
    grip = vary(rng, 0.048)
    arc = spline(
        np.array(
            [
                (-r * 0.82, h * 0.82),
                (-r - grip * 0.7, h * 0.9),
                (-r - grip, h * 0.6),
                (-r - grip * 0.5, h * 0.32),
                (-r * 0.92, h * 0.3),
            ]
        ),
        3,
    )
    handle = tube(xz(arc), (0.0075, 0.006), (0.0, 1.0, 0.0), 10)
    plain = Material(srgb, gloss=0.35)
    return prop(
        [
            *turned(body, 30),
            top.surface(cover),
            spout[0].surface(plain),
            spout[1].surface(Material(DARK)),
            handle.surface(plain),
        ],
        [
            solid_cylinder(r * 0.8, 0, h * 0.25),
            solid_cylinder(r, h * 0.25, h * 0.7),
            solid_cylinder(r * 0.8, h * 0.7, h),
            solid_cylinder(knob, h, h + 0.018 + knob * 1.6),
            solid_capsule((r * 0.9, 0, h * 0.45), (r + reach - 0.006, 0, h * 0.98), 0.011),
            solid_box((grip + 0.006, 0.015, h * 0.6), (-r - grip / 2 - 0.003, 0, h * 0.6)),
        ],
        vary(rng, 0.6),
        vessel=Vessel(
            0.006,
            h * 0.95,
            foot - 0.006,
            mouth - 0.002,
            (r + reach, 0.0, h * 1.02),
            True,
            ((h * 0.2, r * 0.76), (h * 0.8, r * 0.76)),  # within the root of the spout
            lid=True,
            bore=0.007,
        ),
    )


def bottle(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    h, r, neck = vary(rng, 0.285), vary(rng, 0.037), 0.0145
    shoulder = h * vary(rng, 0.6, 0.08)
    corners = [(0, 0), (r, 0, 0.005), (r, shoulder, 0.035), (neck, shoulder + 0.055, 0.03), (neck, h - 0.03)]
    cap = [(neck, h - 0.03), (neck + 0.0025, h - 0.03), (neck + 0.0025, h, 0.003), (0, h)]
    shell = Material(srgb, gloss=0.6)
    low, high = shoulder * 0.3, shoulder * 0.7
    paper = Material(CREAM if max(srgb) < 0.9 or min(srgb) < 0.5 else (0.85, 0.72, 0.45), "label", texture_size_m=0.07)
    runs = banded(fillet(corners), shell, low, high, paper)
    return prop(
        turned(
            [*runs, (Material(accent(srgb) if chance(rng, 0.5) else contrast(srgb), gloss=0.3), fillet(cap))],
            28,
        ),
        [solid_cylinder(r, 0, shoulder + 0.01), solid_cylinder(neck + 0.003, shoulder, h)],
        vary(rng, 0.8),
        topples=True,
    )


def can(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A drinks can with bright metal ends."""
    h, r = vary(rng, 0.118), vary(rng, 0.033, 0.06)
    rim = r - 0.006
    metal = Material(STEEL, "metal", texture_size_m=0.1, gloss=0.8)
    print_ = Material(srgb, gloss=0.5)
    base = np.array([(0, 0.004), (rim - 0.005, 0.003), (rim - 0.002, 0), (rim, 0), (r, 0.01)])
    side = np.array([(r, 0.01), (r, h - 0.014)])
    end = np.array(
        [
            (r, h - 0.014),
            (rim + 0.001, h - 0.003),
            (rim + 0.001, h),
            (rim - 0.001, h),
            (rim - 0.002, h - 0.005),
            (0, h - 0.005),
        ]
    )
    middle: Runs = [(print_, side)]
    if chance(rng, 0.6):
        at = h * (0.3 + 0.25 * rng.random())
        middle = banded(side, print_, at, at + h * 0.14, Material(contrast(srgb), gloss=0.5))
    tab = tube(
        np.array([(-0.004, 0, h - 0.0035), (0.006, 0, h - 0.0035), (0.014, 0, h - 0.0035)]),
        (0.007, 0.0014),
        (0.0, 1.0, 0.0),
        8,
    )
    return prop(
        [
            *turned([(metal, base), *middle, (metal, end)], 30),
            tab.surface(Material(darker(STEEL), gloss=0.8)),
        ],
        [solid_cylinder(r, 0, h)],
        vary(rng, 0.35),
        topples=True,
    )


def carton(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A milk carton with a gabled top and a screw cap on the slope."""
    w, h = vary(rng, 0.072), vary(rng, 0.165)
    gable, fin = h + w * 0.42, h + w * 0.42 + 0.016

    def ring(width: float, z: float) -> F64:
        return np.column_stack([_soft_square(w, width), np.full(16, z)])

    paper, pale = Material(srgb, gloss=0.15), Material(CREAM, gloss=0.15)
    low, high = h * 0.32, h * 0.62
    panel = Material(CREAM, "label", texture_size_m=w)
    seal = loft(capped(np.stack([ring(0.003, gable - 0.003), ring(0.003, fin)])))
    walls = [(paper, 0.0, low), (panel, low, high), (paper, high, h)]
    surfaces = []
    for material, z0, z1 in walls:
        rings = np.stack([ring(w, z0), ring(w, z1)])
        closed = np.concatenate([np.zeros((1, 16, 3)), rings]) if z0 == 0 else rings
        surfaces.append(loft(closed).surface(material, False))
    roof = loft(np.stack([ring(w, h), ring(0.003, gable), np.broadcast_to([0.0, 0.0, gable], (16, 3))]))
    slope = np.arctan2(gable - h, w / 2)
    cap = lathe(fillet([(0, -0.004), (0.012, -0.004), (0.012, 0.009, 0.002), (0, 0.009)]), 18)
    cap = cap.moved((0, -w / 4, (h + gable) / 2), (np.cos(slope / 2), np.sin(slope / 2), 0, 0))
    return prop(
        [
            *surfaces,
            roof.surface(pale if chance(rng, 0.4) else paper, False),
            seal.surface(paper, False),
            cap.surface(Material(accent(srgb), gloss=0.3)),
        ],
        [
            solid_box((w, w, h), (0, 0, h / 2)),
            solid_box((w, w * 0.5, gable - h), (0, 0, (h + gable) / 2)),
            solid_box((w, 0.006, fin - h), (0, 0, (h + fin) / 2)),
        ],
        vary(rng, 0.7),
        topples=True,
    )


def _soft_square(sx: float, sy: float) -> F64:
    return rounded_rectangle(sx, sy, 0.002)
