"""The plan: every shot of a run as a closed formula of its index, so that a long plan costs nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from synth4d import __version__, records, seeds
from synth4d.config import Mix, RunConfig
from synth4d.errors import ConfigError
from synth4d.types import Shot, ShotKind

KEY = re.compile(r"^[a-z0-9_-]+$")
LIBRARIES = ("numpy", "scipy", "mujoco", "embreex", "av", "pillow", "gymnasium-robotics")
"""Packages whose version may change the bytes of a dataset."""
NOT_STAGES = {
    "cli", "run", "report", "bench", "stream", "source", "verify", "digests", "leaks", "proof", "export", "dataset",
    "config", "errors", "yamlfile", "_data", "__init__",
}  # fmt: skip
"""Parts of the package that no byte of a sample depends on."""
OF_RUN = ("plan.py", "film.py", "stages.py", "work.py", "blind.py")
"""What in `run` does shape them."""
CODE = (".py", ".cpp", ".hpp", ".h", ".j2", ".xml", ".yaml")
COMPILED = (".so", ".pyd")


@dataclass(frozen=True, slots=True)
class SceneRef:
    """A scene as the plan knows it: `path` is for loading and stays out of every digest."""

    name: str
    digest: str
    path: str
    field: str = ""
    """Path of the radiance field that shows one of its layouts, if any shot needs it."""
    field_digest: str = ""
    broken: str = ""
    """Why it can't be loaded, if it can't: its shots are quarantined, those of the other scenes made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Index → Shot, and the digest of all it follows from."""

    config: RunConfig
    scenes: tuple[SceneRef, ...]
    versions: dict[str, str]
    digest: str

    def __len__(self) -> int:
        return self.config.shots

    def __iter__(self) -> Iterator[Shot]:
        return map(self.shot, range(len(self)))

    def record(self) -> records.JSON:
        """The config as it is published: scenes by name, so that no path of this machine is in it; of a model that
        is asked what shapes the bytes; nothing of what this machine keeps."""
        config = self.config
        llm = config.llm.shapes() if config.needs_a_model else {}
        own = config.model_dump(mode="json", exclude={"cache"})
        return {**own, "scenes": [s.name for s in self.scenes], "llm": llm}

    def shot(self, index: int) -> Shot:
        """The shot at a position of the plan."""
        config, turns = self.config, _round(self.config.mix)
        scene = self.scenes[index % len(self.scenes)]
        layout = index // len(self.scenes)
        kind, back = turns[layout % len(turns)]
        layout -= back
        sibling = index - back * len(self.scenes)
        key, drawn_by = _key(config.seed, scene.name, index, kind), renderer(config, kind)
        nerf = drawn_by == "nerf"
        layout = config.nerf.layout if nerf else layout
        return Shot(
            key=key,
            index=index,
            scene=scene.name,
            kind=kind,
            run_seed=config.seed,
            layout=layout,
            split=_split(config, scene.name, layout),
            frames=config.frames,
            fps=config.fps,
            width=config.width,
            height=config.height,
            renderer=drawn_by,
            view=key if nerf else "",
            field=scene.field if nerf else "",
            twin_of=_key(config.seed, scene.name, sibling, turns[layout % len(turns)][0]) if back else None,
        )


def renderer(config: RunConfig, kind: ShotKind) -> str:
    """What draws shots of a kind."""
    still = kind == "static" and config.static_renderer != "same"
    name = config.static_renderer if still else config.renderer
    return "splat" if name == "auto" else name


def make(config: RunConfig, scenes: tuple[SceneRef, ...], versions: dict[str, str] | None = None) -> Plan:
    """The plan of a config over loaded scenes; its digest covers config, scene files and stage code."""
    if not scenes:
        raise ConfigError("no scene given; `synth4d scenes` lists them")
    names = [s.name for s in scenes]
    if doubled := sorted({n for n in names if names.count(n) > 1}):
        raise ConfigError(f"scene {doubled[0]!r} is given twice; rename one or give it once")
    versions = dict(versions if versions is not None else code_versions())
    versions |= {f"scene {s.name}": s.digest[:16] for s in scenes}
    versions |= {f"nerf {s.name}": s.field_digest[:16] for s in scenes if s.field}
    plan = Plan(config, scenes, versions, "")
    shapes = {k: v for k, v in plan.record().items() if k != "limits"}
    digest = hashlib.sha256(records.dump({"config": shapes, "versions": versions})).hexdigest()
    return Plan(config, scenes, versions, digest)


@cache
def _round(mix: Mix) -> tuple[tuple[ShotKind, int], ...]:
    """One round of kinds, spread evenly; with each twin the number of turns back to its sibling."""
    weights: dict[ShotKind, int] = {
        "dynamic": mix.dynamic, "twin": mix.twin, "static": mix.static, "control": mix.control,
    }  # fmt: skip
    total, turns, single = sum(weights.values()), list[tuple[ShotKind, int]](), list[int]()
    used = dict.fromkeys(weights, 0)
    for turn in range(total):
        due = [k for k in weights if used[k] < weights[k] and (k != "twin" or single)]
        kind = max(due, key=lambda k: weights[k] * (turn + 1) / total - used[k])
        used[kind] += 1
        if kind == "dynamic":
            single.append(turn)
        turns.append((kind, turn - single.pop(0) if kind == "twin" else 0))
    return tuple(turns)


def _key(seed: int, scene: str, index: int, kind: str) -> str:
    """A name of our own making: a scene's name only lends it the letters that are safe in a tar."""
    slug = re.sub(r"[^a-z0-9]+", "_", scene.lower()).strip("_")[:24] or "scene"
    key = f"{slug}-{index:06d}-{kind}-{seeds.seed(seed, scene, index, kind) & 0xFFFFFF:06x}"
    assert KEY.match(key)
    return key


