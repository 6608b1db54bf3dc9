"""A model as the blind probe of a run: through the run's one door, with its budget, store and batches."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the scripted server needs the llm extra")
from llm_server import JSON, Say, Server, completion
from runs import here, record

from synth4d import dataset
from synth4d.errors import ConfigError, TryLater
from synth4d.llm import pace
from synth4d.run import asking

pytestmark = pytest.mark.usefixtures("same_code")
NOWHERE = "http://127.0.0.1:1/v1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT_S", 0.002)
    monkeypatch.setattr(pace, "LAST_WAIT_S", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")


def guesser(request: JSON, hit: int = 1) -> Say:
    """The counter wherever it is offered, else the first option: as many numbers as there are questions."""
    user = next(m["content"] for m in request["messages"] if m["role"] == "user")
    said = []
    for question in re.split(r"\n\n", user):
        options = re.findall(r"^  (\d+)\. (.*)$", question, re.MULTILINE)
        said.append(next((int(n) for n, text in options if "counter" in text), 1))
    return Say(json.dumps({"options": said}))


def made(out: Path, url: str, *sets: str) -> Any:
    probe = ("blind.probe=openai", "blind.block=20", "blind.least=10", "llm.model=m", f"llm.base_url={url}")
    return here(out, *probe, *sets, shots=30)


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    import fake_work

    out = tmp_path_factory.mktemp("golden") / "out"
    with pytest.MonkeyPatch.context() as patch, Server(guesser) as server:
        patch.setattr("synth4d.run.plan.code_versions", fake_work.versions)
        made(out, server.url)
        return out, server.hits


def test_what_the_model_guesses_is_dropped_until_it_can_not(golden: tuple[Path, int]) -> None:
    kept = [q for row in dataset.read_manifest(golden[0]) for s in dataset.read_shard(golden[0], row)
            for q in json.loads(s.members["qa.json"])]  # fmt: skip
    dropped = [r.question for r in dataset.read_rejects(golden[0]) if r.question.verdict.reason.startswith("blind: ")]
    left = [q["turns"][0]["correct"] == 0 for q in kept if q["kind"] == "state.where"]
    assert sum(q.kind == "state.where" for q in dropped) > 15
    assert {q.turns[0].correct for q in dropped if q.kind == "state.where"} == {0}
    assert sum(left) < 0.75 * len(left) and len(kept) + len(dropped) == 90
    spent = json.loads((golden[0] / "run.json").read_text())["model"]["blind"]
    assert spent["hits"] == golden[1] > 2


def test_offline_in_batches_and_after_a_spent_budget_the_bytes_are_the_same(
    tmp_path: Path, golden: tuple[Path, int]
) -> None:
    store = f"llm.store={golden[0] / 'replies.sqlite'}"
    assert made(tmp_path / "offline", NOWHERE, store, "llm.offline=true").record.digest == record(golden[0]).digest
    with Server(guesser) as server:
        with pytest.raises(TryLater) as caught:
            made(tmp_path / "poor", server.url, "llm.budget={max_requests: 3}")
        assert caught.value.exit_code == 75 and not (tmp_path / "poor" / "dataset.json").exists()
        assert made(tmp_path / "poor", server.url).record.digest == record(golden[0]).digest
        assert server.hits == golden[1]
    out, requests, results = tmp_path / "batch", tmp_path / "requests.jsonl", tmp_path / "results.jsonl"
    with pytest.raises(TryLater, match=r"requests of 2 blocks of the blind probe wait: synth4d ask .* --batch-out"):
        made(out, NOWHERE, "llm.batch=true")
    assert asking.write(out, requests) == golden[1]
    rows = []
    for line in map(json.loads, requests.read_text().splitlines()):
        body = completion(line["body"], guesser(line["body"]))
        rows.append({"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None})
    results.write_text("\n".join(map(json.dumps, rows)))
    assert asking.read(out, results).stored == golden[1] and asking.write(out, requests) == 0
    assert made(out, NOWHERE, "llm.batch=true").record.digest == record(golden[0]).digest


def test_it_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"blind.probe openai needs a model: llm.model"):
        here(tmp_path, "blind.probe=openai")
