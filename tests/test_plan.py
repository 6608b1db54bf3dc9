"""A plan follows from config, scenes and code alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth4d.config import Mix, RunConfig
from synth4d.errors import ConfigError
from synth4d.run import plan
from synth4d.run.plan import SceneRef

VERSIONS = {"code": "1"}
mixes = st.builds(
    lambda d, t, s, c: Mix(dynamic=d, twin=min(t, d), static=s, control=c),
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 4), st.integers(1, 4),
)  # fmt: skip


def made(names: str = "toy", **values: object) -> plan.Plan:
    scenes = tuple(SceneRef(name, name * 3, f"/somewhere/{name}.yaml") for name in names.split(","))
    return plan.make(RunConfig(scenes=[s.path for s in scenes], **values), scenes, VERSIONS)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(mixes, st.integers(1, 3), st.integers(1, 60))
def test_twins_follow_a_dynamic_sibling_and_share_its_layout_and_split(mix: Mix, scenes: int, shots: int) -> None:
    seen = {}
    for shot in made(",".join("abc"[:scenes]), mix=mix, shots=shots):
        if shot.kind == "twin":
            assert shot.twin_of is not None
            sibling = seen.pop(shot.twin_of)  # pop: each dynamic shot has at most one twin
            assert (sibling.kind, sibling.scene) == ("dynamic", shot.scene)
            assert (sibling.layout, sibling.split) == (shot.layout, shot.split)
        else:
            assert shot.twin_of is None
            assert all(s.layout != shot.layout for s in seen.values() if s.scene == shot.scene)
        seen[shot.key] = shot


@settings(max_examples=60, deadline=None)
@given(mixes, st.integers(1, 5))
def test_a_round_has_each_kind_as_often_as_the_mix_says(mix: Mix, rounds: int) -> None:
    size = sum(mix.model_dump().values())
    kinds = Counter(s.kind for s in made(mix=mix, shots=size * rounds))
    assert kinds == Counter({k: n * rounds for k, n in mix.model_dump().items() if n})


def test_keys_are_safe_unique_and_never_merge() -> None:
    shots = list(made("kitchen.v2,kitchen v2,厨房,🍲,../x,-rf,KITCHEN.V2", shots=70))
    assert all(plan.KEY.match(s.key) and "." not in s.key for s in shots)
    assert len({s.key.lower() for s in shots}) == 70


def test_a_longer_run_begins_with_the_shots_of_a_shorter_one() -> None:
    assert list(made(shots=40))[:16] == list(made(shots=16))


def test_any_position_is_known_without_those_before_it() -> None:
    long = made(shots=5_000_000)
    assert long.shot(4_999_999).index == 4_999_999
    assert [long.shot(i) for i in range(20)] == list(made(shots=20))


def test_splits_come_near_their_shares() -> None:
    counts = Counter(s.split for s in made(shots=4000))
    assert abs(counts["train"] / 4000 - 0.8) < 0.04 and abs(counts["val"] / 4000 - 0.1) < 0.03


def test_the_digest_follows_what_shapes_bytes_and_nothing_else() -> None:
    base = made()
    assert made().digest == base.digest
    assert made(limits={"shot_seconds": 5}).digest == base.digest
    moved = plan.make(base.config, (SceneRef("toy", "toytoytoy", "/elsewhere/toy.yaml"),), VERSIONS)
    assert moved.digest == base.digest
    others = [
        made(seed=1), made(shots=17), made("kitchen"), made(questions=3), made(mix=Mix(twin=1)),
        plan.make(base.config, (SceneRef("toy", "changed", ""),), VERSIONS),
        plan.make(base.config, base.scenes, {"code": "2"}),
    ]  # fmt: skip
    assert len({p.digest for p in [base, *others]}) == len(others) + 1


def test_the_code_version_is_one_whatever_the_environment() -> None:
    code = "from synth4d.run import plan; print(plan.code_versions())"
    env = os.environ | {"PYTHONHASHSEED": "7", "LANG": "C", "TZ": "Asia/Tokyo"}
    plan._code_digest.cache_clear()
    other = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(plan.code_versions())


def test_the_same_scene_twice_and_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        made("toy,toy")
    with pytest.raises(ConfigError, match="no scene"):
        plan.make(RunConfig(), (), VERSIONS)
