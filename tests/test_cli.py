"""The contract with users: commands, exit codes, one line of error."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile import words

from synth4d import cli, config, dataset, records, report, run
from synth4d.cli import make
from synth4d.errors import CannotHappen, ConfigError
from synth4d.run import stages
from synth4d.verify import verify

ROOT = Path(__file__).parents[1]
Capture = pytest.CaptureFixture[str]


def fails(capsys: Capture, *argv: str) -> tuple[int, str]:
    """Exit code and the one line on stderr."""
    code = cli.run(list(argv))
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1, said
    return code, said


# ---- Wrong use -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        ("nonsense", "dataset"),
        ("dataset toy --shotz 3", "--shots"),
        ("dataset toy --shots many", "--shots"),
        ("dataset toy --shots 0", "--shots"),
        ("dataset toy --renderer vulkan", "splat"),
        ("dataset toy --workers -1", "--workers"),
        ("dataset toy --set shots", "key=value"),
        ("dataset toy --config no.yaml", "no.yaml"),
        ("dataset atlantis", "kitchen, toy"),
        ("dataset atlantis/scene.yaml", "no such file"),
        ("dataset Kitchen", "a-z"),
        ("dataset toy,../toy", "a-z"),
        ("dataset toy,toy", "twice"),
        ("schema recipes", "facts"),
        ("schema", "qa"),
        ("bench nothing", "raster"),
        ("browse . --port 99999999 --bogus", "--bogus"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: str, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = fails(capsys, *argv.split())
    assert code == 2 and part in said
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    "scene", ["厨房", "🍲", "a b", "a.b", "", "x" * 65, "x\ny", "x; touch pwned", "$(touch pwned)", "-"]
)
def test_odd_scene_names_are_refused(capsys: Capture, scene: str) -> None:
    code, _ = fails(capsys, "dataset", "--out", "nowhere", "--", scene)
    assert code == 2 and not Path("nowhere").exists()


@pytest.mark.parametrize("command", ["verify", "stats", "browse"])
def test_a_folder_without_a_dataset_is_exit_code_1(capsys: Capture, tmp_path: Path, command: str) -> None:
    code, said = fails(capsys, command, str(tmp_path))
    assert code == 1 and "dataset.json" in said


def test_a_fault_of_the_program_is_one_line_and_a_traceback_only_with_v(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> int:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("synth4d.cli.look.Scenes.__call__", broken)
    code, said = fails(capsys, "scenes")
    assert code == 1 and "two lines" in said
    assert cli.run(["scenes", "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "value", ["toy; touch pwned", "$(touch pwned)", "`touch pwned`", "$(shell touch pwned)", '" ; touch pwned; "']
)
def test_make_hands_a_hostile_name_over_as_a_name(tmp_path: Path, value: str) -> None:
    """The recipe as make prints it, run by the shell with a stand-in for the command."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    command = tmp_path / ".venv/bin/synth4d"
    command.write_text('#!/bin/sh\nprintf "%s|" "$@" > said\n')
    command.chmod(0o755)
    for name in ("pyproject.toml", "constraints.txt", "CMakeLists.txt", ".venv/.setup-done"):
        (tmp_path / name).touch()
    own = ("SCENES", "OUT", "SHOTS", "SEED", "WORKERS", "ARGS")  # of a make that runs this test
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in own}
    subprocess.run(["make", "dataset", f"SCENES={value}", f"OUT={value}"], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "said").read_text() == f"dataset|{value}|--out|{value}|"
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(ConfigError):
        make.scene_names((value,))


# ---- Right use -----------------------------------------------------------------------------------


def test_help_names_every_command(capsys: Capture) -> None:
    for argv in (["--help"], []):
        with pytest.raises(SystemExit) as end:
            cli.run(argv)
        assert not end.value.code
        said = capsys.readouterr().out
        assert all(
            name in said
            for name in ["dataset", "render", "verify", "stats", "browse", "scenes", "schema", "doctor", "bench", "gc"]
        )


