"""Commands that make something: dataset, render, bench."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from synth4d import config
from synth4d.errors import ConfigError

SCENE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
Sets = Annotated[tuple[tuple[str, ...], ...], UseAppendAction, arg(name="set", metavar="KEY=VALUE")]


def scene_names(given: tuple[str, ...]) -> list[str]:
    """Scenes as written on a command line: names, lists of names with commas, paths of scene.yaml files."""
    names: list[str] = []
    for text in given:
        if text.endswith((".yaml", ".yml")):
            names.append(text)
            continue
        for name in text.split(","):
            if not SCENE.fullmatch(name):
                raise ConfigError(
                    f"scene {text[:80]!r}: must be a name (a-z 0-9 _ -; several with commas) or a path to a scene.yaml"
                )
            names.append(name)
    return names


def pipeline(name: str) -> Path:
    """A config of `pipelines/`: of the working folder, of a checkout, or of the installed package."""
    package = Path(__file__).resolve().parents[1]
    folders = [Path("pipelines"), package.parent / "pipelines", package / "_data" / "pipelines"]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(f"no pipelines/{name} beside or in {package}; give --config")


def read_config(
    path: Path | None, scenes: tuple[str, ...], sets: tuple[tuple[str, ...], ...], **options: Any
) -> config.RunConfig:
    """The config of a file, of the options that were given, and of --set."""
    given = {key: value for key, value in options.items() if value is not None}
    if scenes:
        given["scenes"] = scene_names(scenes)
    return config.load(path or pipeline("dataset.yaml"), given, tuple(s for group in sets for s in group))


@dataclass(frozen=True)
class Dataset:
    """Make a dataset. The same command goes on where it was stopped, killed or cut off."""

    scenes: Annotated[Positional[tuple[str, ...]], arg(metavar="SCENE")] = ()
    """Names (`synth4d scenes` lists them) or paths of scene.yaml files; the config's if none is given."""
    out: Annotated[str | None, arg(metavar="DIR|URL")] = None
    """Where to write: empty, or holding this very run; a folder, or s3://bucket/prefix. Default: out/<scenes>."""
    config: Annotated[Path | None, arg(metavar="FILE")] = None
    """Run config. Default: pipelines/dataset.yaml."""
    shots: Annotated[int | None, arg(metavar="N")] = None
    """Shots in all."""
    seed: Annotated[int | None, arg(metavar="S")] = None
    """Everything random follows from it."""
    workers: Annotated[int | None, arg(metavar="N")] = None
    """Ray workers, one core each; 0: in this process, without limits. Default: all cores."""
    ray_address: Annotated[str | None, arg(metavar="HOST:PORT")] = None
    """Use this Ray cluster (it must see --out under the same path) instead of an own local one."""
    renderer: Annotated[
        Literal["auto", "splat", "splat-cuda", "nerf", "mesh"] | None, arg(metavar="auto|splat|splat-cuda|nerf|mesh")
    ] = None
    """What draws the pictures."""
    author: Annotated[
        Literal["template", "openai", "template+openai"] | None, arg(metavar="template|openai|template+openai")
    ] = None
    """Who asks: templates; a model; or templates whose questions a model words anew. A model is named by
    --set llm.model=NAME llm.base_url=URL, its key is in the environment (docs/llm.md)."""
    witness: Annotated[Literal["none", "openai"] | None, arg(metavar="none|openai")] = None
    """Whether a model votes on the questions too (docs/filter.md)."""
    frames: Annotated[int | None, arg(metavar="N")] = None
    """Pictures that it is shown with each; 0: the facts as text."""
    offline: bool = False
    """Take every reply of a model from the store of an earlier run, and open no socket."""
    set: Sets = ()
    """Any value of the config, e.g. --set mix.twin=0 fps=8."""

    def __call__(self) -> int:
        from synth4d import report, run
        from synth4d.cli.text import outcome

        nested = {"votes.witness": self.witness, "votes.frames": self.frames, "llm.offline": self.offline or None}
        sets = tuple(f"{key}={str(value).lower()}" for key, value in nested.items() if value is not None)
        settings = read_config(
            self.config, self.scenes, (*self.set, sets),
            shots=self.shots, seed=self.seed, renderer=self.renderer, author=self.author,
        )  # fmt: skip
        workers = run.cpus() if self.workers is None else self.workers
        if not 0 <= workers <= 1024:
            raise ConfigError(f"--workers {workers}: must be 0 (this process) to 1024")
        out = self.out or f"out/{'-'.join(Path(s).parent.name if '.' in s else s for s in settings.scenes)}"
        end = run.dataset(settings, out, workers=workers, ray_address=self.ray_address, page=report.write)
        if "://" not in out and not (Path(out) / report.PAGE).exists():
            report.write(Path(out))
        print(outcome(end))
        return end.exit_code


@dataclass(frozen=True)
class Render:
    """Make one shot of a run and lay it out as files to look at: frames, depth, ids, video, JSON."""

    scenes: Annotated[Positional[tuple[str, ...]], arg(metavar="SCENE")] = ()
    """Name or path of a scene; the config's if none is given."""
    out: Annotated[Path, arg(metavar="DIR")] = Path("out/render")
    """Folder to write to; files of an earlier look are replaced."""
    shot: Annotated[int, arg(metavar="N")] = 0
    """Position in the plan."""
    config: Annotated[Path | None, arg(metavar="FILE")] = None
    """Run config. Default: pipelines/dataset.yaml."""
    seed: Annotated[int | None, arg(metavar="S")] = None
    """Everything random follows from it."""
    set: Sets = ()
    """Any value of the config, e.g. --set width=768 height=576."""

    def __call__(self) -> int:
        from synth4d.run import look

        settings = read_config(self.config, self.scenes, self.set, seed=self.seed)
        print(look.one_shot(settings, self.shot, self.out))
        return 0


@dataclass(frozen=True)
class Bench:
    """Measure, each figure as a ratio to a named baseline in the same run."""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    """Benchmarks to run; all if none is given."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write {name: {value, unit, against, ratio}} here."""

    def __call__(self) -> int:
        from synth4d.bench.main import measure

        results = measure(self.names)
        if self.json is not None:
            self.json.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
        return 0
