"""Calls through files: what goes out is what a live run would send, what comes back may be in any state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from synth4d import seeds
from synth4d.errors import ModelError
from synth4d.llm import Answer, Call, Door, Endpoint, Rejected, Store, batch

JSON = dict[str, Any]
ENDPOINT = Endpoint(model="m", base_url="https://models.example/v1")


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str


CALLS = [Call("state", [{"role": "user", "content": f"question {i}"}], Word, i) for i in range(30)]


def completion(content: str | None, finish: str = "stop", refusal: str | None = None) -> JSON:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    return {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}


def result(line: JSON, content: str | None, status: int = 200, **more: Any) -> JSON:
    body = completion(content, **more) if status == 200 else {"error": {"message": "no"}}
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None}


def lines(path: Path) -> list[JSON]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "replies.sqlite")


def out(store: Store, tmp_path: Path, calls: list[Call[Word]] = CALLS) -> list[JSON]:
    path = tmp_path / "requests.jsonl"
    count = batch.write(calls, ENDPOINT, store, path)
    found = lines(path)
    assert len(found) == count
    return found


def back(store: Store, tmp_path: Path, rows: list[JSON | str]) -> batch.Taken:
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
    return batch.read(path, store)


def test_a_line_is_what_the_batch_api_takes_and_a_live_run_sends(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the door's client needs the llm extra")
    pytest.importorskip("aiohttp", reason="the door's client needs the llm extra")
    from llm_server import Say, Server

    with Server(lambda request, hit: Say('{"word": "yes"}')) as server:
        endpoint = Endpoint(model="m", base_url=server.url, params={"top_p": 0.5})
        path = tmp_path / "requests.jsonl"
        assert batch.write([*CALLS[:3], CALLS[0]], endpoint, store, path) == 3
        with Door(endpoint, store.path, rng=seeds.rng("test")) as door:
            outcomes = door.ask(CALLS[:3])
        found = lines(path)
        assert all(set(line) == {"custom_id", "method", "url", "body"} for line in found)
        assert {(line["method"], line["url"]) for line in found} == {("POST", "/v1/chat/completions")}
        assert [line["custom_id"] for line in found] == [o.key for o in outcomes if isinstance(o, Answer)]
        order = lambda body: body["messages"][-1]["content"]  # noqa: E731
        assert sorted((line["body"] for line in found), key=order) == sorted(server.requests, key=order)
    assert batch.write(CALLS[:3], endpoint, store, path) == 0 and path.read_bytes() == b""


def test_results_in_any_order_make_the_outcomes_of_a_live_run(store: Store, tmp_path: Path) -> None:
    found = out(store, tmp_path)
    rows: list[JSON | str] = [result(line, f'{{"word": "w{i}"}}') for i, line in enumerate(found)]
    order = seeds.rng("order").permutation(30)
    assert back(store, tmp_path, [rows[i] for i in order]).stored == 30
    assert out(store, tmp_path) == []
    with Door(ENDPOINT, store.path, rng=seeds.rng("test"), offline=True) as door:
        outcomes = door.ask(CALLS)
        assert [o.value.word for o in outcomes if isinstance(o, Answer)] == [f"w{i}" for i in range(30)]
        assert door.ledger.kinds["state"].prompt == 9 * 30


def test_what_is_missing_or_failed_is_in_the_next_round(store: Store, tmp_path: Path) -> None:
    found = out(store, tmp_path)
    ids = [line["custom_id"] for line in found]
    expired = {"custom_id": ids[3], "response": None, "error": {"code": "batch_expired", "message": "late"}}
    whole = json.dumps(result(found[9], '{"word": "cut"}'))
    rows: list[JSON | str] = [
        result(found[0], '{"word": "a"}'),
        result(found[1], None, status=429),
        result(found[2], None, status=500),
        expired,
        result(found[4], None) | {"response": {"status_code": 200, "body": {"choices": []}}},
        result(found[5], '{"word": "a"}') | {"custom_id": "mine-5"},
        {"custom_id": ids[6]},
        "",
        "not json",
        "[]",
        '"text"',
        result(found[7], '{"word": "first"}'),
        result(found[7], '{"word": "second"}'),
        result(found[8], None, status=400),
        whole[: len(whole) // 2],
    ]
    taken = back(store, tmp_path, rows)
    assert taken.stored == 3
    assert taken.again == {
        "http 429": 1, "http 500": 1, "batch_expired": 1, "garbled": 1, "foreign custom_id": 1, "no response": 1,
        "damaged line": 4,
    }  # fmt: skip
    assert [line["custom_id"] for line in out(store, tmp_path)] == [k for i, k in enumerate(ids) if i not in (0, 7, 8)]
    assert back(store, tmp_path, rows).stored == 0, "taking a file twice changes nothing"
    with Door(ENDPOINT, store.path, rng=seeds.rng("test"), offline=True) as door:
        a, first, wrong = door.ask([CALLS[0], CALLS[7], CALLS[8]])
        assert isinstance(a, Answer) and isinstance(first, Answer) and first.value.word == "first"
        assert isinstance(wrong, Rejected) and wrong.reason.startswith("http 400")


def test_rounds_go_on_until_every_call_has_its_outcome(store: Store, tmp_path: Path) -> None:
    """A server that is unfit to answer in round one is told so in round two, and rejected in the end."""
    bad = {0: '{"wurd": 1}', 1: "no", 2: "no", 3: '{"word": "ye'}
    sizes = []
    while found := out(store, tmp_path, CALLS[:4]):
        sizes.append(len(found))
        rows: list[JSON | str] = []
        for line in found:
            i = int(str(line["body"]["messages"]).partition("question ")[2][0])
            told = "can't be used" in str(line["body"]["messages"])
            rows.append(
                result(line, '{"word": "ok"}' if told and i > 1 else bad[i], finish="length" if i == 3 else "stop")
            )
        assert back(store, tmp_path, rows).stored == len(found)
    with Door(ENDPOINT, store.path, rng=seeds.rng("test"), offline=True) as door:
        outcomes = door.ask(CALLS[:4])
    assert [o.faults for o in outcomes if not isinstance(o, batch.Taken)] == [
        ("schema", "schema"), ("json",) * 4, ("json",), ("cut",) * 4,
    ]  # fmt: skip
    assert sizes == [4, 4, 2, 2]


def test_files_that_are_not_there_are_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"results\.jsonl"):
        batch.read(tmp_path / "results.jsonl", store)
