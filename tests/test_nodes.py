"""A cluster of several nodes that is not ours: it is joined, one node dies amid the run, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import HERE, PATH, check_whole, process, record, wait_for

pytestmark = pytest.mark.usefixtures("same_code")
NODES = f"""
import os, sys, tempfile
os.makedirs("/tmp/ray", exist_ok=True)  # where ray notes the latest cluster, whatever its folder
sys.path[:0] = {PATH.split(os.pathsep)!r}
from ray.cluster_utils import Cluster
folder = tempfile.mkdtemp(prefix="n-", dir="/tmp")
cluster = Cluster(initialize_head=True, head_node_args={{"num_cpus": 0, "temp_dir": folder}})
nodes = [cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=2)]
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "kill":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("killed", flush=True)
cluster.shutdown()
import shutil; shutil.rmtree(folder, ignore_errors=True)
"""
"""Run as a process of its own: what it starts ends with it, and this one's Ray is not touched."""


def test_a_node_dies_amid_a_run_on_three_and_the_digest_is_that_of_one(tmp_path: Path) -> None:
    shots = 40
    env = os.environ | {"PYTHONPATH": PATH, "RAY_USAGE_STATS_ENABLED": "0"}
    undisturbed = process(tmp_path / "alone", 0, shots=shots)
    cluster = subprocess.Popen(
        [sys.executable, "-c", NODES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=env, cwd=HERE,
    )  # fmt: skip
    assert cluster.stdin is not None and cluster.stdout is not None
    try:
        address = cluster.stdout.readline().strip()
        assert address, cluster.communicate()
        run = process(tmp_path / "out", address, seconds=0.3, shots=shots)
        wait_for(lambda: len(list((tmp_path / "out").glob(".work/*/*"))) > 4, run)
        cluster.stdin.write("kill\n")
        cluster.stdin.flush()
        assert cluster.stdout.readline().strip() == "killed"
        _, stderr = run.communicate(timeout=240)
    finally:
        cluster.stdin.close()
        cluster.wait(60)
    assert run.returncode == 0, stderr
    check_whole(tmp_path / "out")
    undisturbed.communicate()
    assert record(tmp_path / "out").digest == record(tmp_path / "alone").digest
