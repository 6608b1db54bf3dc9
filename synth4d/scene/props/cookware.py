"""Things one cooks and cleans with: pot, pan, spoon, cutting board, sponge."""

from __future__ import annotations

import numpy as np

from synth4d.scene.props.base import (
    DARK,
    STEEL,
    PropShape,
    Top,
    accent,
    chance,
    darker,
    lighter,
    prop,
    solid_box,
    solid_capsule,
    solid_cylinder,
    solid_wall,
    vary,
)
from synth4d.scene.shapes import fillet, lathe, prism, slab, spline, split_rim, tube, turned
from synth4d.types import F64, Cavity, Material, Vec3, Vessel

BLACK_GRIP = Material(DARK, gloss=0.15)


def _enamel(srgb: Vec3, rng: np.random.Generator) -> Material:
    return Material(srgb, "speckle", texture_size_m=0.12, gloss=0.3) if chance(rng, 0.2) else Material(srgb, gloss=0.4)


def _kettle_wall(r: float, h: float, foot: float) -> tuple[F64, F64]:
    """Outside and inside of an open pan of thickness 4 mm."""
    wall, floor = 0.004, 0.006
    return split_rim(
        fillet(
            [
                (0, 0),
                (foot, 0, 0.012),
                (r, h, wall * 0.48),
                (r - wall, h, wall * 0.48),
                (foot - wall, floor, 0.012),
                (0, floor),
            ]
        )
    )


def _lining(srgb: Vec3, rng: np.random.Generator) -> Material:
    """The inside of a pot or pan: its own enamel, paler or deeper, so that its colour shows from above."""
    return Material(lighter(srgb, 0.1) if chance(rng, 0.5) else darker(srgb, 0.15), gloss=0.3)


