"""The door against a real server on loopback: outcomes, faults, budget, replay, and no key anywhere."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from synth4d import seeds
from synth4d.errors import ConfigError, ModelError, SynthError, TryLater
from synth4d.llm import Answer, Budget, Call, Door, Endpoint, Pending, Price, Rejected, pace

pytest.importorskip("aiohttp", reason="the door's client needs the llm extra")
pytest.importorskip("openai", reason="the door's client needs the llm extra")
from llm_server import JSON, Say, Server, echo, mixed

CANARY = "sk-CANARY-0123456789abcdef"
GOOD = '{"word": "yes", "number": 12}'


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str
    number: int


class Reason(Word):
    why: str


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT_S", 0.002)
    monkeypatch.setattr(pace, "LAST_WAIT_S", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


Make = Callable[..., Door]


@pytest.fixture
def make(server: Server, tmp_path: Path) -> Iterator[Make]:
    doors: list[Door] = []

    def make(budget: Budget | None = None, offline: bool = False, **changes: Any) -> Door:
        changes = {"model": "m", "base_url": server.url, "timeout_s": 10.0} | changes
        path = tmp_path / "replies.sqlite"
        doors.append(Door(Endpoint(**changes), path, rng=seeds.rng("test"), budget=budget, offline=offline))
        return doors[-1]

    yield make
    for door in doors:
        door.store.close()


def call(text: str = "Is it?", kind: str = "state", **changes: Any) -> Call[Word]:
    return Call(kind, [{"role": "user", "content": text}], Word, **({"seed": 1} | changes))


def calls(n: int, **changes: Any) -> list[Call[Word]]:
    return [call(f"question {i}", seed=i, **changes) for i in range(n)]


def in_turn(*says: Say) -> Callable[[JSON, int], Say]:
    """The n-th hit of all gets the n-th say; the last one for ever."""
    left = list(says)
    return lambda request, hit: left.pop(0) if len(left) > 1 else left[0]


# ---- Asking --------------------------------------------------------------------------------------


def test_what_is_sent_is_what_every_server_takes(server: Server, make: Make) -> None:
    door = make(params={"top_p": 0.9})
    (outcome,) = door.ask([call(temperature=0.5, max_tokens=77)])
    assert isinstance(outcome, Answer) and outcome.value == Word(word="yes", number=12)
    (sent,) = server.requests
    assert set(sent) == {"model", "messages", "response_format", "max_tokens", "temperature", "seed", "top_p"}
    assert (sent["model"], sent["max_tokens"], sent["temperature"], sent["seed"]) == ("m", 77, 0.5, 1)
    assert sent["response_format"]["json_schema"]["name"] == "Word"
    system, user = sent["messages"]
    assert system["role"] == "system" and '"additionalProperties":false' in system["content"]
    assert user == {"role": "user", "content": "Is it?"}
    assert server.headers[0]["Authorization"] == f"Bearer {CANARY}"


def test_outcomes_come_in_the_order_of_the_calls_whatever_the_server_does(server: Server, make: Make) -> None:
    server.script = mixed
    door = make(timeout_s=1.0, in_flight=16)
    asked = [Call("t", [{"role": "user", "content": f"question {i}"}], Reason, i) for i in range(150)]
    asked += asked[:20]
    outcomes = door.ask(asked)
    assert [o.value.word for o in outcomes if isinstance(o, Answer)] == [c.messages[0]["content"] for c in asked]
    tally = door.ledger.kinds["t"]
    assert tally.asked == tally.answered == 170 and not tally.pending and not tally.rejected
    assert tally.hits == server.hits
    assert {"http 429", "http 500", "connection", "json", "refusal", "cut"} <= set(tally.faults)
    assert len(door.store) == len({o.key for o in outcomes}) + sum(
        len(o.faults) for o in outcomes[:150] if isinstance(o, Answer)
    )
    assert 2 <= server.most_in_flight <= 16
    before = server.hits
    assert door.ask(asked) == outcomes and server.hits == before


def test_samples_that_differ_only_in_their_seed_are_asked_apart_and_equal_ones_once(server: Server, make: Make) -> None:
    door = make()
    door.ask([call(seed=seed) for seed in (1, 2, 3, 1, 2)])
    assert sorted(r["seed"] for r in server.requests) == [1, 2, 3]


def test_the_store_knows_a_server_of_ones_own_again_on_another_port(make: Make) -> None:
    first = make().ask([call()])
    with Server() as other:
        assert make(base_url=other.url).ask([call()]) == first and other.hits == 0
        make(base_url=other.url, model="another").ask([call()])
        assert other.hits == 1


# ---- Replies that can't be used ------------------------------------------------------------------

UNFIT = {
    "json": Say('{"word": "yes", "number":'),
    "schema": Say('{"word": "yes", "number": "twelve"}'),
    "refusal": Say(None, refusal="I'm sorry, I can't."),
    "cut": Say('{"word": "ye', finish="length"),
    "filtered": Say(None, finish="content_filter"),
    "empty": Say(""),
    "oversized": Say('{"word": "' + "x" * 300_000 + '", "number": 1}'),
}


@pytest.mark.parametrize("fault", UNFIT)
def test_an_unfit_reply_is_asked_again_with_its_error_and_kept(fault: str, server: Server, make: Make) -> None:
    server.script = in_turn(UNFIT[fault], Say())
    door = make()
    (outcome,) = door.ask([call()])
    assert isinstance(outcome, Answer) and outcome.faults == (fault,)
    first, second = server.requests
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert second["messages"][-1]["role"] == "user" and "can't be used" in second["messages"][-1]["content"]
    assert second["seed"] != first["seed"] and len(door.store) == 2
    assert door.ledger.kinds["state"].faults == {fault: 1}


@pytest.mark.parametrize("fault", UNFIT)
def test_what_stays_unfit_is_rejected_with_every_raw_text(fault: str, server: Server, make: Make) -> None:
    server.script = in_turn(UNFIT[fault])
    door = make()
    (outcome,) = door.ask([call()])
    assert isinstance(outcome, Rejected) and outcome.reason.startswith(f"{fault}: ")
    bound = 2 if fault == "schema" else door.endpoint.attempts
    assert outcome.faults == (fault,) * bound and server.hits == bound
    said = UNFIT[fault].content or UNFIT[fault].refusal or ""
    assert outcome.raw == (said[: 1 << 18],) * bound
    assert door.ledger.kinds["state"].rejected == {fault: 1}
    assert make(offline=True).ask([call()]) == [outcome]


def test_what_the_caller_finds_wrong_is_fed_back_once(server: Server, make: Make) -> None:
    def odd(word: Word) -> None:
        if word.number % 2 == 0:
            raise ValueError(f"{word.number} is even:\nthe program yields an odd number")

    server.script = in_turn(Say(), Say('{"word": "no", "number": 13}'))
    (outcome,) = make().ask([call(check=odd)])
    assert isinstance(outcome, Answer) and outcome.value.number == 13 and outcome.faults == ("check",)
    assert "12 is even: the program" in server.requests[1]["messages"][-1]["content"]
    server.script = in_turn(Say())
    (outcome,) = make().ask([call("again", check=odd)])
    assert isinstance(outcome, Rejected) and outcome.faults == ("check", "check")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_the_server_calls_wrong_is_rejected_alone(status: int, server: Server, make: Make) -> None:
    body = json.dumps({"error": {"message": f"context of {CANARY} is too long"}})
    server.script = lambda request, hit: (
        Say(status=status, body=body) if "question 3" in request["messages"][-1]["content"] else Say()
    )
    outcomes = make().ask(calls(8))
    assert [isinstance(o, Answer) for o in outcomes] == [i != 3 for i in range(8)]
    (rejected,) = [o for o in outcomes if isinstance(o, Rejected)]
    assert rejected.reason.startswith(f"http {status}") and rejected.raw == ("context of [key] is too long",)
    assert server.hits == 8
    assert make(offline=True).ask(calls(8)) == outcomes
    server.script = lambda request, hit: Say()
    assert isinstance(make().ask(calls(8))[3], Answer) and server.hits == 9


# ---- A server that fails -------------------------------------------------------------------------

AGAIN = {
    "http 408": Say(status=408), "http 409": Say(status=409), "http 429": Say(status=429), "http 500": Say(status=500),
    "http 503": Say(status=503, body="<html>"), "http 529": Say(status=529), "connection": Say(how="reset"),
    "garbled": Say(body="<html>captive portal</html>"),
    "timeout": Say(how="hang"),
}  # fmt: skip
GARBLED = [
    "", "null", "[]", "{}",
    '{"choices": []}', '{"choices": null}', '{"choices": [{}]}', '{"choices": [{"message": 3}]}',
    '{"choices": [{"message": {"content": ["a"]}}]}',
    '{"error": {"message": "overloaded"}}', "data: {}\n\n", "[" * 9999,
    '{"choices": [{"message": {"content": "' + GOOD.replace('"', '\\"') + '"',
]  # fmt: skip


@pytest.mark.parametrize("fault", [*AGAIN, "truncated"])
def test_a_failure_of_the_server_is_tried_again_and_counted(fault: str, server: Server, make: Make) -> None:
    server.script = in_turn(AGAIN.get(fault, Say(how="truncated")), Say())
    door = make(timeout_s=1.0)
    assert isinstance(door.ask([call()])[0], Answer)
    assert door.ledger.kinds["state"].faults == {"connection" if fault == "truncated" else fault: 1}
    assert server.requests[0] == server.requests[1] and len(door.store) == 1


@pytest.mark.parametrize("body", GARBLED, ids=range(len(GARBLED)))
def test_bytes_that_are_no_completion_are_never_stored(body: str, server: Server, make: Make) -> None:
    server.script = in_turn(Say(body=body), Say(body=body), Say())
    door = make()
    assert isinstance(door.ask([call()])[0], Answer)
    assert door.ledger.kinds["state"].faults == {"garbled": 2} and len(door.store) == 1


def test_a_request_that_always_fails_is_pending_and_the_next_run_asks_only_it(server: Server, make: Make) -> None:
    server.script = lambda request, hit: Say(status=500) if "question 3" in str(request) else Say()
    door = make(tries=3)
    outcomes = door.ask(calls(6))
    assert outcomes[3] == Pending("http 500 after 3 tries")
    assert sum(isinstance(o, Answer) for o in outcomes) == 5 and server.hits == 5 + 3
    assert door.ledger.kinds["state"].pending == 1
    server.script = lambda request, hit: Say()
    assert all(isinstance(o, Answer) for o in make().ask(calls(6))) and server.hits == 5 + 3 + 1


@pytest.mark.parametrize(
    ("status", "part"), [(401, "OPENAI_API_KEY"), (403, "'m'"), (404, "base_url"), (402, "credit")]
)
def test_a_wrong_key_or_model_stops_at_the_first_request(status: int, part: str, server: Server, make: Make) -> None:
    server.script = in_turn(Say(status=status, body=json.dumps({"error": {"message": f"bad key {CANARY}\n\nsee"}})))
    with pytest.raises(ModelError, match=part) as caught:
        make().ask(calls(300))
    assert server.hits == 1 and "\n" not in str(caught.value) and caught.value.exit_code == 1
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_is_withdrawn_breaks_off_what_is_in_flight(server: Server, make: Make) -> None:
    def script(request: JSON, hit: int) -> Say:
        return Say() if server.hits < 9 else Say(status=401) if server.hits == 20 else Say(how="hang")

    server.script = script
    door = make(in_flight=16, timeout_s=60.0)
    with pytest.raises(ModelError, match="401"):
        door.ask(calls(300))
    assert server.hits <= 9 + 16 and len(door.store) == 8


def test_redirects_are_not_followed(server: Server, make: Make) -> None:
    with Server() as other:
        server.script = in_turn(Say(status=307, headers={"Location": f"{other.url}/chat/completions"}))
        with pytest.raises(ModelError, match="307"):
            make().ask([call()])
        assert other.hits == 0


def test_a_used_up_quota_is_no_passing_429(server: Server, make: Make) -> None:
    body = json.dumps({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
    server.script = in_turn(Say(status=429, body=body))
    with pytest.raises(TryLater, match="quota"):
        make().ask(calls(50))
    assert server.hits == 1


def test_retry_after_holds_everyone(server: Server, make: Make) -> None:
    def script(request: JSON, hit: int) -> Say:
        return Say(status=429, headers={"Retry-After": "0.6"}) if server.hits == 30 else Say()

    server.script, server.delay_s = script, 0.005
    assert all(isinstance(o, Answer) for o in make(in_flight=8).ask(calls(80)))
    # From the next batch in flight on, the gap is the window.
    gaps = [b - a for a, b in zip(server.times[29:], server.times[30:], strict=False)]
    assert max(gaps[:9]) > 0.4 and server.hits == 81


def test_a_wait_that_is_too_long_ends_the_run_resumably(server: Server, make: Make) -> None:
    server.script = in_turn(Say(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(TryLater, match="3600 s") as caught:
        make().ask(calls(50))
    assert server.hits == 1 and caught.value.exit_code == 75


def test_a_server_that_is_down_is_waited_for_and_then_given_up(server: Server, make: Make) -> None:
    server.script = lambda request, hit: Say(status=503) if server.hits < 60 else Say()
    assert all(isinstance(o, Answer) for o in make(tries=2).ask(calls(20))), "an outage uses up nobody's tries"
    server.script = lambda request, hit: Say(status=503)
    with pytest.raises(TryLater, match="only failed"):
        make(patience_s=0.5).ask([call(f"other {i}") for i in range(500)])


def test_no_server_at_all(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TryLater, match="only failed"):
        make(base_url=f"http://127.0.0.1:{port}/v1", patience_s=0.3).ask(calls(100))


# ---- A run that is killed ------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
from test_llm_door import calls, seeds, Door, Endpoint
with Door(Endpoint(model="m", base_url=sys.argv[1], in_flight=8), Path(sys.argv[2]), rng=seeds.rng("killed")) as door:
    door.ask(calls(400))
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_asks_again_only_what_was_in_flight(
    sign: signal.Signals, server: Server, make: Make, tmp_path: Path
) -> None:
    reached = threading.Event()

    def script(request: JSON, hit: int) -> Say:
        if server.hits == 120:
            reached.set()
        return Say()

    server.script = script
    command = [sys.executable, "-c", RUN, server.url, str(tmp_path / "replies.sqlite")]
    process = subprocess.Popen(command, cwd=Path(__file__).parent, stderr=subprocess.DEVNULL)
    assert reached.wait(60)
    process.send_signal(sign)
    assert process.wait(20) != 0
    assert 120 <= server.hits < 400
    outcomes = make().ask(calls(400))
    assert all(isinstance(o, Answer) for o in outcomes) and 400 <= server.hits <= 400 + 8


# ---- Budget --------------------------------------------------------------------------------------


def test_max_requests_is_kept_and_the_same_command_goes_on(server: Server, make: Make) -> None:
    server.script = mixed
    asked, hits, runs = calls(60), 0, 0
    while True:
        runs += 1
        try:
            outcomes = make(Budget(max_requests=25), timeout_s=1.0).ask(asked)
            break
        except TryLater as error:
            assert error.exit_code == 75 and "25 requests" in str(error)
            assert server.hits == hits + 25
            hits = server.hits
    assert runs > 2 and not any(isinstance(o, Pending) for o in outcomes)


def test_max_usd_is_never_exceeded_however_many_are_in_flight(server: Server, make: Make) -> None:
    prices = {"m": Price(input=10.0, output=30.0)}  # 300 and 100 tokens a reply: 0.006 $
    door = make(Budget(max_usd=0.2, prices=prices))
    with pytest.raises(TryLater, match=r"\$0\.2 "):
        door.ask(calls(200))
    assert 0.13 < door.ledger.usd <= 0.2
    tally = door.ledger.kinds["state"]
    assert tally.usd == pytest.approx(0.006 * tally.hits) == pytest.approx(0.006 * len(door.store))
    assert (tally.prompt, tally.completion) == (300 * tally.hits, 100 * tally.hits)


def test_lost_and_uncounted_replies_cost_their_worst(server: Server, make: Make) -> None:
    prices = {"m": Price(input=0.0, output=1000.0)}
    server.script = in_turn(Say(how="truncated"), Say(status=500), Say(usage=False))
    door = make(Budget(max_usd=10, prices=prices))
    door.ask([call(max_tokens=1000)])
    tally = door.ledger.kinds["state"]
    assert (tally.usd, tally.usd_lost) == (1.0, 1.0) and tally.hits == 3


def test_costs_are_counted_by_kind_and_replays_cost_nothing(server: Server, make: Make) -> None:
    budget = Budget(prices={"m": Price(input=1.0, output=2.0)})
    door = make(budget)
    door.ask([*calls(3), *calls(2, kind="space", max_tokens=5)])
    rows = door.ledger.rows()
    assert list(rows) == ["space", "state"]
    assert (rows["state"]["usd"], rows["space"]["usd"]) == (0.0015, 0.001)
    again = make(budget)
    again.ask(calls(3))
    state = again.ledger.rows()["state"]
    assert (state["usd"], state["hits"], state["replayed"], state["prompt"]) == (0.0, 0, 3, 900)
    json.dumps(rows)


def test_a_limit_in_dollars_needs_the_models_price(make: Make) -> None:
    with pytest.raises(ConfigError, match="'m'"):
        make(Budget(max_usd=1.0, prices={"other": Price(input=1, output=1)}))
    with pytest.raises(ValueError, match="needs prices"):
        Budget(max_usd=1.0)


# ---- Replay --------------------------------------------------------------------------------------


def test_offline_opens_no_socket_and_names_what_is_missing(
    server: Server, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script = mixed
    outcomes = make(timeout_s=1.0).ask(calls(30))
    monkeypatch.delenv("OPENAI_API_KEY")

    def no(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no)
    monkeypatch.setattr(socket, "socketpair", no)
    monkeypatch.setattr(socket, "getaddrinfo", no)
    assert make(offline=True).ask(calls(30)) == outcomes
    assert make().ask(calls(30)) == outcomes, "nor where the store has it all"
    with pytest.raises(
        ModelError, match=r"offline: state request [0-9a-f]{16} .*'never asked'.* replies\.sqlite|never asked"
    ):
        make(offline=True).ask([*calls(30), call("never asked")])


def test_the_module_is_light() -> None:
    code = "import synth4d.llm, sys; assert not {'openai', 'aiohttp', 'httpx2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- Keys ----------------------------------------------------------------------------------------


def test_the_key_is_in_no_file_log_error_or_repr(
    server: Server, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server echoes the key wherever it can; everything is logged."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("openai").setLevel(logging.DEBUG)
    told = json.dumps({"error": {"message": CANARY, "code": CANARY}})
    echoes = [
        Say(status=500, body=told), Say(body=told), Say(CANARY, finish=CANARY), Say(None, refusal=CANARY),
        Say(json.dumps({"word": CANARY, "number": 1})), Say(status=400, body=told), Say(status=401, body=told),
    ]  # fmt: skip
    server.script = in_turn(*echoes)
    door = make()
    said = repr(door.ask([call("a")])) + repr(door.ask([call("b")])) + repr(door) + repr(vars(door))
    with pytest.raises(SynthError) as caught:
        door.ask([call("c")])
    said += "".join(traceback.format_exception(caught.value)) + str(door.ledger.rows())
    said += caplog.text + "".join(capfd.readouterr())
    for path in tmp_path.rglob("*"):
        assert CANARY.encode() not in path.read_bytes(), path
    assert len(list(tmp_path.iterdir())) >= 1 and "[key]" in said
    assert CANARY not in said and CANARY[3:] not in said


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-钥匙", "sk a"])
def test_a_key_that_is_none_is_refused_without_being_shown(
    key: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        make().ask([call()])
    assert key not in str(caught.value)


def test_openai_needs_a_key_and_a_server_of_ones_own_none(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    make().ask([call()])
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        make(base_url="https://api.openai.com/v1").ask([call("other")])


BAD_URLS = [
    "ftp://host/v1", "host:8000/v1", "", "http://", f"http://user:{CANARY}@host/v1", f"http://{CANARY}@host/v1",
    f"http://host/v1?key={CANARY}", "http://169.254.169.254/v1", "http://[fe80::1]/v1", "http://[fd00:ec2::254]/",
    "http://metadata.google.internal/v1", "http://[::ffff:169.254.169.254]/v1", "http://METADATA.google.internal./v1",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
def test_urls_that_hold_keys_or_lead_to_them_are_refused(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Endpoint(model="m", base_url=url)
    assert CANARY not in str(caught.value) and CANARY not in repr(caught.value)


def test_a_name_that_leads_to_a_metadata_service_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
    with pytest.raises(ConfigError, match="metadata"):
        make(base_url="http://innocent.example/v1").ask([call()])


@pytest.mark.parametrize("name", ["model", "messages", "seed", "max_tokens", "stream", "api_key", "Authorization"])
def test_params_may_not_say_what_the_door_says(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Endpoint(model="m", params={name: CANARY})


# ---- The load, in short --------------------------------------------------------------------------

COUNT = 600


def test_hundreds_of_requests_on_a_bad_day(server: Server, make: Make) -> None:
    """The short form of `bench llm`: none lost, none stored twice, at most 1.6 hits a request."""
    server.script, server.keep = mixed, False
    door = make(timeout_s=2.0)
    asked = [Call("load", [{"role": "user", "content": f"question {i}"}], Reason, i) for i in range(COUNT)]
    outcomes = door.ask(asked)
    kinds = Counter(type(o).__name__ for o in outcomes)
    assert kinds["Answer"] + kinds["Rejected"] == COUNT and kinds["Rejected"] <= 2
    assert all(o.value.word == f"question {i}" for i, o in enumerate(outcomes) if isinstance(o, Answer))
    replies = sum(len(o.faults) + isinstance(o, Answer) for o in outcomes if not isinstance(o, Pending))
    assert len(door.store) == replies
    assert server.hits == door.ledger.hits <= 1.6 * COUNT and server.most_in_flight <= 64


def test_the_mix_is_what_it_says(server: Server) -> None:
    good = echo({"messages": [{"content": "a"}]}, 1)
    bad = sum(mixed({"messages": [{"content": f"a{i}"}]}, 1).how != "whole" for i in range(4000))
    assert good.how == "whole" and abs(bad / 4000 - 0.06) < 0.015
