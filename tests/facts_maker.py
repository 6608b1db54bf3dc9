"""Synthetic facts for tests: a small kitchen with moving props, drawers, a lamp, a burner and a pour, without
physics or pictures. `kitchen` gives the world's facts, the camera, and what a pixels witness would know."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from synth4d import geometry, vocabulary
from synth4d.records import (
    BoxFact,
    CameraRecord,
    Colour,
    ConeFact,
    EndFact,
    EventFact,
    Facts,
    JointFact,
    Label,
    ObjectFact,
    Without,
)

W, H, T, FPS = 384, 288, 24, 4.0
PROPS = {
    "mug": (("马克杯", "个", "mugs"), (0.12, 0.09, 0.10), True),
    "bowl": (("碗", "个", "bowls"), (0.16, 0.16, 0.07), True),
    "bottle": (("瓶子", "个", "bottles"), (0.08, 0.08, 0.25), False),
    "apple": (("苹果", "个", "apples"), (0.08, 0.08, 0.08), False),
    "book": (("书", "本", "books"), (0.22, 0.15, 0.04), False),
    "plate": (("盘子", "个", "plates"), (0.22, 0.22, 0.03), False),
}


@dataclass
class Maker:
    """Objects as they are added; tracks are lists over T frames that events rewrite."""

    kind: str = "dynamic"
    objects: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    hidden_in: dict[int, int] = field(default_factory=dict)
    done: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    """What happened, as calls, so that it can happen again without one of them."""

    def add(
        self,
        category: str,
        label: Label,
        centre: Any,
        size: Any,
        role: str = "prop",
        colour: str | None = None,
        **more: Any,
    ) -> int:
        id = len(self.objects) + 1
        named = vocabulary.COLOURS[colour][0] if colour else None
        box = [[*map(float, centre), *geometry.quat_from_axis_angle([0, 0, 1], more.pop("yaw", 0.0))]] * T
        self.objects.append(
            {
                "id": id,
                "name": f"{category}_{id}",
                "category": category,
                "label": label,
                "colour": Colour(key=colour, en=named.en, zh=named.zh) if colour and named else None,
                "role": role,
                "part_of": None,
                "size": list(size),
                "box_offset": [0.0, 0.0, 0.0],
                "joint": None,
                "vessel": None,
                "cavity": None,
                "switchable": False,
                "box": box,
                "openness": None,
                "on": None,
                "fill": None,
                "support": [0] * T,
                "inside": [0] * T,
                **more,
            }
        )
        return id

    def get(self, id: int) -> dict[str, Any]:
        return self.objects[id - 1]

    # ---- What happens ----------------------------------------------------------------------------

    def ramp(self, start_s: float, end_s: float) -> list[float]:
        return [float(np.clip((f / FPS - start_s) / (end_s - start_s), 0, 1)) for f in range(T)]

    def event(self, kind: str, object: int, start_s: float, end_s: float, **more: Any) -> None:
        row = {"source": None, "target": None, "inside": False, "start_value": None, "end_value": None, **more}
        at = {"start_s": round(start_s, 3), "end_s": round(end_s, 3)}
        self.events.append({"id": len(self.events) + 1, "kind": kind, "object": object, **at, **row})

    def swing(self, id: int, end: float, start_s: float, end_s: float) -> None:
        """Open or close a part from where it is to `end` (deg or cm)."""
        self.done.append(("swing", (id, end, start_s, end_s), {}))
        o = self.get(id)
        begin = o["openness"][-1]
        for f, share in enumerate(self.ramp(start_s, end_s)):
            if share > 0:
                o["openness"][f] = begin + (end - begin) * share
                if o["joint"].type == "slide":
                    o["box"][f] = [o["box"][f][0], o["y_shut"] - o["openness"][f] / 100, *o["box"][f][2:]]
        self.event("open" if end > begin else "close", id, start_s, end_s, start_value=begin, end_value=end)

    def carry(
        self, id: int, to: Any, start_s: float, end_s: float, onto: int, inside: bool = False, kind: str = "move"
    ) -> None:
        self.done.append(("carry", (id, to, start_s, end_s, onto), {"inside": inside, "kind": kind}))
        o = self.get(id)
        begin, source = np.array(o["box"][-1]), o["inside"][-1] or o["support"][-1]
        for f, share in enumerate(self.ramp(start_s, end_s)):
            if share > 0:
                lift = 0.2 * np.sin(np.pi * share)
                place = begin[:3] + (np.array(to) - begin[:3]) * share + [0, 0, lift]
                o["box"][f] = [*map(float, place), *begin[3:]]
                o["support"][f] = onto if share >= 1 and not inside else 0
                o["inside"][f] = onto if share >= 1 and inside else 0
        self.event(kind, id, start_s, end_s, source=source or None, target=onto, inside=inside)

    def switch(self, id: int, knob: int, at_s: float, on: bool = True) -> None:
        self.done.append(("switch", (id, knob, at_s), {"on": on}))
        o = self.get(id)
        for f in range(T):
            if f / FPS >= at_s:
                o["on"][f] = on
        self.event("turn_on" if on else "turn_off", id, at_s - 0.5, at_s, source=knob)

    def pour(self, jug: int, bowl: int, start_s: float, end_s: float, level: float = 0.7) -> None:
        self.done.append(("pour", (jug, bowl, start_s, end_s), {"level": level}))
        for f, share in enumerate(self.ramp(start_s, end_s)):
            self.get(bowl)["fill"][f] = level * share
        self.event("pour", jug, start_s, end_s, target=bowl, start_value=0.0, end_value=level)

    def again(self, start: Maker, k: int) -> Maker | None:
        """The same from a start without the k-th thing that happened; None where another could not happen then."""
        name, (id, *_), _ = self.done[k]
        later = self.done[k + 1 :]
        if name == "swing" and any(what == "carry" and args[4] == id for what, args, _ in later):
            return None
        made = _copy(start)
        for i, (what, args, more) in enumerate(self.done):
            if i != k:
                getattr(made, what)(*args, **more)
        return made

    def without(self, start: Maker) -> list[Without]:
        """How it would end without each of its events, where that can be."""
        out = []
        for k, row in enumerate(self.events):
            if (other := self.again(start, k)) is not None:
                pairs = zip(other.objects, self.objects, strict=True)
                ends = [_end(a) for a, b in pairs if _end(a) != _end(b)]
                out.append(Without(event=row["id"], objects=ends))
        return out

    # ---- Facts -----------------------------------------------------------------------------------

    def facts(self, camera: CameraRecord, key: str = "kitchen-0001") -> Facts:
        rows = []
        for o in self.objects:
            row = {k: v for k, v in o.items() if k != "y_shut"}
            same = [p for p in self.objects if p["label"].en == o["label"].en and p["colour"] == o["colour"]]
            rows.append(ObjectFact(unique=len(same) == 1, pose=o["box"], **row, **self._seen(o, camera)))
        away = {o.id: _away(o, camera) for o in rows}
        rows = [o.model_copy(update={"hidden_by": self._hiders(o, rows, away)}) for o in rows]
        events = [EventFact(**e) for e in sorted(self.events, key=lambda e: e["start_s"])]
        size = {"frames": T, "fps": FPS, "width": W, "height": H}
        about = {"key": key, "scene": "kitchen", "witness": "world", "kind": self.kind, "twin_of": None}
        return Facts.model_validate({**about, **size, "objects": rows, "events": events})

    def _seen(self, o: dict[str, Any], camera: CameraRecord) -> dict[str, Any]:
        box2d: list[Any] = []
        pixels: list[int] = []
        corners = geometry.box_corners(o["box"], o["size"])
        poses = np.array(camera.T_world_cam)
        local = np.einsum("tij,tci->tcj", poses[:, :3, :3], corners - poses[:, None, :3, 3])
        uv = local[..., :2] / np.maximum(local[..., 2:], 1e-6) * camera.K[0][0] + [W / 2, H / 2]
        low, high = np.clip(uv.min(1), 0, [W, H]), np.clip(uv.max(1), 0, [W, H])
        areas = np.where((local[..., 2] > 0.05).all(1), np.prod(high - low, axis=1), 0.0).tolist()
        for f, area in enumerate(areas):
            box2d.append([*low[f].tolist(), *high[f].tolist()] if area > 0 else None)
            pixels.append(0 if self._shut_in(o, f) else int(0.6 * area))
        visible = [b if p else None for b, p in zip(box2d, pixels, strict=True)]
        occluded = [None if b is None else (0.1 if p else 1.0) for b, p in zip(box2d, pixels, strict=True)]
        inner = [b and [(b[0] + b[2]) // 2, (b[1] + b[3]) // 2, min(b[2] - b[0], b[3] - b[1]) // 4] for b in visible]
        return {"box2d": box2d, "visible2d": visible, "pixels": pixels, "occluded": occluded, "inner": inner}

    def _hiders(self, o: ObjectFact, others: list[ObjectFact], away: dict[int, list[float]]) -> list[list[int] | None]:
        """Props whose centre is nearer to the camera and whose box covers a tenth of the object's."""
        out: list[list[int] | None] = []
        for f, own in enumerate(o.visible2d):
            found = []
            for p in others if own else ():
                box = p.visible2d[f]
                near = p.role == "prop" and p.id != o.id and box is not None and own is not None
                if near and away[p.id][f] < away[o.id][f] - 0.05:
                    w, h = (min(own[k + 2], box[k + 2]) - max(own[k], box[k]) for k in (0, 1))
                    share = max(w, 0) * max(h, 0) / ((own[2] - own[0]) * (own[3] - own[1]))
                    found += [p.id] if share >= 0.1 else []
            out.append(found if own else None)
        return out

    def _shut_in(self, o: dict[str, Any], f: int) -> bool:
        container = o["inside"][f]
        if not container:
            return False
        gates = [p for p in self.objects if p["openness"] and container in (p["id"], p["part_of"])]
        return any(p["openness"][f] < 0.2 * _range(p["joint"]) for p in gates)