def pot(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A cooking pot with two loop handles, open at the top."""
    r, h = vary(rng, 0.098), vary(rng, 0.105)
    foot = r * 0.95
    outside, inside = _kettle_wall(r, h, foot)
    reach, spread = 0.03, 0.034
    loop = spline(
        np.array(
            [
                (r - 0.003, -spread),
                (r + reach * 0.85, -spread * 0.8),
                (r + reach, 0.0),
                (r + reach * 0.85, spread * 0.8),
                (r - 0.003, spread),
            ]
        ),
        3,
    )
    grips = [
        tube(np.column_stack([loop * side, np.full(len(loop), h * 0.8)]), (0.0052, 0.0058), (0.0, 0.0, 1.0), 8)
        for side in (1.0, -1.0)
    ]
    steel_grip = chance(rng, 0.5)
    grip = Material(STEEL, "metal", gloss=0.5) if steel_grip else Material(accent(srgb), gloss=0.3)
    boxes = [
        solid_box((reach + 0.004, 2 * spread, 0.012), (side * (r + reach / 2 + 0.002), 0, h * 0.8))
        for side in (1.0, -1.0)
    ]
    q = (foot - 0.006) * 0.7
    return prop(
        [
            *turned([(_enamel(srgb, rng), outside), (_lining(srgb, rng), inside)], 32),
            *(g.surface(grip) for g in grips),
        ],
        [solid_cylinder(foot, 0, 0.006), *solid_wall((foot, 0.003), (r, h), 0.006, 16), *boxes],
        vary(rng, 1.1),
        vessel=Vessel(0.006, h - 0.002, foot - 0.013, r - 0.0045, belly=((0.016, foot - 0.0045),)),
        cavity=Cavity((-q, -q, 0.006), (q, q, h)),
    )


def pan(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A frying pan; its handle points along +x."""
    r, h = vary(rng, 0.108), vary(rng, 0.042)
    foot, length = r * 0.8, vary(rng, 0.16)
    outside, inside = _kettle_wall(r, h, foot)
    path = spline(
        np.array(
            [
                (foot + 0.72 * (r - foot) + 0.004, 0, h * 0.72),
                (r + length * 0.3, 0, h * 0.95),
                (r + length * 0.7, 0, h * 1.25),
                (r + length, 0, h * 1.35),
            ]
        ),
        3,
    )
    wide = np.interp(np.linspace(0, 1, len(path)), [0, 0.3, 0.75, 1], [0.008, 0.0085, 0.0125, 0.011])
    handle = tube(path, np.column_stack([wide, np.full(len(path), 0.0065)]), (0.0, 1.0, 0.0), 12, rounded=True)
    q = (foot - 0.006) * 0.7
    return prop(
        [
            *turned([(_enamel(srgb, rng), outside), (_lining(srgb, rng), inside)], 34),
            handle.surface(BLACK_GRIP),
        ],
        [
            solid_cylinder(foot, 0, 0.006),
            *solid_wall((foot, 0.002), (r, h), 0.006, 16),
            solid_capsule((r + 0.004, 0, h * 0.8), (r + length, 0, h * 1.35), 0.009),
        ],
        vary(rng, 0.9),
        cavity=Cavity((-q, -q, 0.006), (q, q, h)),
    )


def spoon(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A serving spoon that lies on the table, its bowl towards +x."""
    length, wide = vary(rng, 0.25), vary(rng, 0.03)
    deep, cx = 0.017, length / 2 - wide * 1.35
    shell = fillet([(0, 0), (0.55, 0.08, 0.4), (1.0, 1.0, 0.06), (0.9, 1.0, 0.06), (0.5, 0.26, 0.4), (0, 0.2)], 20)
    scale, shift = np.array([wide * 1.35, wide, deep]), np.array([cx, 0.0, 0.0])
    scoop = lathe(shell, 22, lambda v: v * scale + shift)
    start = cx - wide * 1.32
    path = spline(
        np.array(
            [
                (start + 0.006, 0, deep - 0.003),
                (start - 0.03, 0, deep - 0.0045),
                (start - length * 0.35, 0, 0.009),
                (-length / 2, 0, 0.0055),
            ]
        ),
        4,
    )
    half = np.interp(np.linspace(0, 1, len(path)), [0, 0.2, 0.8, 1], [0.0065, 0.0055, 0.0085, 0.0075])
    handle = tube(path, np.column_stack([half, np.full(len(path), 0.0055)]), (0.0, 1.0, 0.0), 10, rounded=True)
    material = Material(srgb, gloss=0.35)
    return prop(
        [scoop.surface(material), handle.surface(material)],
        [
            solid_box((wide * 2.3, wide * 1.6, deep), (cx, 0, deep / 2)),
            solid_capsule((start, 0, deep - 0.006), (-length / 2, 0, 0.006), 0.006),
        ],
        vary(rng, 0.08),
    )


def cutting_board(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A board with a grip on its +x side; brown ones are wood."""
    sx, sy, h = vary(rng, 0.24), vary(rng, 0.17), vary(rng, 0.016)
    grip, gw = vary(rng, 0.075), vary(rng, 0.046) / 2
    x0, x1, y = -(sx + grip) / 2, (sx - grip) / 2, sy / 2
    tip = (sx + grip) / 2
    right = fillet(
        [
            (x1, 0),
            (x1, y, 0.02),
            (x0, y, 0.02),
            (x0, -y, 0.02),
            (x1, -y, 0.02),
            (x1, -gw, 0.012),
            (tip, -gw, gw * 0.9),
            (tip, gw, gw * 0.9),
            (x1, gw, 0.012),
            (x1, 0),
        ],
        20,
    )[1:-1]
    wooden = srgb[0] > 1.4 * srgb[2] and srgb[0] < 0.6
    board = Material(lighter(srgb, 0.1), "wood", 0.25, 0.1) if wooden else Material(srgb, gloss=0.2)
    ring = fillet(
        [
            (0, h - 0.004),
            (0.009, h - 0.004),
            (0.0125, h - 0.004),
            (0.0125, h + 0.001),
            (0.009, h + 0.001),
            (0.009, h + 0.0004),
        ]
    )
    eyelet = turned(
        [
            (Material(STEEL, "metal", gloss=0.5), ring),
            (Material(DARK), np.array([(0.009, h + 0.0004), (0, h + 0.0004)])),
        ],
        18,
        lambda v: v + np.array([tip - gw, 0.0, 0.0]),
    )
    return prop(
        [prism(right, 0.0, h, 0.002).surface(board, False), *eyelet],
        [
            solid_box((sx, sy, h), (x0 + sx / 2, 0, h / 2)),
            solid_box((grip, 2 * gw, h), (x1 + grip / 2, 0, h / 2)),
        ],
        vary(rng, 0.6),
        top=Top(h, (sx / 2 - 0.02, sy / 2 - 0.02), (x0 + sx / 2, 0.0)),
    )


def sponge(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A kitchen sponge, its darker scouring layer down."""
    sx, sy, soft, rough = vary(rng, 0.11), vary(rng, 0.07), vary(rng, 0.026), 0.009
    scour = slab((sx, sy, rough), 0.008, 0.0015)
    foam = slab((sx, sy, soft + 0.002), 0.008, 0.003, z=rough - 0.002)
    dark = darker(srgb, 0.45) if max(srgb) > 0.2 else lighter(srgb, 0.3)
    return prop(
        [
            foam.surface(Material(srgb, "speckle", texture_size_m=0.16), False),
            scour.surface(Material(dark, "speckle", texture_size_m=0.12), False),
        ],
        [solid_box((sx, sy, soft + rough), (0, 0, (soft + rough) / 2))],
        vary(rng, 0.03),
    )
