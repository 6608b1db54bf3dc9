"""What a renderer gives is looked at: the wrong size, no numbers or nothing to see is an error, never a sample."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import clips
import numpy as np
import pytest

from synth4d import codec
from synth4d.errors import RenderError
from synth4d.render import choose
from synth4d.types import Clip

RNG = np.random.default_rng(0)


def drawn(monkeypatch: pytest.MonkeyPatch, clip: Clip) -> dict[str, bytes]:
    """The members of a clip that a renderer of ours would have drawn."""
    module: Any = ModuleType("synth4d.render.broken")
    module.render = lambda world, timeline, camera, *, rng, threads: clip
    monkeypatch.setitem(sys.modules, "synth4d.render.broken", module)
    monkeypatch.setitem(choose.MODULES, "broken", "broken")
    asked = clips.clip().camera
    return codec.encode(choose.renderer("broken")(None, None, asked, rng=RNG))  # type: ignore[arg-type]


def broken(seed: int) -> Clip:
    """A clip that is wrong in one way."""
    rng = np.random.default_rng(seed)
    clip = clips.clip(seed=seed)
    frames, height, width = clip.ids.shape
    t, y, x = (int(rng.integers(n)) for n in (frames, height, width))
    rgb, depth, ids = clip.rgb.copy(), clip.depth_z_m.copy(), clip.ids.copy()
    match seed % 10:
        case 0:
            rgb[t] = 0
        case 1:
            rgb[t] = rng.integers(256, size=3)
        case 2:
            depth[t, y, x] = np.nan
        case 3:
            depth[t, y, x] = np.inf
        case 4:
            depth[t, y, x] = -1
        case 5:
            ids[t] = 0
        case 6:
            return clips.clip(frames=frames + 1)
        case 7:
            return clips.clip(width=width + 2)
        case 8:
            return replace(clip, rgb=rgb.astype(np.float32))
        case 9:
            return replace(clip, rgb=rgb[:, :-2])
    return replace(clip, rgb=rgb, depth_z_m=depth, ids=ids)


@pytest.mark.parametrize("seed", range(50))
def test_a_broken_clip_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    with pytest.raises(RenderError) as caught:
        drawn(monkeypatch, broken(seed))
    assert "\n" not in str(caught.value)


def test_a_sound_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, clips.clip())["mp4"]
