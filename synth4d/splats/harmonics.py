"""Real spherical harmonics as 3D Gaussian splatting orders and signs them, and what a rotation does to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from synth4d.types import F32, F64


def basis(directions: ArrayLike, degree: int) -> F64:
    """Unit directions (...,3) → (...,K) values of the functions of degrees 1 to `degree`, K = 3, 8 or 15.

    The constant function is left out, as in Gaussians.sh. Source: the real basis of Sloan, "Efficient Spherical
    Harmonic Evaluation" (JCGT 2013), with the sign (-1)^m, which is what 3DGS trains with. A splat's colour is
    colours + basis(from the camera to it) · sh, cut off at 0.
    """
    x, y, z = np.moveaxis(np.asarray(directions, float), -1, 0)
    a = np.sqrt(3 / (4 * np.pi))
    terms = [-a * y, a * z, -a * x]
    if degree >= 2:
        b = np.sqrt(15 / (4 * np.pi))
        terms += [b * x * y, -b * y * z, b / np.sqrt(12) * (3 * z * z - 1), -b * x * z, b / 2 * (x * x - y * y)]
    if degree >= 3:
        c, d, e = np.sqrt(35 / (32 * np.pi)), np.sqrt(105 / (4 * np.pi)), np.sqrt(21 / (32 * np.pi))
        terms += [
            -c * y * (3 * x * x - y * y),
            d * x * y * z,
            -e * y * (5 * z * z - 1),
            np.sqrt(7 / (16 * np.pi)) * z * (5 * z * z - 3),
            -e * x * (5 * z * z - 1),
            d / 2 * z * (x * x - y * y),
            -c * x * (x * x - 3 * y * y),
        ]
    return np.stack(terms, -1)


def rotation(R: ArrayLike, degree: int) -> F64:
    """(K,K) matrix that turns coefficients along with the directions: basis(R d) · (M sh) = basis(d) · sh.

    R (3,3) is orthogonal and may mirror. The functions are orthonormal, so M = ∫ basis(R d) basis(d)ᵀ dd, and
    32 directions (4 Gauss-Legendre heights of 8 each) integrate polynomials of degree 6 exactly: no solver, whose
    last bits would depend on the processor.
    """
    low, high = np.sqrt(3 / 7 - 2 / 7 * np.sqrt(6 / 5)), np.sqrt(3 / 7 + 2 / 7 * np.sqrt(6 / 5))
    z = np.repeat([low, -low, high, -high], 8)
    weight = np.repeat(np.array([18 + np.sqrt(30)] * 2 + [18 - np.sqrt(30)] * 2) / 36 * (2 * np.pi / 8), 8)
    around = np.tile(np.arange(8) * (2 * np.pi / 8), 4)
    d = np.stack([np.sqrt(1 - z * z) * np.cos(around), np.sqrt(1 - z * z) * np.sin(around), z], -1)
    R = np.asarray(R, float)
    turned = d[:, 0:1] * R[:, 0] + d[:, 1:2] * R[:, 1] + d[:, 2:3] * R[:, 2]
    M = (weight[:, None, None] * basis(turned, degree)[:, :, None] * basis(d, degree)[:, None, :]).sum(0)
    blocks = np.repeat([1, 2, 3], [3, 5, 7])[: len(M)]
    return np.where(blocks[:, None] == blocks, M, 0.0)  # degrees don't mix: what is left there is rounding


def rotate(sh: F32, R: ArrayLike) -> F32:
    """Coefficients (N,K,3) of the same colours after everything is turned by R (3,3)."""
    degree = {3: 1, 8: 2, 15: 3}[sh.shape[1]]
    M = rotation(R, degree).astype(np.float32)
    out = np.empty_like(sh)
    for start, end in ((0, 3), (3, 8), (8, 15))[:degree]:
        out[:, start:end] = np.einsum("ij,njc->nic", M[start:end, start:end], sh[:, start:end], optimize=False)
    return out
