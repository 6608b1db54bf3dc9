"""Small radiance fields, and folders as `ns-train` leaves them, made without torch."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from synth4d.nerf.field import Density, Field, HashGrid, Mlp
from synth4d.nerf.nerfacto import resolutions

GOLDEN = Path(__file__).parent / "golden"


def mlp(rng: np.random.Generator, *widths: int) -> Mlp:
    pairs = list(pairwise(widths))
    weights = tuple((rng.normal(size=(b, a)) * 1.4 / np.sqrt(a)).astype(np.float32) for a, b in pairs)
    return Mlp(weights, tuple((rng.normal(size=b) * 0.1).astype(np.float32) for _, b in pairs))


def grid(rng: np.random.Generator, levels: int, most: int, log2: int, features: int = 2) -> HashGrid:
    table = rng.uniform(-1, 1, (levels << log2, features)).astype(np.float32)
    return HashGrid(table, resolutions(levels, 16, most))


def random_field(
    rng: np.random.Generator,
    samples: tuple[int, ...] = (32, 16, 12),
    features: int = 2,
    classes: int = 5,
    appearance: int = 4,
    **changes: Any,
) -> Field:
    """A field of random weights: noise everywhere, so that every sample counts."""
    values: dict[str, Any] = dict(
        base=Density(grid(rng, 6, 256, 10, features), mlp(rng, 6 * features, 32, 16)),
        colour=mlp(rng, 16 + 15 + appearance, 24, 19, 3),
        semantics=mlp(rng, 15, 20, classes) if classes else None,
        ids=np.arange(10, 10 + classes).astype(np.uint16),
        appearance=rng.normal(size=appearance).astype(np.float32),
        proposals=tuple(Density(grid(rng, 5, 64 << k, 9), mlp(rng, 10, 16, 1)) for k in range(len(samples) - 1)),
        samples=samples, uniform=False, near=0.0, far=20.0, contracts=True, init_density=1.0, background=None,
        aabb=np.array([[-1, -1, -1], [1.5, 1, 1]], np.float32), T_world_model=np.eye(4), scale=1.0,
    )  # fmt: skip
    return Field(**values | changes)


def solid_field(**changes: Any) -> Field:
    """A coloured floor and a ball on it in the box ±1, as a voxel grid: one level, features (log density, r, g, b)."""
    side, log2 = 32, 19
    at = np.stack(np.meshgrid(*[np.arange(side + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    p = at / side * 2 - 1
    inside = np.minimum(np.sqrt((p**2).sum(axis=1)) - 0.5, p[:, 2] + 0.6)  # signed distance
    rows = (at[:, 0] ^ at[:, 1] * 2654435761 ^ at[:, 2] * 805459861) % (1 << log2)
    table = np.zeros((1 << log2, 4), np.float32)
    table[:, 0] = -12
    order = np.argsort(inside, kind="stable")  # where rows collide, air stays
    table[rows[order], 0] = np.clip(5 - 200 * inside[order], -12, 6)
    table[rows[order], 1:] = np.sin(p[order] * 5)
    eye = np.eye(4, dtype=np.float32)
    colour = np.zeros((3, 16 + 3), np.float32)
    colour[:, 16:] = np.eye(3) * 2
    zero = np.zeros
    base = Density(HashGrid(table, np.array([side], np.float32)), Mlp((eye,), (zero(4, np.float32),)))
    smeared = Density(base.grid, Mlp((eye[:1] * 0.5,), (zero(1, np.float32),)))
    values: dict[str, Any] = dict(
        base=base, proposals=(smeared,), samples=(64, 32), colour=Mlp((colour,), (zero(3, np.float32),)),
        semantics=Mlp((np.array([[1, 0, 0], [-1, 0, 0]], np.float32),), (zero(2, np.float32),)),
        ids=np.array([3, 7], np.uint16), appearance=zero(0, np.float32), uniform=True, near=0.0, far=5.0,
        contracts=False, init_density=1.0, background=(0.2, 0.3, 0.4), T_world_model=np.eye(4), scale=1.0,
        aabb=np.array([[-1, -1, -1], [1, 1, 1]], np.float32),
    )  # fmt: skip
    return Field(**values | changes)


def looking(eye: tuple[float, float, float], at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """T_world_cam (4,4), OpenCV axes, of a camera that looks from `eye` at `at`, z up."""
    z = np.subtract(at, eye) / np.linalg.norm(np.subtract(at, eye))
    x = np.cross(z, [0, 0, 1]) / np.linalg.norm(np.cross(z, [0, 0, 1]))
    T = np.eye(4)
    T[:3] = np.stack([x, np.cross(z, x), z, eye], axis=1)
    return T


# ---- Checkpoints, opcode by opcode ---------------------------------------------------------------

CALL = b"R"


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value) if -(1 << 31) <= value < 1 << 31 else b"\x8a\x08" + struct.pack("<q", value)


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def tensor(
    key: str, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, kind: str = "FloatStorage"
) -> bytes:
    steps = [int(np.prod(shape[k + 1 :])) for k in range(len(shape))] if strides is None else strides
    storage = tuple_of(text("storage"), name("torch", kind), text(key), text("cpu"), number(1)) + b"Q"
    arguments = (storage, number(0), tuple_of(*map(number, shape)), tuple_of(*map(number, steps)), b"\x89")
    hooks = name("collections", "OrderedDict") + b")" + CALL
    return name("torch._utils", "_rebuild_tensor_v2") + tuple_of(*arguments, hooks) + CALL


def mapping(items: dict[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def write_checkpoint(path: Path, arrays: dict[str, np.ndarray], pickle: bytes | None = None) -> None:
    """A zip as torch.save writes it; `pickle` in place of the sound one."""
    tensors = {k: tensor(str(i), a.shape) for i, (k, a) in enumerate(arrays.items())}
    rate = name("numpy.core.multiarray", "scalar") + tuple_of(
        name("numpy", "dtype") + tuple_of(text("f8"), b"\x89", b"\x88") + CALL,
        name("_codecs", "encode") + tuple_of(text("12345678"), text("latin1")) + CALL,
    )  # fmt: skip
    top = {"step": number(7), "pipeline": mapping(tensors), "schedulers": mapping({"lr": rate + CALL})}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle or b"\x80\x02" + mapping(top) + b".")
        for i, array in enumerate(arrays.values()):
            archive.writestr(f"a/data/{i}", np.ascontiguousarray(array).tobytes())


def layers(prefix: str, network: Mlp) -> dict[str, np.ndarray]:
    out = {}
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        out |= {f"{prefix}{k}.weight": w, f"{prefix}{k}.bias": b}
    return out


def field_arrays(field: Field) -> dict[str, np.ndarray]:
    """A nerfacto state dict of a field without semantics; three views share its appearance."""
    out = {"field.aabb": field.aabb, "field.mlp_base.model.0.hash_table": field.base.grid.table}
    out |= layers("field.mlp_base.model.1.layers.", field.base.mlp) | layers("field.mlp_head.layers.", field.colour)
    if len(field.appearance):
        out["field.embedding_appearance.embedding.weight"] = field.appearance + np.array([[-1], [0], [1]], np.float32)
    for i, net in enumerate(field.proposals):
        out[f"proposal_networks.{i}.encoding.hash_table"] = net.grid.table
        out |= layers(f"proposal_networks.{i}.mlp_base.1.layers.", net.mlp)
    return {f"_model.{k}": v for k, v in out.items()}


def write_run(
    folder: Path, method: str, arrays: dict[str, np.ndarray], transform: Any = None, scale: float = 1.0
) -> Path:
    (folder / "nerfstudio_models").mkdir(parents=True)
    (folder / "config.yml").write_text((GOLDEN / f"ns_{method}.yml").read_text())
    matrix = np.eye(4)[:3] if transform is None else np.asarray(transform)[:3]
    about = {"transform": matrix.tolist(), "scale": scale}
    (folder / "dataparser_transforms.json").write_text(json.dumps(about))
    write_checkpoint(folder / "nerfstudio_models" / "step-000000007.ckpt", arrays)
    return folder


def edit(folder: Path, **values: Any) -> Path:
    """Other values of the model's settings in config.yml, by their names."""
    path = folder / "config.yml"
    content = path.read_text()
    for key, value in values.items():
        content, count = re.subn(rf"(?m)^    {key}: .*$", f"    {key}: {value}", content)
        assert count == 1, key
    path.write_text(content)
    return folder


def zip_bytes(members: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return raw.getvalue()


SMALL = dict(
    num_levels=6, max_res=256, log2_hashmap_size=10, hidden_dim=32, num_nerf_samples_per_ray=12, far_plane=20.0,
    average_init_density=0.5,
)  # fmt: skip


def small_field() -> Field:
    """A random field in the shape of nerfacto's defaults: two proposals of 5 levels, one after the other's cells."""
    rng = np.random.default_rng(7)
    proposals = tuple(Density(grid(rng, 5, most, 9), mlp(rng, 10, 16, 1)) for most in (128, 256))
    return random_field(rng, (256, 96, 12), classes=0, init_density=0.5, proposals=proposals)


def gaussians(n: int = 50, degree: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    shapes = {"means": 3, "scales": 3, "quats": 4, "opacities": 1, "features_dc": 3}
    arrays = {k: rng.normal(size=(n, w)).astype(np.float32) for k, w in shapes.items()}
    arrays["features_rest"] = rng.normal(size=(n, (degree + 1) ** 2 - 1, 3)).astype(np.float32)
    return {f"_model.gauss_params.{k}": v for k, v in arrays.items()}


def ckpt(folder: Path) -> Path:
    return folder / "nerfstudio_models" / "step-000000007.ckpt"