def _away(o: ObjectFact, camera: CameraRecord) -> list[float]:
    """Its centre's distance from the camera in each frame."""
    eyes = np.array(camera.T_world_cam)[:, :3, 3]
    return [float(np.linalg.norm(np.array(box)[:3] - eye)) for box, eye in zip(o.box, eyes, strict=True)]


def _copy(m: Maker) -> Maker:
    """Five times as fast as copy.deepcopy."""
    copied: Maker = pickle.loads(pickle.dumps(m))
    return copied


def _end(o: dict[str, Any]) -> EndFact:
    states = {k: o[k][-1] if o[k] is not None else None for k in ("openness", "on", "fill")}
    return EndFact(id=o["id"], box=o["box"][-1], support=o["support"][-1], inside=o["inside"][-1], **states)


def _range(joint: JointFact) -> float:
    return abs(joint.open - joint.closed) * (57.29578 if joint.type == "hinge" else 100)


def orbit(sweep: float = 0.5, distance: float = 2.2) -> CameraRecord:
    K = geometry.intrinsics(W, H, np.radians(58))
    poses = []
    for f in range(T):
        angle = -np.pi / 2 + sweep * (f / (T - 1) - 0.5)
        eye = np.array([distance * np.cos(angle), distance * np.sin(angle), 1.75])
        poses.append(geometry.look_at(eye, [0.0, 0.0, 0.9]).tolist())
    return CameraRecord(width=W, height=H, fps=FPS, K=K.tolist(), T_world_cam=poses)


