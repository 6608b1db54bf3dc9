"""Names of the array types that pass between stages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]
U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
Vec3 = tuple[float, float, float]
