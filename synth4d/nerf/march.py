"""Fast rays through a fitted radiance field: colour, distance, opacity and instance ids.

The compiled marcher asks for the same samples as nerfstudio's proposal sampler. Pruned, it leaves out what can't
be seen: samples in cells of an occupancy grid where the network is empty, samples behind what has become opaque
(transmittance under STOP), and the colours of samples that weigh less than LEAST_WEIGHT. The same rays give the
same bytes on any number of threads and on every processor (tests/test_nerf_march.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
from synth4d.nerf import _march
from synth4d.nerf.field import Density, Field
from synth4d.types import F32, F64, U16

STOP = 1e-3
"""A pruned ray ends when less than this of its light is left."""
LEAST_WEIGHT = 1e-4
"""A pruned sample that adds less than this to its pixel is not asked for its colour."""
CELLS = 64
"""Cells on a side of an occupancy grid."""
EMPTY = 1e-2
"""A cell is empty where a ray through it would lose less than this of its light."""
TILE = 8
"""Pixels on a side of the squares in which a view's rays are marched: neighbours ask for the same cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What rays saw: arrays of one shape (...), colours (...,3)."""

    rgb: F32
    """0..1, background included"""
    median_m: F32
    """Where half of the light is gone, linearly within a sample (nerfstudio takes the sample's middle); 0 where it
    never is. Of rays: distance; of a view: along the optical axis."""
    expected_m: F32
    """Mean over the samples by their weights, likewise"""
    alpha: F32
    ids: U16
    """Instance of the largest rendered logit; 0 where alpha is under a half or the field knows none"""