def label(en: str, zh: str, measure: str = "个", plural: str = "") -> Label:
    return Label(en=en, zh=zh, measure=measure, plural=plural or en + "s")


def furniture(m: Maker) -> dict[str, int]:
    ids = {
        "left": m.add("worktop", label("left worktop", "左侧台面"), (-0.75, 0, 0.87), (0.6, 0.6, 0.06), "fixture"),
        "right": m.add("worktop", label("right worktop", "右侧台面"), (0.35, 0, 0.87), (1.2, 0.6, 0.06), "fixture"),
        "microwave": m.add(
            "microwave", label("microwave", "微波炉", "台"), (-0.8, 0.1, 1.05), (0.4, 0.3, 0.28), "fixture",
            cavity=BoxFact(low=[-0.18, -0.14, -0.1], high=[0.18, 0.14, 0.1]),
        ),
    }  # fmt: skip
    for i, (en, zh) in enumerate((("top drawer", "最上层的抽屉"), ("bottom drawer", "最下层的抽屉"))):
        joint = JointFact(type="slide", axis=[0, -1, 0], anchor=[0, 0, 0], closed=0.0, open=0.38,
                           closed_box=[0.5, -0.02, 0.7 - 0.25 * i, 1, 0, 0, 0])  # fmt: skip
        y = -0.02
        cavity = BoxFact(low=[-0.2, -0.25, -0.08], high=[0.2, 0.25, 0.08])
        ids[en] = m.add("drawer", label(en, zh), (0.5, y, 0.7 - 0.25 * i), (0.45, 0.55, 0.2), "part",
                        joint=joint, openness=[0.0] * T, y_shut=y, cavity=cavity)  # fmt: skip
    shut = [-0.85, -0.06, 1.05, 1, 0, 0, 0]
    hinge = JointFact(type="hinge", axis=[0, 0, -1], anchor=[-1, -0.06, 1], closed=0.0, open=1.9, closed_box=shut)
    ids["door"] = m.add("door", label("microwave door", "微波炉门", "扇"), (-0.85, -0.06, 1.05), (0.3, 0.02, 0.25),
                        "part", joint=hinge, openness=[0.0] * T, part_of=ids["microwave"])  # fmt: skip
    ids["lamp"] = m.add("lamp", label("hood light", "油烟机灯", "盏"), (-0.2, 0.2, 1.55), (0.2, 0.1, 0.05), "part",
                        switchable=True, on=[False] * T)  # fmt: skip
    ids["burner"] = m.add("burner", label("left burner", "左边的灶头"), (-0.3, 0, 0.92), (0.2, 0.2, 0.03), "part",
                          switchable=True, on=[False] * T)  # fmt: skip
    turn = JointFact(type="hinge", axis=[0, 1, 0], anchor=[0, 0, 0], closed=0.0, open=-1.57)
    for name, (en, zh) in {"knob": ("left knob", "左边的旋钮"), "switch": ("light switch", "电灯开关")}.items():
        ids[name] = m.add(name, label(en, zh), (-0.3 if name == "knob" else -0.5, -0.3, 0.8), (0.06, 0.05, 0.06),
                          "part", joint=turn, openness=[0.0] * T)  # fmt: skip
    # Behind the camera: never in the picture.
    ids["oven"] = m.add("door", label("oven door", "烤箱门", "扇"), (0, -6, 0.5), (0.5, 0.03, 0.4), "part",
                        joint=hinge, openness=[0.0] * T)  # fmt: skip
    return ids


