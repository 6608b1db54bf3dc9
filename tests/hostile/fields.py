"""Runs of `ns-train` that are hostile, cut or foreign."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from nerf_maker import (
    SMALL,
    ckpt,
    edit,
    field_arrays,
    mapping,
    name,
    number,
    small_field,
    tensor,
    text,
    tuple_of,
    write_checkpoint,
    write_run,
    zip_bytes,
)

CANARY = "canary"
"""A file that every hostile input here tries to make in the working folder."""


def nerfacto(folder: Path) -> Path:
    """A sound run, to be spoiled."""
    return edit(write_run(folder / "run", "nerfacto", field_arrays(small_field())), **SMALL)


Spoil = Callable[[Path], object]


def pickled(folder: Path, pickle: bytes) -> None:
    write_checkpoint(ckpt(folder), {"_model.x": np.zeros(4, np.float32)}, b"\x80\x02" + pickle + b".")


def shaped(folder: Path, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    arrays = field_arrays(small_field())
    names = {k: tensor(str(i), v.shape) for i, (k, v) in enumerate(arrays.items())}
    names["_model.field.aabb"] = tensor("0", shape, strides)
    write_checkpoint(ckpt(folder), arrays, b"\x80\x02" + mapping({"pipeline": mapping(names)}) + b".")


def flipped(folder: Path) -> None:
    table = small_field().base.grid.table.tobytes()
    ckpt(folder).write_bytes(ckpt(folder).read_bytes().replace(table[:64], b"\0" * 64))


def linked(path: Path) -> None:
    real = path.with_suffix(".real")
    path.rename(real)
    path.symlink_to(real)


def yaml(more: str) -> Spoil:
    return lambda folder: says(folder, lambda s: s + more)


def says(folder: Path, change: Callable[[str], str]) -> None:
    path = folder / "config.yml"
    path.write_text(change(path.read_text()))


def method(new: str) -> Spoil:
    return lambda folder: says(folder, lambda s: s.replace("nerfstudio.models.nerfacto.Nerfacto", new))


def pickle(raw: bytes) -> Spoil:
    return lambda folder: pickled(folder, raw)


def weight(key: str, value: np.ndarray) -> Spoil:
    return lambda folder: write_checkpoint(ckpt(folder), field_arrays(small_field()) | {f"_model.field.{key}": value})


def transform(content: str) -> Spoil:
    return lambda folder: (folder / "dataparser_transforms.json").write_text(content)


def bytes_of(content: bytes) -> Spoil:
    return lambda folder: ckpt(folder).write_bytes(content)


BOMB = "a: &a [x]\n" + "".join(f"{b}: &{b} [{f'*{a}, ' * 9}]\n" for a, b in pairwise("abcdefghijklmnopqrstuvw"))
NESTED = b")" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60))
"""A tuple of twice itself, sixty times over: hashing it as a key would take 2^60 steps."""
SYSTEM = name("os", "system") + tuple_of(text(f"touch {CANARY}")) + b"R"
NAN = np.where(np.arange(6144)[:, None] == 77, np.nan, np.ones((1, 2))).astype(np.float32)
SHEAR = json.dumps({"transform": (np.eye(4)[:3] * 2).tolist(), "scale": 1})

HOSTILE: dict[str, tuple[Spoil, str]] = {
    "yaml call": (yaml(f"x: !!python/object/apply:os.system ['touch {CANARY}']\n"), r"yml:230: .*os\.system"),
    "yaml object": (yaml("x: !!python/object:subprocess.Popen {args: ls}\n"), r":230: tag !!python/object:subpro"),
    "yaml new": (yaml(f"x: !!python/object/new:os.system ['touch {CANARY}']\n"), r":230: tag"),
    "yaml module": (yaml("x: !!python/module:antigravity ''\n"), r":230: tag"),
    "yaml getitem": (yaml("x: !!python/object/apply:_operator.getitem [{a: 1}, a]\n"), r"getitem"),
    "yaml cycle": (yaml("x: &x [*x]\n"), r":230: refers to itself"),
    "yaml aliases of aliases": (yaml(BOMB), "ok"),
    "yaml depth": (yaml("x: " + "[" * 5000), r"deeper than 24"),
    "yaml size": (yaml("# " + "x" * 200_000), r"at most 65536"),
    "yaml text": (lambda f: (f / "config.yml").write_bytes(b"\xff\xfe\x00"), r"not UTF-8"),
    "no settings": (lambda f: (f / "config.yml").write_text("3\n"), r"no settings"),
    "other method": (method("nerfstudio.models.tensorf.TensoRF"), r"--trust"),
    "someone's method": (method("evil.models.Nerfacto"), r"tag !!python/object:evil.*--trust"),
    "setting of another type": (lambda f: edit(f, num_levels="[1]"), r"num_levels must be a whole number"),
    "setting that does not fit": (lambda f: edit(f, num_levels=5), r"field: base"),
    "pickle call": (pickle(SYSTEM), r"byte \d+: asks for os\.system"),
    "pickle of builtins": (pickle(name("builtins", "eval") + tuple_of(text("1")) + b"R"), r"builtins\.eval"),
    "pickle in protocol 0": (pickle(b"(S'touch'\nios\nsystem\n"), r"opcode STRING"),
    "pickle builds": (pickle(name("torch", "FloatStorage") + b"}b"), r"sets attributes"),
    "pickle that does not stop": (lambda f: write_checkpoint(ckpt(f), {}, b"\x80\x02]"), r"data\.pkl"),
    "pickle memo": (pickle(b"]r" + struct.pack("<I", 1 << 31) + b"0"), r"opcode POP"),
    "pickle key": (pickle(b"}" + NESTED + b"Ns"), r"a key is a tuple"),
    "pickle size": (pickle(b"N" * 2_000_000), r"at most 524288"),
    "tensor beyond its storage": (lambda f: shaped(f, (1 << 30, 3), (3, 1)), r"aabb .*its storage has"),
    "tensor of one value": (lambda f: shaped(f, (1 << 30, 3), (0, 0)), r"aabb .*its storage has"),
    "tensor of negative shape": (lambda f: shaped(f, (-2, 3), (3, 1)), r"a tensor of shape"),
    "cut": (lambda f: ckpt(f).write_bytes(ckpt(f).read_bytes()[:-2000]), r"zip can't be read"),
    "flipped": (flipped, r"damaged"),
    "no zip": (bytes_of(b"\x80\x02}q."), r"is no zip"),
    "many members": (bytes_of(zip_bytes({f"a/{i}": b"" for i in range(30_000)})), r"more than 20000 members"),
    "no pipeline": (pickle(mapping({"step": number(1)})), r"holds no 'pipeline'"),
    "not a number": (weight("mlp_base.model.0.hash_table", NAN), r"hash_table holds numbers that are not finite"),
    "layer of another width": (weight("mlp_head.layers.1.weight", np.ones((19, 23), np.float32)), r"field: colour"),
    "empty layer": (weight("mlp_head.layers.1.weight", np.ones((0, 24), np.float32)), r"shape \(0, 24\)"),
    "tiny-cuda-nn": (weight("mlp_base.tcnn_encoding.params", np.ones(9, np.float32)), r"implementation torch"),
    "checkpoint is a link": (lambda f: linked(ckpt(f)), r"is a link"),
    "config is a link": (lambda f: linked(f / "config.yml"), r"is a link"),
    "no checkpoint": (lambda f: ckpt(f).unlink(), r"no step-"),
    "no models": (lambda f: shutil.rmtree(f / "nerfstudio_models"), r"no folder nerfstudio_models"),
    "no transform": (lambda f: (f / "dataparser_transforms.json").unlink(), r"transforms\.json: is missing"),
    "transform that scales": (transform(SHEAR), r"must be a rotation"),
    "transform without scale": (transform("{}"), r"'transform' and 'scale'"),
    "transform nested": (transform("[" * 60_000), r"transform"),
}
