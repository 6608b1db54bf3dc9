"""Shared by all tests: one small real dataset and one of stand-ins, each made once a session."""

from __future__ import annotations

from synth4d import machine

machine.settle()  # before numpy is imported, as `synth4d` does: the tests compare its bytes with ours

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import clips
import fake_work
import pytest
from clips import KEYS
from runs import check_whole, here

from synth4d import config, run
from synth4d.run import plan

# Before any test imports torch: its threads must not spin while others work (nerf/studio.py).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
PIPELINES = Path(__file__).parents[1] / "pipelines"
TINY = ("shots=3", "questions=12", "mix={dynamic: 1, twin: 1, control: 1, static: 0}")


@pytest.fixture(scope="session", autouse=True)
def sessions_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing that another test, or whoever runs them, has kept is taken: every test makes its own clips."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{zlib.crc32(request.node.nodeid.encode()):08x}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield


@pytest.fixture(scope="session")
def toy_config() -> config.RunConfig:
    """Three small shots of the small room: dynamic, twin, control."""
    return config.load(PIPELINES / "smoke.yaml", {}, TINY)


@pytest.fixture(scope="session")
def toy_dataset(tmp_path_factory: pytest.TempPathFactory, toy_config: config.RunConfig) -> Path:
    """A dataset through all real stages, in this process; its clips are kept in `kept` beside it. Read it; copy it
    before changing anything."""
    out = tmp_path_factory.mktemp("toy") / "dataset"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(out.parent / "kept"))
        end = run.dataset(toy_config, out, workers=0, quiet=True)
    assert end.exit_code == 0, (out / "quarantine.jsonl").read_text()
    return out


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of an undisturbed run with the stand-in for the stages."""
    out = tmp_path_factory.mktemp("golden") / "out"
    end = here(out)
    check_whole(out)
    return end.record.digest


@pytest.fixture
def same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As run_fake.py does: someone may edit the code while its tests run."""
    monkeypatch.setattr(plan, "code_versions", fake_work.versions)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """31 small samples in three train shards, two in a test shard."""
    folder = tmp_path_factory.mktemp("plain")
    cuts = {"train-000000.tar": KEYS[:4], "train-000001.tar": KEYS[4:20], "train-000002.tar": KEYS[20:]}
    shards = {name: [clips.plain(key) for key in keys] for name, keys in cuts.items()}
    clips.dataset(folder, shards | {"test-000000.tar": [clips.plain("zz-0"), clips.plain("zz-1")]})
    return folder


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server on loopback; its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A new bucket; the environment leads there, for this process and its children."""
    import fsspec

    values = {"AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in (values | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{abs(hash(request.node.nodeid)) % 10**9}"
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/set"
