"""A radiance field in plain numpy, sample by sample: what the compiled marcher is held to. Slow, no pruning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.nerf.field import Density, Field, HashGrid, Mlp
from synth4d.types import F64

PRIMES = (1, 2654435761, 805459861)


def encode(grid: HashGrid, p: NDArray[Any]) -> F64:
    """(N,L·F) of positions (N,3) in 0..1."""
    out = []
    table = grid.table.reshape(grid.levels, grid.size, -1).astype(np.float64)
    for level, resolution in enumerate(grid.resolutions):
        # In 32 bits as the field is trained: at a fine level a position's last bit chooses its cell.
        scaled = p.astype(np.float32) * np.float32(resolution)
        low = np.floor(scaled).astype(np.int64)
        part = (scaled - low).astype(np.float64)
        total = np.zeros((len(p), table.shape[2]))
        for corner in np.ndindex(2, 2, 2):
            x, y, z = (low + corner).T
            row = (x * PRIMES[0] ^ y * PRIMES[1] ^ z * PRIMES[2]) % grid.size
            weight = np.prod(np.where(corner, part, 1 - part), axis=1)
            total += weight[:, None] * table[level, row]
        out.append(total)
    return np.concatenate(out, axis=1)


def through(mlp: Mlp, x: F64) -> F64:
    for k, (w, b) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
        x = np.einsum("ni,oi->no", np.maximum(x, 0) if k else x, w.astype(np.float64)) + b
    return x


def harmonics(directions: NDArray[Any]) -> F64:
    """(N,16) real spherical harmonics of degree 0–3 at (direction + 1) / 2."""
    x, y, z = ((directions.astype(np.float64) + 1) / 2).T
    return np.stack([
        np.full_like(x, 0.28209479177387814), 0.4886025119029199 * y, 0.4886025119029199 * z, 0.4886025119029199 * x,
        1.0925484305920792 * x * y, 1.0925484305920792 * y * z, 0.9461746957575601 * z * z - 0.31539156525251999,
        1.0925484305920792 * x * z, 0.5462742152960396 * (x * x - y * y), 0.5900435899266435 * y * (3 * x * x - y * y),
        2.890611442640554 * x * y * z, 0.4570457994644658 * y * (5 * z * z - 1),
        0.3731763325901154 * z * (5 * z * z - 3), 0.4570457994644658 * x * (5 * z * z - 1),
        1.445305721320277 * z * (x * x - y * y), 0.5900435899266435 * x * (x * x - 3 * y * y),
    ], axis=1)  # fmt: skip


def density(field: Field, net: Density, p: NDArray[Any]) -> tuple[F64, F64]:
    """(N,) density and (N,G) geometry at positions in 0..1; density is 0 outside of them."""
    inside = ((p > 0) & (p < 1)).all(axis=1)
    h = through(net.mlp, encode(net.grid, np.where(inside[:, None], p, 0)))
    return field.init_density * np.exp(np.minimum(h[:, 0], 80)) * inside, h[:, 1:]


def colour(field: Field, geometry: F64, directions: NDArray[Any]) -> F64:
    appearance = np.broadcast_to(field.appearance, (len(geometry), len(field.appearance)))
    x = through(field.colour, np.concatenate([harmonics(directions), geometry, appearance], axis=1))
    return 1 / (1 + np.exp(-x))


def normalised(field: Field, x: F64) -> F64:
    """Positions in model units → 0..1 of the hash grids."""
    if not field.contracts:
        low, high = field.aabb.astype(np.float64)
        return (x - low) / (high - low)
    size = np.abs(x).max(axis=-1, keepdims=True)
    far = size >= 1
    inverse = 1 / np.where(far, size, 1)
    return (np.where(far, (2 - inverse) * x * inverse, x) + 2) / 4


def march(field: Field, origins: NDArray[Any], directions: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """rgb (N,3), median, expected and alpha (N,), logits (N,C) of rays in model units; distances likewise."""
    o, d = origins.astype(np.float64), directions.astype(np.float64)
    n = len(o)
    bins: F64 = np.broadcast_to(np.linspace(0, 1, field.samples[0] + 1), (n, field.samples[0] + 1))
    for k, net in enumerate((*field.proposals, field.base)):
        edges = _distance(field, bins)
        middle, length = (edges[:, 1:] + edges[:, :-1]) / 2, np.diff(edges)
        p = normalised(field, o[:, None] + d[:, None] * middle[..., None])
        sigma, geometry = density(field, net, p.reshape(-1, 3))
        optical = np.cumsum(np.pad(sigma.reshape(middle.shape) * length, ((0, 0), (1, 0))), axis=1)
        weights = -np.diff(np.exp(-optical))
        if k < len(field.proposals):
            bins = np.stack([_resample(b, w, field.samples[k + 1]) for b, w in zip(bins, weights, strict=True)])
    alpha = weights.sum(axis=1)
    every = np.repeat(d[:, None], middle.shape[1], axis=1).reshape(-1, 3)
    colours = colour(field, geometry, every).reshape(*middle.shape, 3)
    behind = colours[:, -1] if field.background is None else np.asarray(field.background)
    rgb = (weights[..., None] * colours).sum(axis=1) + behind * (1 - alpha)[:, None]
    gone = np.cumsum(weights, axis=1)
    at = np.minimum((gone < 0.5).sum(axis=1), middle.shape[1] - 1)[:, None]
    part = 1 - (np.take_along_axis(gone, at, 1) - 0.5) / np.maximum(np.take_along_axis(weights, at, 1), 1e-30)
    median = np.take_along_axis(edges, at, 1) + part * np.take_along_axis(length, at, 1)
    out = {
        "rgb": np.clip(rgb, 0, 1),
        "median": np.where(gone[:, -1] < 0.5, 0, median[:, 0]),
        "expected": (weights * middle).sum(axis=1) / (alpha + 1e-10),
        "alpha": alpha,
    }
    if field.semantics is not None:
        logits = through(field.semantics, geometry).reshape(*middle.shape, -1)
        out["logits"] = (weights[..., None] * logits).sum(axis=1)
    return out


def _distance(field: Field, bins: F64) -> F64:
    """Edges of bins 0..1 → distances: even, or even up to 1 and then in disparity."""
    if field.uniform:
        return bins * field.far + (1 - bins) * field.near
    near, far = (t / 2 if t < 1 else 1 - 1 / (2 * t) for t in (field.near, field.far))
    s = bins * far + (1 - bins) * near
    return np.where(s < 0.5, 2 * s, 1 / (2 - 2 * np.maximum(s, 0.5)))


def _resample(bins: F64, weights: F64, count: int) -> F64:
    """Edges of `count` bins of equal mass under the histogram of `weights`, each padded by 0.01."""
    pdf = (weights + 0.01) / (weights + 0.01).sum()
    cdf = np.concatenate([[0.0], np.minimum(np.cumsum(pdf), 1)])
    u = (np.arange(count + 1) + 0.5) / (count + 1)
    return np.interp(u, cdf, bins)
