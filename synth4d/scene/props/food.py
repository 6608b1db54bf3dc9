"""Fruit and other food, in natural colours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from synth4d.scene.props.base import (
    BARK,
    LEAF,
    PropShape,
    chance,
    darker,
    mix,
    prop,
    solid_box,
    solid_capsule,
    solid_cylinder,
    solid_ellipsoid,
    vary,
)
from synth4d.scene.shapes import Mesh, Warp, ellipsoid, lathe, loft, spline, tube, tube_rings
from synth4d.types import F64, Material, Surface, Vec3


def _stem(base: Vec3, length: float, lean: float, thick: float = 0.0021) -> Surface:
    x, y, z = base
    path = spline(np.array([(x, y, z), (x + lean * 0.3, y, z + length * 0.6), (x + lean, y, z + length)]), 3)
    half = np.linspace(thick, thick * 1.25, len(path))[:, None] * (1.0, 1.0)
    return tube(path, half, (0.0, 1.0, 0.0), 8).surface(Material(BARK))


def _lobed(rng: np.random.Generator, lobes: int, depth: float, squeeze: float = 0.04) -> Warp:
    """A warp that makes a lathe a little uneven, like grown things are."""
    phase, sx = 2 * np.pi * rng.random(), 1 + squeeze * (2 * rng.random() - 1)

    def warp(v: F64) -> F64:
        angle = np.arctan2(v[..., 1], v[..., 0])
        out: F64 = v * (1 + depth * np.cos(lobes * angle + phase))[..., None]
        out[..., 2] = v[..., 2]
        out[..., 0] *= sx
        return out

    return warp


def _leafy(srgb: Vec3) -> Vec3:
    """Green of fruit leans to yellow; other colours stay."""
    return mix(srgb, (0.72, 0.78, 0.22), 0.35) if srgb[1] > 1.5 * max(srgb[0], srgb[2]) else srgb


def apple(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    r, tall = vary(rng, 0.038), vary(rng, 1.0, 0.06)
    k = r * tall
    foot = np.array([(0, 0.14 * k), (0.2 * r, 0.04 * k), (0.4 * r, 0.0), (0.74 * r, 0.24 * k), (0.96 * r, 0.72 * k)])
    head = np.array(
        [
            (r, 1.1 * k),
            (0.92 * r, 1.5 * k),
            (0.66 * r, 1.76 * k),
            (0.34 * r, 1.74 * k),
            (0.12 * r, 1.6 * k),
            (0, 1.5 * k),
        ]
    )
    skin = Material(_leafy(srgb), "peel" if chance(rng, 0.6) else "plain", texture_size_m=0.12, gloss=0.3)
    profile = spline(np.concatenate([foot, head]), 2)
    surfaces = [
        lathe(profile, 26, _lobed(rng, 5, 0.018)).surface(skin),
        _stem((0, 0, 1.48 * k), 0.55 * r, 0.2 * r),
    ]
    if chance(rng, 0.4):
        leaf = ellipsoid((0.3 * r, 0.14 * r, 0.03 * r), (0, 0, 0), 10).moved(
            (0.36 * r, 0, 1.85 * k), (0.96, 0, -0.28, 0)
        )
        surfaces.append(leaf.surface(Material(LEAF, gloss=0.2)))
    body = solid_ellipsoid((r, r, 0.9 * k), (0, 0, 0.93 * k))
    stem = solid_cylinder(0.0025, 1.6 * k, 1.48 * k + 0.5 * r, 0.1 * r)
    return prop(surfaces, [body, solid_cylinder(0.4 * r, 0, 0.3 * k), stem], vary(rng, 0.18), rolls=True)


def orange(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    r = vary(rng, 0.038)
    at = np.radians(np.linspace(-72, 80, 12))
    round_ = np.column_stack([np.cos(at), 0.94 * (np.sin(at) - np.sin(at[0]))])
    profile = np.concatenate([[(0, 0.02)], round_, [(0, round_[-1, 1] - 0.02)]]) * r
    peel = Material(srgb, "peel", texture_size_m=0.03, gloss=0.25)
    button = ellipsoid((0.11 * r, 0.11 * r, 0.05 * r), (0, 0, profile[-1, 1] + 0.01 * r), 10)
    body = solid_ellipsoid((r, r, 0.91 * r), (0, 0, 0.915 * r))
    return prop(
        [
            lathe(profile, 26, _lobed(rng, 3, 0.006)).surface(peel),
            button.surface(Material(mix(LEAF, BARK, 0.4))),
        ],
        [body, solid_cylinder(0.3 * r, 0, 0.3 * r)],
        vary(rng, 0.2),
        rolls=True,
    )


def _lying(mesh: Mesh, height: float) -> Mesh:
    """Something turned about z laid along +x, its axis at the height."""
    return mesh.moved((0, 0, height), (np.sqrt(0.5), 0, np.sqrt(0.5), 0))


def lemon(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """It lies on its side; its tip points along +x."""
    r, half = vary(rng, 0.028), vary(rng, 0.042)
    profile = spline(
        np.array(
            [
                (0, -1.0),
                (0.2, -0.95),
                (0.45, -0.78),
                (0.9, -0.4),
                (1.0, 0.0),
                (0.88, 0.42),
                (0.5, 0.74),
                (0.27, 0.87),
                (0.17, 0.97),
                (0, 1.0),
            ]
        )
        * (r, half),
        2,
    )
    peel = Material(srgb, "peel", texture_size_m=0.025, gloss=0.25)
    body = solid_ellipsoid((half, r, r), (0, 0, r))
    foot = solid_box((half * 0.5, r * 0.6, r * 0.3), (0, 0, r * 0.15))
    return prop([_lying(lathe(profile, 24), r).surface(peel)], [body, foot], vary(rng, 0.1), rolls=True)


def pear(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    r, h = vary(rng, 0.036), vary(rng, 0.1)
    profile = spline(
        np.array(
            [
                (0, 0.05 * h),
                (0.4 * r, 0.0),
                (0.82 * r, 0.13 * h),
                (r, 0.34 * h),
                (0.8 * r, 0.57 * h),
                (0.5 * r, 0.75 * h),
                (0.41 * r, 0.88 * h),
                (0.22 * r, 0.985 * h),
                (0, 0.985 * h),
            ]
        ),
        2,
    )
    skin = Material(_leafy(srgb), "peel", texture_size_m=0.06, gloss=0.15)
    surfaces = [
        lathe(profile, 26, _lobed(rng, 3, 0.015)).surface(skin),
        _stem((0, 0, 0.97 * h), 0.18 * h, 0.006),
    ]
    body = solid_ellipsoid((r, r, 0.35 * h), (0, 0, 0.36 * h))
    stem = solid_cylinder(0.0025, h, 1.13 * h, 0.003)
    neck = solid_ellipsoid((0.45 * r, 0.45 * r, 0.25 * h), (0, 0, 0.78 * h))
    return prop(surfaces, [body, neck, solid_cylinder(0.5 * r, 0, 0.12 * h), stem], vary(rng, 0.18), rolls=True)


def tomato(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    r = vary(rng, 0.035)
    profile = spline(
        np.array(
            [
                (0, 0.03),
                (0.35, 0.0),
                (0.82, 0.28),
                (1.0, 0.78),
                (0.84, 1.28),
                (0.45, 1.5),
                (0.15, 1.45),
                (0, 1.38),
            ]
        )
        * r,
        2,
    )
    profile[:, 1] -= profile[:, 1].min()
    surfaces = [lathe(profile, 28, _lobed(rng, 5, 0.025)).surface(Material(srgb, gloss=0.5))]
    for k in range(5):
        angle = 2 * np.pi * k / 5
        sepal = ellipsoid((0.3 * r, 0.09 * r, 0.035 * r), (0.27 * r, 0, 0), 8).moved(
            (0, 0, 1.48 * r), (0.998, 0, -0.07, 0)
        )
        surfaces.append(sepal.moved(quat_wxyz=(np.cos(angle / 2), 0, 0, np.sin(angle / 2))).surface(Material(LEAF)))
    path = np.array([(0, 0, 1.44 * r), (0.03 * r, 0, 1.6 * r), (0.12 * r, 0, 1.75 * r)])
    surfaces.append(tube(path, (0.06 * r, 0.06 * r), (0.0, 1.0, 0.0), 8).surface(Material(LEAF)))
    body = solid_ellipsoid((r, r, 0.78 * r), (0, 0, 0.79 * r))
    return prop(surfaces, [body, solid_cylinder(0.4 * r, 0, 0.3 * r)], vary(rng, 0.12), rolls=True)


def banana(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """It lies on its side, its ends towards +y, the stem at -x."""
    thick, bend, radius = vary(rng, 0.0175, 0.08), np.radians(vary(rng, 58.0, 0.12)), vary(rng, 0.098, 0.08)
    at = np.linspace(0, 1, 19)
    angle = bend * (2 * at - 1)
    wide = np.interp(
        at,
        [0, 0.07, 0.13, 0.24, 0.45, 0.7, 0.88, 0.965, 1],
        [0.3, 0.31, 0.48, 0.86, 1, 0.97, 0.7, 0.36, 0.24],
    )
    path = np.column_stack([radius * np.sin(angle), -radius * np.cos(angle), np.zeros(19)])
    path[:, 1] += radius * (1 + np.cos(bend)) / 2
    path[:, 2] = thick
    rings = tube_rings(path, (thick * wide)[:, None] * (1.0, 1.0), (0.0, 0.0, 1.0), 15)
    ridge = 1 + 0.05 * np.cos(5 * 2 * np.pi * np.arange(15) / 15 + np.pi)
    rings = path[:, None] + (rings - path[:, None]) * ridge[:, None] / 1.05
    rings[..., 2] -= rings[..., 2].min()
    ends = [np.broadcast_to(r.mean(0), (1, 15, 3)) for r in (rings[0], rings[-1])]
    stalk = Material(mix(srgb, (0.45, 0.5, 0.15), 0.5))
    surfaces = [
        loft(np.concatenate([ends[0], rings[:2]])).surface(Material(darker(BARK, 0.2))),
        loft(rings[1:4]).surface(stalk),
        loft(rings[3:18]).surface(Material(srgb, "peel" if chance(rng, 0.5) else "plain", 0.1, 0.15)),
        loft(np.concatenate([rings[17:], ends[1]])).surface(Material(darker(BARK, 0.3))),
    ]
    keys = [1, 5, 8, 11, 14, 17]
    links = pairwise(keys)
    body = [solid_capsule(path[a], path[b], thick * 0.97 * min(1.0, max(wide[a], wide[b]))) for a, b in links]
    return prop(surfaces, body, vary(rng, 0.13))


def donut(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A ring of dough with icing in the colour."""
    big, small = vary(rng, 0.029, 0.08), vary(rng, 0.0175, 0.08)
    angle = np.radians(np.linspace(-90, 270, 21))
    ring = np.column_stack([big + small * np.cos(angle), 0.85 * small * (1 + np.sin(angle))])
    dough, iced = (
        Material((0.78, 0.54, 0.28)),
        Material(srgb, "speckle" if chance(rng, 0.6) else "plain", 0.15, 0.4),
    )
    swell = lathe(ring[6:15], 26).surface(iced)
    low = [lathe(part, 26).surface(dough) for part in (ring[:7], ring[14:])]
    box = solid_cylinder(big + small * 0.93, 0, 1.7 * small)
    return prop([swell, *low], [box], vary(rng, 0.06))


