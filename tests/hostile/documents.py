"""YAML of scenes, annotations and runs that is hostile or no scene at all."""

from __future__ import annotations

CANARY = "canary"
YAMLS: dict[str, tuple[str | bytes, str]] = {
    "yaml alias": ("a: &x [1]\nb: *x\n", ":1: anchors"),
    "yaml billion laughs": (
        "a: &a [x]\n" + "".join(f"{b}: &{b} [{f'*{a}, ' * 9}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        ":1: anchors",
    ),
    "yaml call": (f"a: 1\nseed: !!python/object/apply:os.system ['touch {CANARY}']\n", ":2: tag"),
    "yaml new": (f"!!python/object/new:os.system ['touch {CANARY}']\n", ":1: tag"),
    "yaml name": ("seed: !!python/name:os.system\n", ":1: tag"),
    "yaml tag": ("scene: !thing toy\n", ":1: tag"),
    "yaml twice": ("scene: toy\nscene: toy\n", ":2: key 'scene' is given twice"),
    "yaml deep": ("[" * 200 + "]" * 200, "nested deeper"),
    "yaml unclosed": ("scene: [unclosed\n", ":2: not YAML"),
    "yaml brackets": ("[" * 5000, "nested deeper"),
    "yaml tab": ("\t- x", ":1"),
    "yaml words": ("just words", "map"),
    "yaml empty": ("", ""),
    "yaml digits": ("seed: " + "9" * 5000, ""),
    "yaml zero byte": ("a: \x00", "not YAML"),
    "yaml bytes": (b"\xff\xfe\x00seed", "not UTF-8"),
    "yaml key": ("? [a, b]\n: 1\n", "a key must be a word"),
    "yaml huge": ("x: 1\n" * 400_000, "at most 1048576"),
    "yaml NaN": ("fps: .nan\nlight: {ambient: [.nan, 0, 0]}\n", ""),
    "yaml merge": ("a: {b: 1}\n<<: {c: 2}\n", ""),
}
"""What is no scene, no annotation and no run config: its text, and what is said after the file's name."""

SCENES: dict[str, tuple[str, str, str]] = {
    "scene out of its folder": ("model: room.xml", "model: ../../outside.xml", "outside"),
    "scene system file": ("model: room.xml", "model: /etc/passwd", "pkg://"),
    "scene url": ("model: room.xml", "model: https://127.0.0.1:9/x.xml", "pkg://"),
    "scene package": ("model: room.xml", "model: pkg://no_such_package/x.xml", "pip install"),
    "scene package out": ("model: room.xml", "model: pkg://mujoco/../../x.xml", "outside"),
    "scene link": ("model: room.xml", "model: link.xml", "outside"),
    "scene link of a folder": ("model: room.xml", "model: away/room.xml", "outside"),
    "scene name": ("scene: toy", "scene: '../toy'", "scene"),
    "scene pinned": ("model: room.xml", f"model: room.xml\n    sha256: {'ab' * 32}", "pins"),
    "scene infinite": ("[-1.05, -1.6, 0.6]", "[-1.05, .inf, 0.6]", "room_low"),
}
"""Text of the toy scene, its replacement, what is said."""
