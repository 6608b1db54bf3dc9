"""Run by trusted.py in a Python that has nerfstudio: `nerfstudio_views.py REQUEST.json OUT.npz`. Imports nothing of
synth4d, which that Python may not have. It executes what the run's config.yml names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def draw(request: dict[str, Any]) -> dict[str, Any]:
    """rgbK (H,W,3) 0..1 and depthK (H,W) along the optical axis in model units, 0 where there is nothing."""
    import numpy as np
    import torch
    from nerfstudio.cameras.cameras import Cameras, CameraType
    from nerfstudio.utils.eval_utils import eval_setup

    load = torch.load
    # nerfstudio 1.1.5 calls torch.load without weights_only, which torch ≥ 2.6 takes for True.
    torch.load = lambda *args, **options: load(*args, **{"weights_only": False, **options})
    run = Path(request["run"])

    def here(config: Any) -> Any:
        """The run may have been moved since it was trained."""
        config.relative_model_dir = run / "nerfstudio_models"
        config.data = config.pipeline.datamanager.data = Path(request["data"])
        config.pipeline.datamanager.dataparser.data = Path(request["data"])
        return config

    _, pipeline, _, _ = eval_setup(run / "config.yml", test_mode="inference", update_config_callback=here)
    model = pipeline.model
    out: dict[str, Any] = {}
    poses = torch.tensor(request["camera_to_worlds"], dtype=torch.float32)
    for k, (K, (width, height)) in enumerate(zip(request["K"], request["sizes"], strict=True)):
        camera = Cameras(
            poses[k : k + 1], K[0][0], K[1][1], K[0][2], K[1][2], width, height, camera_type=CameraType.PERSPECTIVE
        ).to(model.device)
        with torch.no_grad():
            seen = {n: v.cpu().numpy() for n, v in model.get_outputs_for_camera(camera).items() if hasattr(v, "cpu")}
        v, u = np.mgrid[:height, :width] + 0.5
        ray = np.sqrt(((u - K[0][2]) / K[0][0]) ** 2 + ((v - K[1][2]) / K[1][1]) ** 2 + 1)
        along_axis = hasattr(model, "gauss_params")  # rasterised Gaussians: z already, not distance
        depth = seen["depth"].reshape(height, width) / (1 if along_axis else ray)
        solid = seen["accumulation"].reshape(height, width) >= 0.5 if "accumulation" in seen else depth > 0
        out |= {f"rgb{k}": seen["rgb"][..., :3], f"depth{k}": np.where(solid, depth, 0)}
    return out


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose nerfstudio.py is another
    import numpy

    numpy.savez(sys.argv[2], **draw(json.loads(Path(sys.argv[1]).read_text())))
