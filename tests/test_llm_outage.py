"""A server that fails in every way, a run that is killed, a budget that ends it: nothing lost, nothing asked twice."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

import pytest

from synth4d.errors import ConfigError, ModelError, TryLater
from synth4d.llm import Answer, Budget, Call, Pending, Price

pytest.importorskip("aiohttp", reason="the door's client needs the llm extra")
pytest.importorskip("openai", reason="the door's client needs the llm extra")
from llm_calls import CANARY, Make, Reason, call, calls, in_turn
from llm_server import JSON, Say, Server, echo, mixed

pytest_plugins = ["llm_fixtures"]


# ---- A server that fails -------------------------------------------------------------------------

AGAIN = {
    "http 408": Say(status=408), "http 409": Say(status=409), "http 429": Say(status=429), "http 500": Say(status=500),
    "http 503": Say(status=503, body="<html>"), "http 529": Say(status=529), "connection": Say(how="reset"),
    "garbled": Say(body="<html>captive portal</html>"),
    "timeout": Say(how="hang"),
}  # fmt: skip
GOOD = '{"word": "yes", "number": 12}'
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
from llm_calls import calls
from synth4d import seeds
from synth4d.llm import Door, Endpoint
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
            outcomes = make(Budget(max_requests=25), timeout_s=3.0).ask(asked)
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