def _split(config: RunConfig, scene: str, layout: int) -> str:
    """The split of a layout, drawn by its seed: siblings and twins never part."""
    u = (seeds.seed(config.seed, scene, layout, "split") >> 75) / 2**53
    names = sorted(config.splits)
    for name in names:
        u -= config.splits[name]
        if u < 0:
            return name
    return max(names, key=lambda name: config.splits[name])


# ---- What the bytes depend on --------------------------------------------------------------------


@cache
def _code_digest() -> str:
    from synth4d.ask.template import prompts_folder

    h = hashlib.sha256()
    package = resources.files("synth4d")
    sources = [*_sources(package, ""), *_sources(prompts_folder(), "prompts/")]
    sources += [(f"run/{name}", (package / "run" / name).read_bytes()) for name in OF_RUN]
    for name, raw in sources:
        h.update(f"{name}\0{len(raw)}\0".encode() + raw)
    return h.hexdigest()


def rooms_digest(rooms: frozenset[str], endings: tuple[str, ...] = CODE) -> str:
    """sha256 over the files of some rooms of the package, sources unless other endings are given."""
    h = hashlib.sha256()
    for name, raw in _sources(resources.files("synth4d"), "", endings):
        if name.split("/")[0].removesuffix(".py") in rooms:
            h.update(f"{name}\0{len(raw)}\0".encode() + raw)
    return h.hexdigest()


def _sources(folder: Traversable, prefix: str, endings: tuple[str, ...] = CODE) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if not prefix and entry.name.split(".")[0] in NOT_STAGES:
            continue
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _sources(entry, f"{prefix}{entry.name}/", endings)
        elif entry.name.endswith(endings):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def code_versions() -> dict[str, str]:
    """Versions of all that shapes a sample: the stages' own sources and the libraries beneath them."""
    return {
        "synth4d": __version__,
        "code": _code_digest()[:16],
        **{p: metadata.version(p) for p in LIBRARIES},
    }