def cone() -> ConeFact:
    return ConeFact(bottom_z=-0.03, top_z=0.03, bottom_radius=0.05, top_radius=0.07)


def scatter(m: Maker, ids: dict[str, int], rng: np.random.Generator, n: int) -> list[int]:
    """Props on the worktops, each at its own place; the last one starts in the bottom drawer."""
    spots = [(x, y) for x in np.arange(-0.2, 0.95, 0.23) for y in (-0.18, 0.17)]
    props = []
    for i in rng.permutation(len(spots))[:n]:
        category = list(PROPS)[int(rng.integers(len(PROPS)))]
        (zh, measure, plural), size, vessel = PROPS[category]
        colour = str(
            rng.choice(["red", "green"] if category == "apple" else ["red", "blue", "green", "white", "yellow"])
        )
        more: dict[str, Any] = {"vessel": cone(), "fill": [0.0] * T} if vessel else {}
        props.append(
            m.add(category, label(category, zh, measure, plural), (*spots[i], 0.9 + size[2] / 2), size, colour=colour,
                  support=[ids["right"]] * T, yaw=float(rng.uniform(0, 3)), **more)
        )  # fmt: skip
    last = m.get(props[-1])
    last["box"] = [[0.5, -0.05, 0.66 - 0.25 + last["size"][2] / 2, 1.0, 0.0, 0.0, 0.0]] * T
    last["support"], last["inside"] = [0] * T, [ids["bottom drawer"]] * T
    kettle = m.add(
        "kettle", label("kettle", "水壶", "把"), (-0.7, -0.15, 1.0), (0.2, 0.18, 0.2), support=[ids["left"]] * T
    )
    m.add("water", label("water", "水", "滩"), (0, 0, -1), (0.01, 0.01, 0.01), "liquid")
    return [*props, kettle]


