"""The door against a real server on loopback: what is sent, which outcomes come, replay, and no key anywhere."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from synth4d.errors import ConfigError, ModelError, SynthError
from synth4d.llm import Answer, Budget, Call, Endpoint, Price, Rejected

pytest.importorskip("aiohttp", reason="the door's client needs the llm extra")
pytest.importorskip("openai", reason="the door's client needs the llm extra")
from llm_calls import CANARY, Make, Reason, Word, call, calls, in_turn
from llm_server import Say, Server, mixed

pytest_plugins = ["llm_fixtures"]


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


def test_pictures_go_as_they_are_and_cost_no_more_than_is_set_aside(server: Server, make: Make) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + "A" * 50_000}}
    parts = [{"type": "text", "text": "What moved?"}, picture]
    asked = Call("vlm", [{"role": "user", "content": parts}], Word, 1)
    prices = {"m": Price(input=100.0, output=1.0)}
    (outcome,) = make(Budget(max_usd=0.6, prices=prices)).ask([asked])
    assert isinstance(outcome, Answer) and server.requests[0]["messages"][-1]["content"] == parts
    with pytest.raises(ModelError, match=r"vlm request .* \('What moved\?'\)"):
        make(offline=True, model="other").ask([asked])


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


@pytest.mark.parametrize("url", BAD_URLS, ids=range(len(BAD_URLS)))
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
