"""The tools that read a dataset say of one beneath a URL what they say of its folder, from the bytes that lie there."""

from __future__ import annotations

import tempfile
from pathlib import Path

import http_store
import pytest

from synth4d import cli, dataset
from synth4d.records import DatasetRecord

pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")
Capture = pytest.CaptureFixture[str]
TOOLS = (
    ["verify"],
    ["stats"],
    ["stats", "--blind", "text"],
    ["digest"],
    ["leaks"],
    ["filter"],
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def said(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = cli.run(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("tool", TOOLS, ids=" ".join)
def test_a_tool_says_of_a_url_what_it_says_of_the_folder(
    tool: list[str], toy_dataset: Path, temporary: Path, capsys: Capture
) -> None:
    with http_store.serve(toy_dataset) as store:
        code, out, err = said(capsys, tool[0], store.url, *tool[1:])
    assert (code, out) == said(capsys, tool[0], str(toy_dataset), *tool[1:])[:2]
    assert code == 0 and err == ("note: over http no one can see what else lies there\n" if tool == ["verify"] else "")
    assert not list(temporary.iterdir())


def test_verify_proves_what_lies_there_and_names_it(toy_dataset: Path, temporary: Path, capsys: Capture) -> None:
    with http_store.serve(toy_dataset) as store:
        store.faults += ["cut", "503", "flip"]
        assert said(capsys, "verify", store.url, "--shallow")[0] == 0
        store.faults += ["flip", "short"]
        code, out, err = said(capsys, "verify", store.url, "--shallow")
        note, problem = err.splitlines()
        assert code == 1 and "1 problems" in out and "note: " in note
        first = dataset.read_manifest(toy_dataset)[0].name
        assert problem.startswith(f"problem: {store.url}/{first} came with another sha256")
        with dataset.opened(store.url) as where:
            for row in dataset.read_manifest(where):
                assert [sample.key for sample in dataset.read_shard(where, row)] == row.keys
                assert not list((where / "x").parent.glob("*.tar"))  # one shard's room is enough
        code, _, err = said(capsys, "verify", f"{store.url}/nothing")
        assert code == 1 and err.startswith(f"error: {store.url}/nothing/dataset.json is not there")
    assert not list(temporary.iterdir())


def test_verify_in_a_bucket_sees_what_is_too_much_and_too_little(
    toy_dataset: Path, s3_url: str, capsys: Capture
) -> None:
    pytest.importorskip("s3fs", reason="the extra `remote` is not installed")
    import fsspec

    s3 = fsspec.filesystem("s3", use_listings_cache=False)
    for path in toy_dataset.iterdir():
        s3.put_file(str(path), f"{s3_url}/{path.name}")
    fsspec.filesystem("s3").invalidate_cache()
    code, out, err = said(capsys, "verify", s3_url)
    assert code == 0 and out.startswith("whole: ") and err == ""
    assert said(capsys, "stats", s3_url) == said(capsys, "stats", str(toy_dataset))
    names = DatasetRecord.model_validate_json((toy_dataset / "dataset.json").read_bytes()).splits["train"]
    s3.pipe_file(f"{s3_url}/train-000009.tar", b"")
    s3.rm_file(f"{s3_url}/{names[0]}")
    fsspec.filesystem("s3").invalidate_cache()
    code, _, err = said(capsys, "verify", s3_url, "--shallow")
    assert code == 1
    assert f"problem: {s3_url}/train-000009.tar: no manifest row names it\n" in err
    assert f"problem: {s3_url}/{names[0]} is not there" in err


@pytest.mark.parametrize("command", [["browse", "s3://b/c"], ["ask", "http://127.0.0.1/c", "--batch-out", "f"]])
def test_what_needs_a_folder_refuses_a_url(command: list[str], capsys: Capture) -> None:
    code, _, err = said(capsys, *command)
    assert (
        code == 2
        and err == f"error: {command[0]} needs a folder on this machine, not {command[1]}; fetch the dataset first\n"
    )
