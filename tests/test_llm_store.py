"""The reply store: what is in it is on the device, is what was put there, and is there once."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from synth4d.errors import ModelError
from synth4d.llm.reply import Reply
from synth4d.llm.store import Store

KEYS = [f"{i:064x}" for i in range(40)]


def reply(text: str, status: int = 200) -> Reply:
    return Reply(status=status, text=text, finish="stop", prompt=3, completion=4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "replies.sqlite"
    with Store(path) as store:
        store.put_all([(key, reply(f"text {key} 厨房")) for key in KEYS])
    return path


def test_what_was_put_is_there_after_opening_again(path: Path) -> None:
    with Store(path) as store:
        assert [store.get(key) for key in KEYS] == [reply(f"text {key} 厨房") for key in KEYS]
        assert store.get("f" * 64) is None and len(store) == 40


def test_the_first_reply_stands_and_everyone_gets_it(path: Path) -> None:
    with Store(path) as one, Store(path) as two:
        assert one.put_all([("a", reply("first"))]) == [reply("first")]
        assert two.put_all([("a", reply("second")), ("b", reply("b"))]) == [reply("first"), reply("b")]
        assert one.get("a") == reply("first") == two.get("a")


def test_a_reply_that_refuses_a_request_gives_way_to_a_good_one(path: Path) -> None:
    with Store(path) as store:
        store.put_all([("a", reply("context too long", 400))])
        assert store.get("a") == reply("context too long", 400)
        assert store.get("a", only_good=True) is None
        assert store.put_all([("a", reply("good"))]) == [reply("good")]
        assert store.put_all([("a", reply("bad", 400))]) == [reply("good")]


def test_replies_that_wait_together_share_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path) as store:
        sizes: list[int] = []
        real = store.put_all
        monkeypatch.setattr(store, "put_all", lambda rows: sizes.append(len(rows)) or real(rows))

        async def many() -> list[Reply]:
            return await asyncio.gather(*(store.put(f"k{i}", reply(str(i))) for i in range(200)))

        assert asyncio.run(many()) == [reply(str(i)) for i in range(200)]
        assert sum(sizes) == 200 and len(sizes) <= 3
        assert len(store) == 240


@pytest.mark.parametrize("steps", range(4))
def test_a_loop_that_stops_at_any_step_stores_what_came(path: Path, steps: int) -> None:
    """A signal cancels every task, also one that has not begun; the end waits for the device, not for ever."""

    async def stopped(store: Store) -> None:
        callers = [asyncio.create_task(store.put(f"k{i}", reply(str(i)))) for i in range(3)]
        for _ in range(1 + steps):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        async with asyncio.timeout(60):
            await store.flushed()

    with Store(path) as store:
        asyncio.run(stopped(store))
    with Store(path) as store:
        assert [store.get(f"k{i}") for i in range(3)] == [reply(str(i)) for i in range(3)]


def test_a_damaged_row_is_taken_out_and_asked_again(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("UPDATE replies SET reply = replace(reply, 'text', 'tezt') WHERE key = ?", (KEYS[3],))
    base.execute("UPDATE replies SET reply = CAST(reply || x'00' AS BLOB) WHERE key = ?", (KEYS[4],))
    base.execute("UPDATE replies SET reply = (SELECT reply FROM replies WHERE key = ?) WHERE key = ?", KEYS[6:8])
    base.commit()
    base.close()
    hurt = {KEYS[3], KEYS[4], KEYS[7]}
    with Store(path, offline=True) as store:
        assert {key for key in KEYS if store.get(key) is None} == hurt and store.damaged == 3
    with Store(path) as store:
        assert {key for key in KEYS if store.get(key) is None} == hurt and len(store) == 37
        store.put_all([(key, reply("anew")) for key in hurt])
        assert all(store.get(key) == reply("anew") for key in hurt)


def test_no_bit_of_the_file_can_change_a_reply(path: Path, tmp_path: Path) -> None:
    """Wherever it falls: the reply as it was, none, or an error that names the file."""
    import numpy as np

    whole = path.read_bytes()
    hurt = tmp_path / "hurt.sqlite"
    for bit in np.random.default_rng(5).integers(0, 8 * len(whole), 150):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        hurt.write_bytes(damaged)
        try:
            with Store(hurt, offline=True) as store:
                for key in KEYS:
                    assert store.get(key) in (None, reply(f"text {key} 厨房"))
        except ModelError as error:
            assert "hurt.sqlite" in str(error) and "\n" not in str(error)


def test_what_is_no_store_and_what_is_missing_are_errors_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    for name, offline in (("text", False), ("text", True), ("nothing", True)):
        with pytest.raises(ModelError, match=name):
            Store(tmp_path / name, offline=offline).get("a")
    assert not (tmp_path / "nothing").exists()


def test_a_full_disk_is_an_error_for_everyone_who_waits_and_loses_nothing(path: Path) -> None:
    with Store(path) as store:
        pages = store._write.execute("PRAGMA page_count").fetchone()[0]
        store._write.execute(f"PRAGMA max_page_count = {pages}")

        async def many() -> list[Reply | BaseException]:
            big = reply("x" * 100_000)
            return await asyncio.gather(*(store.put(f"k{i}", big) for i in range(3)), return_exceptions=True)

        assert all(isinstance(e, ModelError) and "full" in str(e) for e in asyncio.run(many()))
        assert len(store) == 40 and store.get(KEYS[0]) is not None


KILLED = """
import asyncio, sys
from pathlib import Path
from synth4d.llm.reply import Reply
from synth4d.llm.store import Store
async def main():
    store = Store(Path(sys.argv[1]))
    async def one(i):
        await store.put(f"k{i}", Reply(status=200, text=str(i)))
        print(i, flush=True)
    for start in range(0, 10**6, 8):
        await asyncio.gather(*(one(i) for i in range(start, start + 8)))
asyncio.run(main())
"""


def test_what_a_killed_process_had_in_its_hands_is_there(tmp_path: Path) -> None:
    path = tmp_path / "killed.sqlite"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    used = [int(process.stdout.readline()) for _ in range(100)]
    process.kill()
    used += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    with Store(path) as store:
        assert all(store.get(f"k{i}") == Reply(status=200, text=str(i)) for i in used)
        assert len(store) <= len(used) + 8
