"""Things that are kept and played with: book, box, toy block, ball, toy car, rubber duck."""

from __future__ import annotations

import numpy as np

from synth4d.scene.props.base import (
    CREAM,
    DARK,
    Primitive,
    PropShape,
    Top,
    accent,
    chance,
    contrast,
    darker,
    lighter,
    prop,
    solid_box,
    solid_cylinder,
    solid_ellipsoid,
    vary,
)
from synth4d.scene.shapes import ellipsoid, fillet, lathe, loft, rounded_rectangle, slab, turned
from synth4d.types import F64, Material, Surface, Vec3

TURN_X = (float(np.sqrt(0.5)), float(np.sqrt(0.5)), 0.0, 0.0)
"""Lays an upright thing down: its +z becomes -y."""


def book(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """It lies flat, its spine at -x."""
    sx, sy, h, board = vary(rng, 0.145), vary(rng, 0.205), vary(rng, 0.03, 0.25), 0.003
    cloth = Material(srgb, "weave" if chance(rng, 0.3) else "plain", texture_size_m=0.1, gloss=0.1)
    back = slab((sx - 0.004, sy, board), 0.002, centre=(0.002, 0))
    front = slab((sx - 0.004, sy, board), 0.002, centre=(0.002, 0), z=h - board)
    spine = slab((0.008, sy, h), 0.0035, 0.002, centre=(-sx / 2 + 0.004, 0))
    inset = 0.004
    pages = slab(
        (sx - inset - 0.003, sy - 2 * inset, h - 2 * board + 0.001),
        0.001,
        centre=(0.0015 - inset / 2, 0),
        z=board - 0.0005,
    )
    title = slab((sx * 0.62, sy * 0.16, 0.002), 0.002, centre=(0.006, sy * 0.2), z=h - 0.0012)
    mark = contrast(srgb)
    surfaces = [m.surface(cloth, False) for m in (back, front, spine)]
    surfaces += [
        pages.surface(Material((0.95, 0.93, 0.86)), False),
        title.surface(Material(mark, "label", texture_size_m=0.05), False),
    ]
    if chance(rng, 0.6):
        stripe = slab((sx * 0.62, sy * 0.05, 0.002), 0.001, centre=(0.006, -sy * 0.3), z=h - 0.0012)
        surfaces.append(stripe.surface(Material(mark), False))
    return prop(
        surfaces,
        [solid_box((sx, sy, h), (0, 0, h / 2))],
        vary(rng, 0.5),
        top=Top(h + 0.0008, (sx / 2 - 0.02, sy / 2 - 0.02)),
    )


def box(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A closed cardboard box with an overlapping lid."""
    sx, sy, h, lid = vary(rng, 0.17), vary(rng, 0.125), vary(rng, 0.09), vary(rng, 0.03)
    card = Material(srgb, "stripes" if chance(rng, 0.2) else "plain", texture_size_m=0.06)
    cover = Material(lighter(srgb, 0.12) if chance(rng, 0.5) else darker(srgb, 0.13))
    body = slab((sx - 0.005, sy - 0.005, h - 0.004), 0.002)
    top = slab((sx, sy, lid), 0.003, 0.0015, z=h - lid)
    surfaces = [body.surface(card, False), top.surface(cover, False)]
    if chance(rng, 0.5):
        note = slab((sx * 0.4, 0.002, h * 0.3), 0.0008, centre=(0, -sy / 2 + 0.0025), z=h * 0.18)
        surfaces.append(note.surface(Material(CREAM, "label", texture_size_m=0.04), False))
    return prop(
        surfaces,
        [solid_box((sx, sy, h), (0, 0, h / 2))],
        vary(rng, 0.35),
        top=Top(h, (sx / 2 - 0.015, sy / 2 - 0.015)),
    )


def toy_block(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A painted wooden cube with a paler panel in each face."""
    a = vary(rng, 0.05)
    paint = Material(srgb, gloss=0.2)
    pale = Material(lighter(srgb, 0.18), gloss=0.1)
    cube = slab((a, a, a), 0.006, 0.004)
    surfaces = [cube.surface(paint, False)]
    panel = slab((a * 0.6, a * 0.6, 0.003), 0.004)
    half = float(np.sqrt(0.5))
    for quat in (
        (1.0, 0, 0, 0),
        (half, half, 0, 0),
        (half, -half, 0, 0),
        (half, 0, half, 0),
        (half, 0, -half, 0),
    ):
        lifted = panel.moved((0, 0, a / 2 - 0.0021))
        surfaces.append(lifted.moved((0, 0, a / 2), quat).surface(pale, False))
    return prop(surfaces, [solid_box((a, a, a), (0, 0, a / 2))], vary(rng, 0.08))


def ball(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A rubber ball with a band, broad about the middle or narrow above it."""
    r = vary(rng, 0.037)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 17)
    profile = np.column_stack([r * np.abs(np.cos(angle)), r * (1 + np.sin(angle))])
    profile[[0, -1], 0] = 0.0
    rubber = Material(srgb, gloss=0.3)
    low, high = (6, 10) if chance(rng, 0.5) else (10, 12)
    band = Material(contrast(srgb), gloss=0.3)
    runs = [(rubber, profile[: low + 1]), (band, profile[low : high + 1]), (rubber, profile[high:])]
    return prop(
        turned(runs, 28),
        [Primitive("sphere", (round(r, 6),), (0.0, 0.0, round(r, 6)))],
        vary(rng, 0.09),
        rolls=True,
    )


def toy_car(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A toy car that drives along +x; its wheels are fixed."""
    length, width, wheel = vary(rng, 0.125), vary(rng, 0.058), vary(rng, 0.0155, 0.08)
    low, belt = wheel * 0.75, wheel * 0.75 + 0.021
    roof = belt + vary(rng, 0.024)
    paint, windows = (
        Material(srgb, gloss=0.5),
        Material((0.16, 0.2, 0.26) if max(srgb) > 0.2 else CREAM, gloss=0.6),
    )
    chassis = slab((length, width, belt - low), 0.012, 0.004, z=low)
    back = -length * 0.06

    def ring(z: float, sx: float, shift: float, sy: float) -> F64:
        outline = rounded_rectangle(sx, sy, 0.006) + np.array([back + shift, 0.0])
        return np.column_stack([outline, np.full(len(outline), z)])

    sill = ring(belt - 0.001, length * 0.62, 0.0, width * 0.92)
    eave = ring(roof - 0.005, length * 0.42, -length * 0.02, width * 0.82)
    crown = ring(roof, length * 0.38, -length * 0.02, width * 0.74)
    tip = np.broadcast_to(crown.mean(0), crown.shape)
    surfaces: list[Surface] = [
        chassis.surface(paint, False),
        loft(np.stack([np.broadcast_to(sill.mean(0), sill.shape), sill, eave])).surface(windows, False),
        loft(np.stack([eave, crown, tip])).surface(paint, False),
    ]
    tyre, hub = Material(DARK), Material((0.82, 0.82, 0.8), gloss=0.4)
    rubber = fillet([(wheel * 0.5, 0.0), (wheel, 0.0, 0.002), (wheel, 0.012, 0.002), (wheel * 0.5, 0.012)])
    disc = np.array([(wheel * 0.5, 0.012), (0.0, 0.0135)])
    inner = np.array([(0.0, 0.0), (wheel * 0.5, 0.0)])
    for x in (-length * 0.3, length * 0.3):
        for turn, y in ((TURN_X, -width / 2 + 0.008), ((TURN_X[0], -TURN_X[0], 0.0, 0.0), width / 2 - 0.008)):
            for profile, material in ((rubber, tyre), (disc, hub), (inner, tyre)):
                surfaces.append(lathe(profile, 14).moved((x, y, wheel), turn).surface(material))
    for y in (-width * 0.32, width * 0.32):
        lamp = ellipsoid((0.003, 0.006, 0.005), (length / 2 - 0.001, y, low + 0.012), 10)
        surfaces.append(lamp.surface(Material((0.98, 0.93, 0.7), gloss=0.6)))
    return prop(
        surfaces,
        [
            solid_box((length * 0.8, width + 0.007, belt * 0.6), (0, 0, belt * 0.3)),
            solid_box((length, width, belt - low), (0, 0, (belt + low) / 2)),
            solid_box((length * 0.52, width * 0.86, roof - belt), (back, 0, (roof + belt) / 2)),
        ],
        vary(rng, 0.15),
        front=(1.0, 0.0, 0.0),
    )


def rubber_duck(srgb: Vec3, rng: np.random.Generator) -> PropShape:
    """A bath duck that looks along +x."""
    s = vary(rng, 0.04)
    head, skin = s * vary(rng, 0.62, 0.06), Material(srgb, gloss=0.35)
    profile = fillet([(0, 0), (0.72, 0, 0.12), (1.0, 0.55, 0.5), (0.72, 1.05, 0.5), (0, 1.08)], 16)

    def hull(v: F64) -> F64:
        out: F64 = v * np.array([1.3 * s, s, s])
        tail = np.clip(-v[..., 0] - 0.35, 0, 1)
        out[..., 2] += 0.9 * s * tail**2 * np.clip(v[..., 2] / 0.7, 0, 1)
        return out

    neck_z, head_x = s * 1.45, s * 0.5
    beak = ellipsoid((s * 0.3, s * 0.26, s * 0.09), (head_x + head * 1.05, 0, neck_z - s * 0.08), 12)
    surfaces = [
        lathe(profile, 24, hull).surface(skin),
        ellipsoid((head, head, head), (head_x, 0, neck_z), 18).surface(skin),
        beak.surface(
            Material(
                (0.93, 0.42, 0.08) if srgb[2] < 0.7 * srgb[0] or srgb[1] < 0.4 else (0.95, 0.6, 0.1),
                gloss=0.3,
            )
        ),
    ]
    for side in (-1.0, 1.0):
        eye = ellipsoid(
            (s * 0.09, s * 0.06, s * 0.11),
            (head_x + head * 0.72, side * head * 0.62, neck_z + head * 0.3),
            10,
        )
        wing = ellipsoid((s * 0.55, s * 0.14, s * 0.3), (-s * 0.2, side * s * 0.93, s * 0.66), 12)
        surfaces += [eye.surface(Material(DARK, gloss=0.5)), wing.surface(Material(accent(srgb), gloss=0.3))]
    return prop(
        surfaces,
        [
            solid_cylinder(s * 0.75, 0, s * 0.4),
            solid_ellipsoid((s * 1.3, s, s * 0.55), (0, 0, s * 0.56)),
            solid_ellipsoid((head, head, head), (head_x, 0, neck_z)),
            solid_box((s * 0.3, s * 0.4, s * 0.15), (head_x + head * 1.15, 0, neck_z - s * 0.08)),
        ],
        vary(rng, 0.06),
        front=(1.0, 0.0, 0.0),
    )
