"""Boxes: whole or not there."""

from __future__ import annotations

from pathlib import Path

from synth4d.run import box


def test_a_box_comes_back_as_it_was_put_and_any_changed_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.box"
    parts = {"empty": b"", "lines": b"a\nb\n", "zeros": bytes(50)}
    box.write(path, {"plan": "x"}, parts)
    assert box.read(path) == ({"plan": "x"}, parts)
    raw = path.read_bytes()
    for i in range(len(raw)):
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 4]) + raw[i + 1 :])
        assert box.read(path) is None
        path.write_bytes(raw[:i])
        assert box.read(path) is None
