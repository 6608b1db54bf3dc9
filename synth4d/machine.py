"""What of a machine must not reach the bytes, set before anything computes: threads of BLAS, numpy's AVX-512 paths.

numpy's AVX-512 build takes sines, exponentials and the like from another library (a last bit differs from what it
gives elsewhere) and sorts ties in another order. Without it a dynamic shot of the small room was the same, byte for
byte, on an AVX-512 processor and on an emulated Haswell; other BLAS kernels and dispatch of the C library made no
difference. numpy reads the variable when it is imported: this module imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys

SAME = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
}
"""For every process that makes samples. BLAS results differ with the number of threads, and one frame a core is the
fastest split anyway."""


def settle() -> None:
    """Settle this process; what it starts inherits it."""
    os.environ.update(SAME)


def settled() -> bool:
    """Whether numpy in this process gives, or will give, what it gives on any machine."""
    core = sys.modules.get("numpy._core._multiarray_umath") or sys.modules.get("numpy.core._multiarray_umath")
    if core is None:
        return os.environ.get("NPY_DISABLE_CPU_FEATURES") == SAME["NPY_DISABLE_CPU_FEATURES"]
    return not core.__cpu_features__.get("AVX512_SKX", False)
