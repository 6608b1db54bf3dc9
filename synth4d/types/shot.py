"""The unit of work, and what it ends as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ShotKind = Literal["dynamic", "static", "control", "twin"]


@dataclass(frozen=True, slots=True)
class Shot:
    """The unit of work, retry and resume. All of it follows from the plan; nothing is drawn later
    except from seeds derived by hash of (run seed, scene, shot, purpose)."""

    key: str
    """`[a-z0-9_-]+`, generated from plan position and seed, never from a name."""
    index: int
    scene: str
    kind: ShotKind
    run_seed: int
    layout: int
    """Number of the layout seed; a twin shares it with its sibling."""
    split: str
    frames: int
    fps: float
    width: int
    height: int
    renderer: str = "splat"
    view: str = ""
    """What tells its camera from that of other shots of its layout; empty for those that share one."""
    field: str = ""
    """Path of the radiance field that draws it, where one does."""
    twin_of: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One shot's row in a tar: member suffix (e.g. `facts.json`) to bytes."""

    key: str
    members: dict[str, bytes] = field(default_factory=dict)
