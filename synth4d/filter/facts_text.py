"""Facts as text for a model that answers from them: one JSON object a line, nothing said that the facts do not say.

Tracks are runs [first frame, last frame, value], rounded to what can be told apart (1 cm, 1 degree, 1 %). Labels
are data: JSON strings in which `<` and `>` are escaped, so that none can close the block it stands in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from synth4d.program import View
from synth4d.records import CameraRecord, Facts, ObjectFact, at

TRACKS: dict[str, Callable[[Any], Any]] = {
    "support": lambda v: v,
    "inside": lambda v: v,
    "openness": round,
    "on": lambda v: v,
    "fill": lambda v: round(100 * v),
}
KEYS = {"support": "stands_on", "inside": "is_in", "openness": "open_by", "on": "is_on", "fill": "filled_percent"}


def told(facts: Facts, camera: CameraRecord, frames: Sequence[int] = ()) -> str:
    """The facts of a clip; boxes in the picture are told of the first, the last and the given frames."""
    view = View(facts, camera)
    shown = sorted({0, facts.frames - 1, *(f for f in frames if 0 <= f < facts.frames)})
    clip = {"frames": facts.frames, "fps": facts.fps, "width_px": facts.width, "height_px": facts.height}
    lines: list[Any] = [{"clip": clip}, {"camera": _camera(view)}]
    lines += [_thing(o, view, shown) for o in facts.objects if o.role != "structure"]
    lines += [
        {"event": e.kind, "object": e.object, "source": e.source, "target": e.target,
         "from_s": round(e.start_s, 2), "to_s": round(e.end_s, 2)}
        for e in facts.events
    ]  # fmt: skip
    return "\n".join(safe(json.dumps(line, ensure_ascii=False, separators=(",", ":"))) for line in lines)


def safe(text: str) -> str:
    """JSON in which no markup can begin; it still reads as the same JSON."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _thing(o: ObjectFact, view: View, shown: Sequence[int]) -> dict[str, Any]:
    n = view.facts.frames
    row: dict[str, Any] = {"id": o.id, "en": o.label.en, "zh": o.label.zh}
    if o.colour is not None:
        row["colour"] = o.colour.en
    row |= {"role": o.role, "size_cm": [round(100 * s) for s in o.size]}
    if o.part_of:
        row["part_of"] = o.part_of
    if o.joint is not None:
        scale, unit = (57.29578, "degrees") if o.joint.type == "hinge" else (100.0, "cm")
        row["opens_up_to"] = f"{abs(o.joint.open - o.joint.closed) * scale:.0f} {unit}"
    row["visible"] = _runs([view.clear(o.id, f) for f in range(n)])
    row["centre_m"] = _runs([_rounded(at(o.box, f), 3) for f in range(n)])
    for name, short in TRACKS.items():
        track = getattr(o, name)
        if track is not None and any(v is not None for v in track):
            row[KEYS[name]] = _runs([None if (v := at(track, f)) is None else short(v) for f in range(n)])
    row["box_px"] = {f: box for f in shown if (box := at(o.visible2d, f)) is not None}
    return row


def _camera(view: View) -> list[Any]:
    """Runs of position (m) and viewing direction (unit vector)."""
    poses = [view.T_world_cam(f) for f in range(view.facts.frames)]
    return _runs([[*np.round(T[:3, 3], 2).tolist(), *np.round(T[:3, 2], 2).tolist()] for T in poses])


def _rounded(box: list[float] | None, length: int) -> list[float] | None:
    return None if box is None else [round(v, 2) + 0.0 for v in box[:length]]


def _runs(track: list[Any]) -> list[Any]:
    """[first, last, value] of equal neighbours; null where it is not known."""
    out, frame = [], 0
    for value, group in groupby(track):
        length = len(list(group))
        out.append([frame, frame + length - 1, value])
        frame += length
    return out
