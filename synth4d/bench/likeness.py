"""How alike two pictures of the same frame are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from synth4d.types import F64, U8, U16

Bool = NDArray[np.bool_]


def psnr(a: U8, b: U8) -> float:
    """Decibels between 8-bit pictures (H,W,3)."""
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def ssim(a: U8, b: U8) -> float:
    """Structural similarity of the luma, 11×11 Gaussian window of σ 1.5 (Wang et al. 2004)."""
    x, y = (_luma(p) for p in (a, b))
    mx, my = _blur(x), _blur(y)
    xx, yy, xy = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mx * my + c1) * (2 * xy + c2) / ((mx * mx + my * my + c1) * (xx + yy + c2))
    return float(score[5:-5, 5:-5].mean())


def _luma(rgb: U8) -> F64:
    return 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]


def _blur(x: F64) -> F64:
    return np.asarray(gaussian_filter(x, 1.5, truncate=3.5))


def edges(ids: U16) -> Bool:
    """(H,W) pixels whose right or lower neighbour has another id."""
    out = np.zeros(ids.shape, bool)
    out[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    out[:-1] |= ids[:-1] != ids[1:]
    return out


def edge_error(a: U16, b: U16) -> F64:
    """Distance in pixels from each id edge of one picture to the nearest of the other, both ways."""
    x, y = edges(a), edges(b)
    if not (x.any() and y.any()):
        return np.zeros(0)
    return np.concatenate([distance_transform_edt(~y)[x], distance_transform_edt(~x)[y]])