class Marcher:
    """A field made ready for rays. `pruned=False` asks every sample, as nerfstudio does."""

    def __init__(self, field: Field, *, pruned: bool = True, threads: int = 1, isa: str = "auto") -> None:
        if threads < 1:
            raise RenderError(f"threads must be 1 or more, got {threads}")
        self.field, self.threads = field, threads
        try:
            self._marcher = march = _march.Marcher(isa)
            for net, samples in zip((*field.proposals, field.base), field.samples, strict=True):
                march.add_network(
                    _array(net.grid.table), _array(net.grid.resolutions), *_layers(net), field.init_density, samples
                )
            march.set_heads(*_colour(field), *_semantics(field))
        except ValueError as problem:
            raise RenderError(f"field: {problem}; this marcher can't hold it") from None
        march.set_space(field.contracts, _array(field.aabb), field.uniform, field.near, field.far)
        march.set_background(field.background is None, *(field.background or (0.0, 0.0, 0.0)))
        if pruned:
            march.set_pruning(STOP, LEAST_WEIGHT)
            march.set_occupied(len(field.proposals), CELLS, self._occupied())
        else:
            march.set_pruning(0.0, 0.0)

    def rays(self, origins: F64, directions: F64) -> Seen:
        """Look along rays (N,3), metres, world axes; distances are along the ray."""
        lengths = np.sqrt((directions**2).sum(axis=-1))
        if not (np.isfinite(origins).all() and np.isfinite(lengths).all() and (lengths > 0).all()):
            raise RenderError("rays: origins and directions must be finite, directions not 0")
        T, scale = self.field.T_world_model, self.field.scale
        o = scale * _rotated(T, origins - T[:3, 3])
        d = _rotated(T, directions / lengths[:, None])
        n = len(origins)
        rgb, classes = np.zeros((n, 3), np.float32), np.zeros(n, np.uint16)
        median, expected, alpha = np.zeros((3, n), np.float32)
        self._marcher.march(_array(o), _array(d), self.threads, rgb, median, expected, alpha, classes)
        ids = self.field.ids[classes] if self.field.semantics is not None else classes
        metres = np.float32(1 / scale)
        return Seen(rgb, median * metres, expected * metres, alpha, np.where(alpha >= 0.5, ids, 0).astype(np.uint16))

    def view(self, K: F64, T_world_cam: F64, width: int, height: int) -> Seen:
        """Look through a pinhole camera: K (3,3) pixels, T_world_cam (4,4) OpenCV axes. Arrays (H,W), z-depth."""
        v, u = np.mgrid[:height, :width].reshape(2, -1)
        columns = -(-width // TILE)
        order = np.argsort(((v // TILE * columns + u // TILE) * TILE + v % TILE) * TILE + u % TILE, kind="stable")
        back = np.argsort(order)
        pixels = np.stack([u + 0.5, v + 0.5, np.ones_like(u)], axis=1)[order]
        cam = np.stack([(pixels[:, 0] - K[0, 2]) / K[0, 0], (pixels[:, 1] - K[1, 2]) / K[1, 1], pixels[:, 2]], axis=1)
        axes = T_world_cam[:3, :3]
        directions = sum(cam[:, k, None] * axes[None, :, k] for k in range(3))
        seen = self.rays(np.broadcast_to(T_world_cam[:3, 3], directions.shape), np.asarray(directions))
        z = (1 / np.sqrt((cam**2).sum(axis=1))).astype(np.float32)
        shape = (height, width)
        return Seen(
            seen.rgb[back].reshape(height, width, 3),
            (seen.median_m * z)[back].reshape(shape),
            (seen.expected_m * z)[back].reshape(shape),
            seen.alpha[back].reshape(shape),
            seen.ids[back].reshape(shape),
        )

    def densities(self, network: int, positions: F32) -> F32:
        """(N, 1 or 1 + G): density and geometry of a network (proposals in turn, then the base) at 0..1 positions."""
        nets = (*self.field.proposals, self.field.base)
        out = np.zeros((len(positions), nets[network].mlp.width_out), np.float32)
        self._marcher.densities(network, _array(positions), self.threads, out)
        return out

    def heads(self, geometry: F32, directions: F32) -> tuple[F32, F32]:
        """(N,3) colours and (N,C) logits of geometry (N,G) seen along unit directions (N,3) in model axes."""
        rgb = np.zeros((len(geometry), 3), np.float32)
        logits = np.zeros((len(geometry), len(self.field.ids) if self.field.semantics else 0), np.float32)
        self._marcher.heads(_array(geometry), _array(directions), rgb, logits)
        return rgb, logits

    def _occupied(self) -> NDArray[np.uint32]:
        """Bits of the cells, and of their neighbours, in which the field may take light from a ray: 0.2 s for a small
        field, so it is not kept. Proposal networks are smeared: hardly a cell of theirs is empty."""
        peaks = np.zeros((CELLS, CELLS, CELLS), np.float32)
        self._marcher.peaks(len(self.field.proposals), self.threads, peaks)
        full = peaks * _lengths(self.field) > EMPTY
        for axis in range(3):
            ahead, behind = np.moveaxis(full.copy(), axis, 0), np.moveaxis(full, axis, 0)
            behind[1:] |= ahead[:-1]
            behind[:-1] |= ahead[1:]
        return np.packbits(full.reshape(-1), bitorder="little").view(np.uint32)


def _lengths(field: Field) -> F32:
    """(C,C,C) longest way of a ray through each cell, model units."""
    if not field.contracts:
        return np.full(
            (CELLS, CELLS, CELLS), np.sqrt((((field.aabb[1] - field.aabb[0]) / CELLS) ** 2).sum()), np.float32
        )
    # Contraction takes the distance m ≥ 1 to 2 − 1/m: what is a length of 4 / CELLS there was m² times as long.
    y = np.abs((np.arange(CELLS) + 0.5) * 4 / CELLS - 2)
    m = np.maximum(np.maximum(y[:, None, None], y[None, :, None]), y[None, None, :])
    return (np.sqrt(3) * 4 / CELLS / np.where(m > 1, 2 - m, 1) ** 2).astype(np.float32)


def _rotated(T: F64, vectors: F64) -> F64:
    """World → model axes, as sums: a BLAS may differ from machine to machine."""
    return np.stack([sum(vectors[:, k] * T[k, i] for k in range(3)) for i in range(3)], axis=1)


def _array(a: F32 | F64) -> F32:
    return np.ascontiguousarray(a, np.float32)


def _layers(net: Density) -> tuple[list[F32], list[F32]]:
    return [_array(w) for w in net.mlp.weights], [_array(b) for b in net.mlp.biases]


def _colour(field: Field) -> tuple[list[F32], list[F32]]:
    """The colour network with the appearance, which is the same everywhere, made part of its first bias."""
    weights, biases = [_array(w) for w in field.colour.weights], [_array(b) for b in field.colour.biases]
    known = 16 + field.geometry_width
    constant = (weights[0][:, known:].astype(np.float64) * field.appearance).sum(axis=1)
    return [_array(weights[0][:, :known]), *weights[1:]], [_array(biases[0] + constant), *biases[1:]]


def _semantics(field: Field) -> tuple[list[F32], list[F32]]:
    if field.semantics is None:
        return [], []
    return [_array(w) for w in field.semantics.weights], [_array(b) for b in field.semantics.biases]