def carrot(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """It lies on its side, its leaves towards +x."""
    length, r = vary(rng, 0.15), vary(rng, 0.017)
    profile = spline(
        np.array(
            [
                (0, -1.0),
                (0.12, -0.96),
                (0.42, -0.5),
                (0.75, 0.1),
                (0.98, 0.75),
                (0.9, 0.93),
                (0.4, 0.99),
                (0, 0.97),
            ]
        )
        * (r, length / 2),
        2,
    )
    root = _lying(lathe(profile, 20), r)
    surfaces = [root.surface(Material(srgb, gloss=0.1))]
    x0 = length / 2 * 0.96
    for spread in (-0.35, -0.1, 0.15, 0.4):
        tip = (x0 + 0.05, 0.05 * spread, r + 0.012 * (1 - 4 * spread**2))
        leaf = spline(np.array([(x0, 0, r), ((x0 + tip[0]) / 2, tip[1] * 0.4, r + 0.004), tip]), 2)
        half = np.linspace(0.002, 0.0055, len(leaf))[:, None] * (1.0, 0.6)
        surfaces.append(tube(leaf, half, (0.0, 1.0, 0.0), 6, rounded=True).surface(Material(LEAF)))
    thick = solid_capsule((-length * 0.2, 0, r), (length * 0.42, 0, r), r)
    thin = solid_capsule((-length * 0.46, 0, r), (0, 0, r), 0.45 * r)
    tuft = solid_box((0.05, 0.036, 0.016), (x0 + 0.026, 0, r + 0.006))
    foot = solid_box((length * 0.4, 1.1 * r, 0.3 * r), (length * 0.2, 0, 0.15 * r))
    return prop(surfaces, [thick, thin, tuft, foot], vary(rng, 0.09))
