"""A run that a model takes part in: same bytes however it is cut up, nothing asked twice, no key anywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="the scripted server needs the llm extra")
pytest.importorskip("openai", reason="the door's client needs the llm extra")
from author_work import cost, here, process, settings
from llm_author import Author
from llm_calls import CANARY
from llm_server import JSON, Say, Server
from runs import record, wait_for

from synth4d import cli, codec, config, dataset, disk
from synth4d.ask.author import single
from synth4d.errors import ConfigError, ModelError, TryLater
from synth4d.llm import pace
from synth4d.llm.reply import from_object
from synth4d.records import Question
from synth4d.run import asking, plan

pytestmark = pytest.mark.usefixtures("same_code")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT_S", 0.002)
    monkeypatch.setattr(pace, "LAST_WAIT_S", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Author()) as server:
        yield server


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """An undisturbed run, and how many requests it took."""
    out = tmp_path_factory.mktemp("golden") / "out"
    with pytest.MonkeyPatch.context() as patch, Server(Author()) as server:
        import fake_work

        patch.setattr(plan, "code_versions", fake_work.versions)
        here(out, server.url)
        yield out, server.hits


def digest(out: Path) -> str:
    return record(out).digest


# ---- The same bytes ------------------------------------------------------------------------------


def test_counts_add_up_and_rejects_say_why(golden: tuple[Path, int]) -> None:
    out, hits = golden
    about, rejects, spent = record(out), dataset.read_rejects(out), cost(out)
    assert about.committed == 7 and about.questions > 10
    assert about.questions + about.rejected == spent["asked"] == spent["answered"] + spent["rejected"]
    assert spent["hits"] == hits and spent["prompt"] == 300 * hits and spent["completion"] == 100 * hits
    bare = [r for r in rejects if not r.question.turns]
    assert spent["rejected"] == len(bare) > 0 and len(rejects) == about.rejected
    assert all(r.raw and all(len(text) <= 2000 for text in r.raw) for r in bare)
    reasons = {r.question.verdict.reason for r in bare if r.question.verdict}
    assert len(reasons) >= 3 and all(reason.startswith("author: ") for reason in reasons)
    assert not (out / ".work").exists() and (out / "replies.sqlite").exists()


def test_windows_ports_and_patience_are_no_part_of_the_bytes(
    tmp_path: Path, golden: tuple[Path, int], server: Server
) -> None:
    end = here(
        tmp_path, server.url, "llm.window=100", "llm.in_flight=3", "llm.timeout_s=9", "llm.budget={max_requests: 999}"
    )
    assert end.record.digest == digest(golden[0]) and end.record.plan == record(golden[0]).plan
    assert server.url not in json.dumps(end.record.config) and "max_requests" not in json.dumps(end.record.config)


@pytest.mark.parametrize(
    "change", ["llm.model=n", "llm.params={top_p: 0.5}", "llm.prompts=zh", "llm.attempts=2", "author=template+openai"]
)
def test_who_is_asked_and_how_is_another_plan(change: str, tmp_path: Path) -> None:
    import fake_work

    plans = {plan.make(settings("http://localhost:1/v1", *s), fake_work.SCENES).digest for s in ((), (change,))}
    assert len(plans) == 2


@pytest.mark.parametrize("share", [0.1, 0.75])
def test_killed_while_it_asks_it_goes_on_and_asks_again_what_was_in_flight(
    tmp_path: Path, golden: tuple[Path, int], server: Server, share: float
) -> None:
    server.delay_s = 0.05
    first = process(tmp_path, server.url, "llm.in_flight=4")
    wait_for(lambda: server.hits >= share * golden[1], first)
    first.kill()
    first.communicate()
    server.delay_s = 0.0
    assert not (tmp_path / disk.DATASET).exists()
    end = here(tmp_path, server.url, "llm.in_flight=4")
    assert end.record.digest == digest(golden[0])
    assert server.hits <= golden[1] + 4
    about = cost(tmp_path)
    assert about["asked"] == end.record.questions + end.record.rejected


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_asks_stops_with_one_line(
    tmp_path: Path, golden: tuple[Path, int], server: Server, signum: int
) -> None:
    server.delay_s = 0.05
    first = process(tmp_path, server.url, "llm.in_flight=4")
    wait_for(lambda: server.hits >= 20, first)
    first.send_signal(signum)
    _, stderr = first.communicate(timeout=10)
    assert first.returncode == 128 + signum and stderr.count("\n") <= 2 and "same command" in stderr.splitlines()[-1]
    server.delay_s = 0.0
    assert here(tmp_path, server.url).record.digest == digest(golden[0]) and server.hits <= golden[1] + 4


# ---- Stops, and goes on --------------------------------------------------------------------------


def test_a_spent_budget_ends_with_75_and_the_next_run_goes_on(
    tmp_path: Path, golden: tuple[Path, int], server: Server
) -> None:
    for spent in range(20, golden[1], 20):
        with pytest.raises(TryLater, match="20 requests is spent") as caught:
            here(tmp_path, server.url, "llm.budget={max_requests: 20}")
        assert caught.value.exit_code == 75 and server.hits == spent
    end = here(tmp_path, server.url, "llm.budget={max_requests: 20}")
    assert end.record.digest == digest(golden[0]) and server.hits == golden[1]
    assert cost(tmp_path)["hits"] == golden[1]


def test_what_the_server_never_answers_leaves_the_run_unfinished(
    tmp_path: Path, golden: tuple[Path, int], server: Server
) -> None:
    author, clips = Author(), dict[str, int]()

    def of_fourth(request: JSON) -> bool:
        return clips.setdefault(request["messages"][1]["content"].split("</clip>")[0], len(clips)) == 3

    server.script = lambda request, hit: Say(status=500) if of_fourth(request) else author(request, hit)
    with pytest.raises(TryLater, match="requests of 1 shots were not answered") as caught:
        here(tmp_path, server.url, "llm.tries=2")
    assert caught.value.exit_code == 75 and not (tmp_path / disk.DATASET).exists()
    before = server.hits
    server.script = author
    assert here(tmp_path, server.url, "llm.tries=2").record.digest == digest(golden[0])
    assert server.hits - before < 25


def test_offline_the_store_gives_the_same_bytes(
    tmp_path: Path, golden: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    store = f"llm.store={golden[0] / 'replies.sqlite'}"
    end = here(tmp_path, "http://127.0.0.1:1/v1", "llm.offline=true", store)
    assert end.record.digest == digest(golden[0]) and not (tmp_path / "replies.sqlite").exists()


def test_replies_stay_where_all_else_is_made_anew(
    tmp_path: Path, golden: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    shutil.copy(golden[0] / "replies.sqlite", tmp_path / "replies.sqlite")
    assert here(tmp_path, "http://127.0.0.1:1/v1").record.digest == digest(golden[0])
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ConfigError, match="holiday"):
        here(tmp_path, "http://127.0.0.1:1/v1")


@pytest.mark.parametrize(
    "value", [f"llm.base_url=http://{CANARY}@h/v1", f"llm.key_env={CANARY}", f"llm.params={{api_key: {CANARY}}}"]
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ConfigError, match="llm") as caught:
        settings("http://localhost:1/v1", value)
    assert CANARY not in str(caught.value)


def test_offline_a_missing_reply_is_an_error_that_names_it(tmp_path: Path, server: Server) -> None:
    with pytest.raises(TryLater):
        here(tmp_path, server.url, "llm.budget={max_requests: 10}")
    with pytest.raises(ModelError, match=r"offline: author \S+ request [0-9a-f]{16} .* is not in .*replies.sqlite"):
        here(tmp_path, server.url, "llm.offline=true")
    assert server.hits == 10


# ---- Batches -------------------------------------------------------------------------------------


def test_batches_in_as_many_rounds_as_it_takes_give_the_bytes_of_a_live_run(
    tmp_path: Path, golden: tuple[Path, int]
) -> None:
    out, requests, results, author = tmp_path / "out", tmp_path / "requests.jsonl", tmp_path / "results.jsonl", Author()
    with pytest.raises(TryLater, match=r"\d+ requests of 7 shots wait: synth4d ask .* --batch-out FILE") as caught:
        here(out, "http://127.0.0.1:1/v1", "llm.batch=true")
    assert caught.value.exit_code == 75
    rounds = answered = 0
    while count := asking.write(out, requests):
        lines = [json.loads(line) for line in requests.read_text().splitlines()]
        assert len(lines) == count == len({line["custom_id"] for line in lines})
        rows = [answer(line, author) for line in lines[::-1]]
        if rounds == 0:  # incomplete, with errors and rubbish
            rows = [
                *rows[: count // 2],
                {"custom_id": lines[-1]["custom_id"], "response": None, "error": {"code": "x"}},
            ]
        results.write_text("\n".join([*map(json.dumps, rows), *(["{rubbish"] if rounds == 0 else [])]))
        answered += asking.read(out, results).stored
        rounds += 1
    assert 3 <= rounds <= 5 and answered == golden[1]
    end = here(out, "http://127.0.0.1:1/v1", "llm.offline=true")
    assert end.record.digest == digest(golden[0])
    assert cost(out)["asked"] == end.record.questions + end.record.rejected
    with pytest.raises(ConfigError, match="no unfinished run"):
        asking.write(out, requests)


def answer(line: JSON, author: Author) -> JSON:
    from llm_server import completion

    body = completion(line["body"], author(line["body"], 1))
    from_object(body)
    return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}


def test_a_batch_finishes_by_its_own_command_too(tmp_path: Path, golden: tuple[Path, int]) -> None:
    store = f"llm.store={golden[0] / 'replies.sqlite'}"
    end = here(tmp_path, "http://127.0.0.1:1/v1", "llm.batch=true", store)
    assert end.record.digest == digest(golden[0])


# ---- Words anew ----------------------------------------------------------------------------------


def test_reworded_questions_keep_all_but_their_words(tmp_path: Path, server: Server) -> None:
    end = here(tmp_path, server.url, "author=template+openai")
    questions = [
        Question.model_validate(q)
        for row in dataset.read_manifest(tmp_path)
        for s in dataset.read_shard(tmp_path, row)
        for q in json.loads(s.members["qa.json"])
    ]
    authors = {q.author.partition("@")[0] for q in questions}
    assert authors == {"template", "template+openai:m"}
    spent = cost(tmp_path)
    rejects = dataset.read_rejects(tmp_path)
    assert len(questions) == end.record.questions and len(rejects) == end.record.rejected
    # Dialogues and captions keep their words, and nobody is asked about them.
    alone = [q for q in [*questions, *(r.question for r in rejects)] if single(q)]
    assert spent["asked"] == len(alone) and spent["rejected"] > 0
    assert all(r.question.turns and not r.raw for r in rejects)


# ---- Votes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [0, 1])
def test_where_templates_ask_and_a_model_votes_the_driver_asks_it(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    decoded = list[bytes]()

    def black(video: bytes) -> np.ndarray:
        decoded.append(video)
        return np.zeros((99, 48, 64, 3), np.uint8)

    monkeypatch.setattr(codec, "decode_video", black)
    server.script = lambda request, hit: Say(json.dumps({"thoughts": "", "can_tell": False, "answer": ""}))
    votes = ("votes.witness=openai", "votes.samples=1", f"votes.frames={frames}")
    end = here(tmp_path, server.url, "author=template", *votes, shots=2)
    reasons = [r.question.verdict.reason for r in dataset.read_rejects(tmp_path) if r.question.verdict]
    assert server.hits >= reasons.count("model: refused") > 10
    assert end.record.config["votes"]["witness"] == "openai"
    assert len(decoded) == (2 if frames else 0)  # pictures are read where they are shown, and only there


# ---- All stages ----------------------------------------------------------------------------------


def test_through_all_stages_by_the_command_and_it_proves_itself(
    tmp_path: Path, server: Server, toy_config: config.RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.yaml").write_text(json.dumps(toy_config.model_dump(mode="json", exclude={"llm"})))
    out, base = tmp_path / "out", ["--config", str(tmp_path / "run.yaml"), "--workers", "0"]
    model = ["--author", "openai", "--set", "llm.model=m", f"llm.base_url={server.url}"]
    assert cli.run(["dataset", "--out", str(out), *base, *model]) == 0
    assert cli.run(["verify", str(out)]) == 0
    assert cli.run(["stats", str(out)]) == 0
    said, about = capsys.readouterr().out, record(out)
    assert about.questions > 5 and f"digest {about.digest}" in said and "asked of a model" in said
    page = (out / "report.html").read_text()
    assert "Asked of a model" in page and "author: " in page and "<script" not in page
    again, hits, store = tmp_path / "again", server.hits, f"llm.store={out / 'replies.sqlite'}"
    assert cli.run(["dataset", "--out", str(again), *base, *model, store, "--offline"]) == 0
    assert record(again).digest == about.digest and server.hits == hits


# ---- Keys ----------------------------------------------------------------------------------------


def test_two_workers_give_the_same_bytes_and_no_key_is_in_any_file_log_or_process(
    tmp_path: Path, golden: tuple[Path, int]
) -> None:
    out, found = tmp_path / "out", set[str]()
    with Server(Author()) as server:
        server.delay_s = 0.01
        two = process(out, server.url, workers=2, PYTHONHASHSEED="7")
        wait_for(lambda: look(two.pid, found) or server.hits > 10, two)
        stdout, stderr = two.communicate()
        assert two.returncode == 0, stderr
        assert json.loads(stdout)["digest"] == digest(golden[0]) and server.hits == golden[1]
        assert all(h["Authorization"] == f"Bearer {CANARY}" for h in server.headers)
    files = [p for p in out.rglob("*") if p.is_file()]
    assert not found and CANARY not in stdout + stderr and len(files) > 5
    assert not [p for p in files if CANARY.encode() in p.read_bytes()]


def look(driver: int, found: set[str]) -> None:
    """Note where the key shows: command lines, the environment of the run's other processes, Ray's files."""
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            text = read(folder / name)
            ours = f"s4d-{driver}-".encode() in read(folder / "environ") + read(folder / "cmdline")
            if CANARY.encode() in text and (name == "cmdline" or (ours and int(folder.name) != driver)):
                found.add(str(folder / name))
    for session in Path("/tmp").glob(f"s4d-{driver}-*"):
        for folder, _, names in os.walk(session):  # which goes on where a folder has gone meanwhile
            paths = (Path(folder) / name for name in names)
            found.update(str(p) for p in paths if p.is_file() and CANARY.encode() in read(p))


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