def kitchen(seed: int, kind: str = "dynamic") -> tuple[Facts, CameraRecord, Facts]:
    """(world facts, camera, pixel facts) of a kitchen drawn from a seed."""
    rng = np.random.default_rng(seed)
    m = Maker(kind=kind)
    ids = furniture(m)
    if rng.random() < 0.4:
        m.get(ids["top drawer"])["openness"] = [float(rng.uniform(15, 35))] * T
    m.get(ids["lamp"])["on"] = [bool(rng.random() < 0.4)] * T
    props = scatter(m, ids, rng, int(rng.integers(6, 9)))
    start = _copy(m)
    if kind in ("dynamic", "twin"):
        _happen(m, ids, props, rng)
    camera = orbit(sweep=float(rng.uniform(-0.6, 0.6)))
    world = m.facts(camera, f"kitchen-{seed:04d}").model_copy(update={"without": m.without(start)})
    return world, camera, pixels(world, rng)


def _happen(m: Maker, ids: dict[str, int], props: list[int], rng: np.random.Generator) -> None:
    t = float(rng.uniform(0.3, 0.9))
    for what in rng.permutation(["open", "stow", "look", "move", "light", "burner", "pour", "push"])[
        : int(rng.integers(1, 4))
    ]:
        length = float(rng.uniform(0.8, 1.4))
        if what == "open":
            m.swing(ids["door"], float(rng.uniform(40, 100)), t, t + length)
        elif what == "look" and not m.get(ids["bottom drawer"])["openness"][-1]:
            m.swing(ids["bottom drawer"], float(rng.uniform(15, 36)), t, t + length)
        elif what == "stow" and not m.get(ids["bottom drawer"])["openness"][-1]:
            m.swing(ids["bottom drawer"], 35.0, t, t + 0.7)
            m.carry(props[0], (0.5, -0.3, 0.45), t + 0.9, t + 1.7, ids["bottom drawer"], inside=True)
            m.swing(ids["bottom drawer"], 0.0, t + 1.9, t + 2.5)
            length = 2.5
        elif what in ("move", "push"):
            to = (-0.75 + 0.2 * (what == "push"), -0.2, 0.9 + m.get(props[1])["size"][2] / 2)
            prop = props[1] if what == "move" else props[2]
            m.carry(prop, to, t, t + length, ids["left"], kind=str(what))
        elif what == "light":
            m.switch(ids["lamp"], ids["switch"], t + 0.5, on=not m.get(ids["lamp"])["on"][0])
        elif what == "burner":
            m.switch(ids["burner"], ids["knob"], t + 0.5)
        elif what == "pour":
            bowls = [p for p in props[:-2] if m.get(p)["vessel"] and not m.get(p)["inside"][-1]]
            if bowls:
                m.pour(props[-1], bowls[0], t, t + length, float(rng.uniform(0.4, 1.0)))
        t += length * float(rng.uniform(0.5, 1.3))
        if t > 4.0:
            return


def pixels(world: Facts, rng: np.random.Generator, noise_m: float = 0.01, drop: bool = True) -> Facts:
    """What a pixels witness knows: nothing of what is out of sight, the rest with a little noise."""

    def blind(o: ObjectFact, track: list[Any]) -> list[Any]:
        return [v if p > 0 or not drop else None for v, p in zip(track, o.pixels, strict=True)]

    def shaken(box: list[float] | None) -> list[float] | None:
        return box and [*(np.array(box[:3]) + rng.normal(0, noise_m, 3)).tolist(), *box[3:]]

    objects = []
    for o in world.objects:
        box = [shaken(b) for b in blind(o, o.box)]
        states = {k: blind(o, getattr(o, k)) for k in ("openness", "on", "fill") if getattr(o, k) is not None}
        where = {k: blind(o, getattr(o, k)) for k in ("support", "inside")}
        unknown = {"box2d": [None], "occluded": [None], "pose": [None]}
        objects.append(o.model_copy(update={"box": box, **states, **where, **unknown}))
    late = [e.model_copy(update={"start_s": e.start_s + 0.1, "end_s": e.end_s + 0.1}) for e in world.events]
    return world.model_copy(update={"witness": "pixels", "objects": objects, "events": late, "without": []})