def test_scenes_lists_what_dataset_takes(capsys: Capture) -> None:
    assert cli.run(["scenes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["kitchen", "toy"]


@pytest.mark.parametrize("name", [*records.SCHEMAS, "config", "scene"])
def test_schema_is_json_schema(capsys: Capture, name: str) -> None:
    assert cli.run(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out)["type"] in ("object", "array")


def test_options_reach_the_config() -> None:
    got = make.read_config(None, ("toy,kitchen",), (("fps=8",), ("mix.twin=0", "seed=4")), shots=3, seed=None)
    assert (got.scenes, got.fps, got.mix.twin, got.seed, got.shots) == (["toy", "kitchen"], 8, 0, 4, 3)


def test_a_dataset_through_all_stages_proves_itself(toy_dataset: Path, capsys: Capture) -> None:
    assert cli.run(["verify", str(toy_dataset)]) == 0
    assert "whole" in capsys.readouterr().out
    found = verify(toy_dataset)
    assert found.problems == [] and found.counts["questions"] > 10


def test_verify_ends_with_1_and_a_line_a_problem(toy_dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    broken = shutil.copytree(toy_dataset, tmp_path / "broken")
    with next(broken.glob("*.tar")).open("r+b") as f:
        f.seek(5000)
        f.write(b"\xff")
    assert cli.run(["verify", str(broken)]) == 1
    assert "problem: " in capsys.readouterr().err


def test_the_command_makes_the_bytes_of_the_library_with_two_ray_workers(
    toy_dataset: Path, toy_config: config.RunConfig, tmp_path: Path
) -> None:
    """All real stages: other process, Ray, other hash seed, other locale; one digest."""
    path = tmp_path / "tiny.json"
    path.write_text(toy_config.model_dump_json())  # JSON is YAML
    env = os.environ | {"PYTHONHASHSEED": "11", "LANG": "C", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", "from synth4d.cli import main; main()", "dataset", "--config", str(path)]
    done = subprocess.run(
        [*command, "--out", "out", "--workers", "2"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert dataset.read_dataset(tmp_path / "out").digest == dataset.read_dataset(toy_dataset).digest
    assert dataset.read_dataset(toy_dataset).digest in done.stdout
    assert (tmp_path / "out/report.html").exists() and (tmp_path / "out/README.md").exists()


def test_dataset_ends_with_3_where_shots_were_quarantined(
    toy_config: config.RunConfig, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise CannotHappen("the door is blocked")

    monkeypatch.setattr(stages, "make", never)
    path = tmp_path / "tiny.json"
    path.write_text(toy_config.model_dump_json())
    assert cli.run(["dataset", "--config", str(path), "--out", str(tmp_path / "out"), "--workers", "0"]) == 3
    assert "quarantined" in capsys.readouterr().out


def test_stats_counts_what_is_there(toy_dataset: Path, capsys: Capture) -> None:
    assert cli.run(["stats", str(toy_dataset)]) == 0
    said, about = capsys.readouterr().out, dataset.read_dataset(toy_dataset)
    assert re.search(rf"{about.committed} of {about.shots} shots", said)
    summary = report.summarise(toy_dataset)
    assert sum(summary.kept.values()) == about.questions
    assert sum(summary.rejected.values()) == sum(summary.reasons.values()) == about.rejected
    assert set(summary.seconds) == {"simulate", "render", "annotate", "ask", "filter"}


def test_render_lays_one_shot_out(toy_config: config.RunConfig, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "tiny.json"
    path.write_text(toy_config.model_dump_json())
    assert cli.run(["render", "--config", str(path), "--shot", "1", "--out", str(tmp_path / "look")]) == 0
    names = {p.name for p in (tmp_path / "look").iterdir()}
    assert {"shot.mp4", "shot.facts.json", "rgb_0011.png", "depth_0000.png", "ids_0003.png"} <= names
    code, said = fails(capsys, "render", "--config", str(path), "--shot", "3", "--out", str(tmp_path / "look"))
    assert code == 2 and "0 to 2" in said


# ---- The page ------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Every tag, attribute and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "poster", "action")]
        self.handlers += [k for k, _ in attrs if k.startswith("on")]


def test_the_page_stands_alone_and_shows_every_clip(toy_dataset: Path) -> None:
    page = report.write(toy_dataset).read_text()
    read = Reader(page)
    assert read.tags.count("video") == 3
    assert all(link.startswith("data:") for link in read.links)
    assert "script" not in read.tags and not read.handlers
    assert "default-src 'none'" in page


def test_hostile_words_in_a_dataset_stay_words(tmp_path: Path) -> None:
    read = Reader(words.page(tmp_path / "evil").read_text())
    assert "script" not in read.tags and not read.handlers
    assert all(link.startswith("data:") for link in read.links)
    assert not {"iframe", "object", "embed", "base", "link", "meta refresh", "form"} & set(read.tags)


def test_browse_serves_on_this_machine_only_until_it_is_stopped(toy_dataset: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from synth4d.cli import main; main()",
        "browse",
        str(toy_dataset),
        "--serve",
        "--port",
        "0",
    ]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None
        assert serving.stdout.readline().strip() == str(toy_dataset / "report.html")
        url = serving.stdout.readline().split()[0]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url) as page:
            assert b"synth4d" in page.read()
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=10)
    finally:
        serving.kill()
    assert serving.returncode == 130


def test_cpus_is_what_this_process_may_use() -> None:
    assert 1 <= run.cpus() <= (os.cpu_count() or 1)
