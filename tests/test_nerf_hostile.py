"""Runs of `ns-train` that are hostile, cut or foreign: refused in a line, and nothing of theirs is run."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile.fields import CANARY, HOSTILE, nerfacto
from nerf_maker import ckpt, gaussians, write_run, zip_bytes

from synth4d.errors import SceneError
from synth4d.nerf import checkpoint
from synth4d.nerf.nerfstudio import read_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return nerfacto(tmp_path)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_not_sound_is_refused_and_never_run(case: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    spoil, reason = HOSTILE[case]
    spoil(run)
    if reason == "ok":
        read_run(run)
    else:
        with pytest.raises(SceneError, match=reason) as caught:
            read_run(run)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert not (run.parent / CANARY).exists() and not (run / CANARY).exists()


def test_gaussians_that_are_not_sound_are_refused(tmp_path: Path) -> None:
    for k, (key, value, reason) in enumerate([
        ("means", np.ones((50, 2), np.float32), r"means is of shape"),
        ("features_rest", np.ones((50, 4, 3), np.float32), r"features_rest is of shape"),
        ("quats", np.zeros((50, 4), np.float32), r"rot"),
        ("scales", np.full((50, 3), 99, np.float32), r"scale"),
    ]):  # fmt: skip
        arrays = gaussians() | {f"_model.gauss_params.{key}": value}
        with pytest.raises(SceneError, match=reason):
            read_run(write_run(tmp_path / str(k), "splatfacto", arrays))


def test_damage_anywhere_is_a_clear_error(run: Path) -> None:
    """The file cut anywhere is refused; any byte of the pickle changed under a sound checksum is read or refused."""
    whole = ckpt(run).read_bytes()
    rng = np.random.default_rng(0)
    for end in rng.integers(0, len(whole), 20):
        ckpt(run).write_bytes(whole[:end])
        with pytest.raises(SceneError):
            checkpoint.state(ckpt(run))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {m: archive.read(m) for m in archive.namelist()}
    refused = 0
    for at in rng.integers(0, len(members["a/data.pkl"]), 150):
        pickle = bytearray(members["a/data.pkl"])
        pickle[at] = rng.integers(256)
        ckpt(run).write_bytes(zip_bytes(members | {"a/data.pkl": bytes(pickle)}))
        try:
            checkpoint.arrays(ckpt(run), checkpoint.state(ckpt(run)))
        except SceneError:
            refused += 1
    assert refused > 30
