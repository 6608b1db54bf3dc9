"""Where jobs run: Ray tasks, or this process. The only module that imports ray.

Ray is a guest here: an own local cluster unless an address is given, an own short temporary folder that is
swept at exit, no dashboard, a small object store (paths travel, not frames), and no retries of its own: its
memory monitor would otherwise retry for ever.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import time
from collections import deque
from typing import Any, Protocol

from synth4d import machine
from synth4d.errors import ConfigError, SynthError
from synth4d.run import session
from synth4d.run.bounds import at_work
from synth4d.run.work import Job, Result, one_line, perform

OBJECT_STORE_BYTES = 80 << 20
"""Ray's least is 75 MiB; only jobs and results of a few kB pass through it."""
REACH_SECONDS = 10.0
GRACE_SECONDS, LOOK_SECONDS = 10.0, 2.0
"""Beyond its time, a shot whose worker has not ended itself is given so long; how often we look for such."""
GUEST = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_task_oom_retries": "0",
}


class Pool(Protocol):
    """Takes jobs, gives back results in any order."""

    width: int
    """How many jobs may be under way at once."""

    def submit(self, job: Job) -> None: ...
    def next(self, seconds: float) -> Result | None:
        """A finished job, or None after that time."""

    def close(self) -> None: ...


class Here:
    """All jobs in this process, one after another; no limits on time and memory. For debugging."""

    width = 1

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def next(self, seconds: float) -> Result | None:
        return perform(self._jobs.popleft(), bounded=False) if self._jobs else None

    def close(self) -> None:
        self._jobs.clear()


class Cluster:
    """Jobs as Ray tasks of one CPU each; those that draw on a GPU share all there are."""

    _ray: Any = None

    def __init__(self, workers: int, address: str | None, secret: str = "") -> None:
        self._running: dict[Any, Job] = {}
        self._begun: dict[Any, float] = {}
        self._looked = 0.0
        self._temporary = session.own_folder() if address is None else None
        try:
            with _without(secret):
                workers = self._start(workers, address)
        except BaseException:
            self.close()
            raise
        self.width = 2 * workers
        self._task = self._ray.remote(num_cpus=1, max_retries=0)(perform)
        # Ray hides every GPU from a task that does not ask for one.
        gpus = float(self._ray.cluster_resources().get("GPU", 0))
        self._drawn_on_gpu = self._task.options(num_gpus=min(1.0, int(1e4 * gpus / workers) / 1e4))

    def _start(self, workers: int, address: str | None) -> int:
        """Start or join a cluster; how many CPUs it has for us."""
        # Ray's core reads RAY_AUTH_MODE once, when it is imported.
        token = {} if "ray" in sys.modules else {"RAY_AUTH_MODE": "token"}
        with _environment(machine.SAME | GUEST | token | {session.MARK: str(self._temporary)}):
            self._ray = _import_ray()
            common = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
            if address is None:
                own = {
                    "num_cpus": workers,
                    "include_dashboard": False,
                    "object_store_memory": OBJECT_STORE_BYTES,
                    "_temp_dir": str(self._temporary),
                }
                try:
                    self._ray.init(address="local", **own, **common)
                except Exception as e:  # Ray raises bare Exceptions here
                    raise SynthError(
                        f"Ray can't start in {self._temporary} ({one_line(e)[:160]}); is its disk full? "
                        "Set TMPDIR, or use --workers 0"
                    ) from None
            else:
                _reach(address)
                self._ray.init(address=address, runtime_env={"env_vars": machine.SAME}, **common)
                workers = int(self._ray.cluster_resources().get("CPU", 1))
        return max(1, workers)

    def submit(self, job: Job) -> None:
        job.overdue.unlink(missing_ok=True)  # of an earlier try
        task = self._drawn_on_gpu if job.shot.renderer == "splat-cuda" else self._task
        self._running[task.remote(job)] = job

    def next(self, seconds: float) -> Result | None:
        if not self._running:
            return None
        try:
            ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        except SystemError as e:  # how Ray's core passes on what a signal handler raised within it
            raise (e.__cause__ or e) from None
        if not ready:
            return self._overdue()
        job = self._running.pop(ready[0])
        self._begun.pop(ready[0], None)
        errors = self._ray.exceptions
        try:
            result: Result = self._ray.get(ready[0])
            return result
        except errors.LocalRayletDiedError:
            raise SynthError("Ray's node process died; run the same command again, it goes on where it was") from None
        except errors.RayTaskError as e:
            # `perform` itself never raises: the code or the job could not be loaded there.
            raise SynthError(f"the workers can't run this code: {one_line(e.cause)[:200]}") from None
        except errors.RayError as e:
            return Result(job.shot.key, "died", _why_died(job, e))

    def _overdue(self) -> Result | None:
        """Give up a job whose worker is far beyond its time and can't end itself: one that was stopped runs no
        watchdog. What it may still leave is the same bytes as a later try's."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        for task, job in self._running.items():
            found = at_work(job.overdue)
            if found is None:
                continue
            limit = job.config.limits.shot_seconds
            if now - self._begun.setdefault(task, now) < limit + GRACE_SECONDS:
                continue
            if self._temporary is not None and found[0] in session.pids_of(self._temporary):
                os.kill(found[0], 9)
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(task, force=True)
            del self._running[task], self._begun[task]
            return Result(job.shot.key, "died", f"took longer than {limit} s and stood still (limits.shot_seconds)")
        return None

    def close(self) -> None:
        """End every worker, whatever it is doing, and leave nothing behind."""
        self._running.clear()
        if self._ray is not None:
            with contextlib.suppress(Exception):
                self._ray.shutdown()
        if self._temporary is not None:
            session.remove(self._temporary)


def open_pool(workers: int, address: str | None, secret: str = "") -> Pool:
    """Workers of an own local cluster (0: this process), or all CPUs of the cluster at an address.

    `secret` names a variable of the environment that no worker gets.
    """
    if address is None and workers == 0:
        machine.settle()
        if not machine.settled():
            print(
                "warning: numpy was imported with this processor's own paths, so last bits may differ from those of "
                "`synth4d dataset`; call synth4d.machine.settle() before numpy is imported",
                file=sys.stderr,
            )
        return Here()
    return Cluster(workers, address, secret)


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as e:
        raise SynthError(f"ray can't be imported ({e}); run `make setup`, or use --workers 0") from None
    return ray


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Any:
    """Set variables for the processes started within; what the user has set himself for Ray stays."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({k: v for k, v in values.items() if k in machine.SAME or k not in os.environ})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _without(name: str) -> Any:
    """Keep a variable from the processes started within."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


def _why_died(job: Job, error: BaseException) -> str:
    found = at_work(job.overdue)
    if found is not None and found[1]:
        return f"took longer than {job.config.limits.shot_seconds} s (limits.shot_seconds)"
    if type(error).__name__ == "OutOfMemoryError":
        return "the machine ran out of memory; use fewer --workers"
    return f"its worker died ({type(error).__name__})"


def _reach(address: str) -> None:
    """Fail in seconds, not minutes, where nobody listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdigit():
        raise ConfigError(f"--ray-address {address!r}: must be host:port, ray://host:port or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()
    except OSError as e:
        raise SynthError(f"--ray-address {address}: nobody answers there ({e.strerror or e})") from None
