"""Commands that look at what there is: verify, stats, browse, scenes, schema, doctor."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from synth4d.errors import ConfigError

Place = Annotated[Positional[str], arg(metavar="DIR|URL")]


@dataclass(frozen=True)
class Verify:
    """Prove a dataset from its own bytes: hashes, schema, every program run again, every box re-projected."""

    dir: Place
    """A dataset's folder, or the URL it lies beneath (s3://…, https://…)."""
    shallow: bool = False
    """Only files, digests and counts; no sample is opened."""

    def __call__(self) -> int:
        import sys

        from synth4d import dataset
        from synth4d.cli.text import counted
        from synth4d.verify import verify

        with dataset.opened(self.dir) as where:
            report = verify(where, deep=not self.shallow)
            if dataset.tars(where) is None:
                print("note: over http no one can see what else lies there", file=sys.stderr)
        for problem in report.problems:
            print(f"problem: {problem}", file=sys.stderr)
        print(f"{'whole' if report.whole else f'{len(report.problems)} problems'}: {counted(report.counts)}")
        return 0 if report.whole else 1


@dataclass(frozen=True)
class Stats:
    """Print what a dataset holds: shots, questions by kind, balance of answers, rejects, seconds by stage."""

    dir: Place
    """A dataset's folder, or the URL it lies beneath."""
    blind: Annotated[Literal["text", "openai"] | None, arg(metavar="text|openai")] = None
    """How often its questions are guessed from their words alone, by kind: by a classifier, or by a model."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """With --blind: write the rows here."""
    model: str = ""
    """With --blind openai: the model's name."""
    base_url: str = "https://api.openai.com/v1"
    """Its server; the key is in OPENAI_API_KEY, where one is needed."""
    replies: Annotated[Path, arg(metavar="FILE")] = Path("replies.sqlite")
    """Where its replies are kept; what is there is not asked again."""

    def __call__(self) -> int:
        from synth4d import dataset
        from synth4d.cli import blindness
        from synth4d.cli.text import print_summary
        from synth4d.report import summarise

        if self.json is not None and not self.blind:
            raise ConfigError("--json goes with --blind: stats has no other rows")
        with dataset.opened(self.dir) as where:
            if self.blind == "openai":
                return blindness.by_model(where, self.json, self.model, self.base_url, self.replies)
            if self.blind:
                return blindness.by_words(where, self.json)
            print_summary(summarise(where))
        return 0


@dataclass(frozen=True)
class Browse:
    """Say where a dataset's page is, making it first where it is missing."""

    dir: Annotated[Positional[str], arg(metavar="DIR")]
    """A dataset's folder."""
    serve: bool = False
    """Serve the folder on 127.0.0.1 until Ctrl-C, for a browser that can't open files."""
    port: Annotated[int, arg(metavar="N")] = 8000
    """Port to serve on; 0 picks a free one."""

    def __call__(self) -> int:
        from synth4d import report
        from synth4d.cli.text import here

        folder = here(self.dir, "browse")
        page = folder / report.PAGE
        if not page.exists():
            report.write(folder)
        print(page, flush=True)
        if self.serve:
            self._serve(folder)
        return 0

    def _serve(self, folder: Path) -> None:
        import functools
        import http.server

        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
        try:
            server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        except (OSError, OverflowError) as e:
            raise ConfigError(f"--port {self.port}: can't be used ({e}); try --port 0") from None
        with server:
            print(f"http://127.0.0.1:{server.server_port}/report.html (Ctrl-C ends it)", flush=True)
            server.serve_forever()


@dataclass(frozen=True)
class Scenes:
    """List the scenes there are."""

    def __call__(self) -> int:
        from synth4d.cli.text import scene_line
        from synth4d.scene import load

        paths = [p for folder in load.scene_folders() for p in sorted(folder.glob("*/scene.yaml"))]
        if not paths:
            raise ConfigError("no scenes: there is no scenes/ with a <name>/scene.yaml in it")
        for path in dict.fromkeys(p.resolve() for p in paths):
            print(scene_line(load.load(path)))
        return 0


@dataclass(frozen=True)
class Schema:
    """Print the JSON Schema of a file: of a dataset's members and lists, a run config, a scene or an annotation."""

    name: Annotated[
        Positional[Literal["qa", "facts", "camera", "manifest", "dataset", "config", "scene", "annotation"]], arg()
    ]
    """Which file."""

    def __call__(self) -> int:
        from pydantic import TypeAdapter

        from synth4d import config, records
        from synth4d.scene.annotation import AnnotationSpec
        from synth4d.scene.spec import SceneSpec

        own = {"config": config.RunConfig, "scene": SceneSpec, "annotation": AnnotationSpec}
        model = {**records.SCHEMAS, **own}[self.name]
        print(json.dumps(TypeAdapter(model).json_schema(), indent=2, ensure_ascii=False))
        return 0


@dataclass(frozen=True)
class Doctor:
    """Check that this machine has what a run needs, or that a scene is what it should be; says what to do where not."""

    scene: Annotated[Positional[str], arg(metavar="SCENE")] = ""
    """A scene by name or by path of its scene.yaml: axes, units, sizes, and what its cameras see."""

    def __call__(self) -> int:
        from synth4d.cli import doctor, scene_report

        return scene_report.report(self.scene) if self.scene else doctor.examine()
