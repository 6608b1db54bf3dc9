"""Whether a CUDA device can be used: asked of the driver alone, so that asking is cheap."""

from __future__ import annotations

import ctypes
import os
from importlib.util import find_spec

_LIBRARIES = ("libnvidia-ml.so.1", "nvml.dll")


def why_not() -> str | None:
    """Why `--renderer splat-cuda` can't be used here; None where it can.

    NVIDIA's management library is asked, not CUDA: a process that has asked CUDA can't fork workers that use it.
    """
    for package in ("torch", "gsplat"):
        if find_spec(package) is None:
            return f"{package} is not installed; pip install 'synth4d[cuda]'"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    if devices() == 0:
        return "no NVIDIA GPU or no driver found (nvidia-smi shows what there is)"
    return None


def devices() -> int:
    """How many NVIDIA GPUs the driver knows; 0 without a driver."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_uint(0)
        if library.nvmlInit_v2() == 0:
            found = library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
            library.nvmlShutdown()
            return count.value if found else 0
    return 0
