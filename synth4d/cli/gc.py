"""`synth4d gc`: make room of what this machine keeps between runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from synth4d.errors import ConfigError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Gc:
    """Remove what this machine keeps between runs and nobody uses any more: clips, fits, what killed runs left."""

    older_than: Annotated[str, arg(metavar="AGE")] = "30d"
    """What was not used for so long goes: a number with s, m, h, d or w."""
    max_gb: Annotated[float | None, arg(metavar="N")] = None
    """Of clips and fits no more than N·10⁹ bytes stay, those used last."""
    dry_run: bool = False
    """Only say what would go."""

    def __call__(self) -> int:
        from synth4d.run import gc

        age = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhdw])", self.older_than)
        if age is None:
            raise ConfigError(f"--older-than {self.older_than!r}: must be a number with s, m, h, d or w, e.g. 30d")
        if self.max_gb is not None and not 0 <= self.max_gb <= 1e6:
            raise ConfigError(f"--max-gb {self.max_gb}: must be 0 to 1000000")
        most = None if self.max_gb is None else int(self.max_gb * 1e9)
        found = gc.collect(float(age[1]) * SECONDS[age[2]], most, self.dry_run)
        for row in found:
            held = f" ({row.held} in use stay)" if row.held else ""
            print(f"{row.name:<15} {row.removed} of {row.count}, {_mb(row.freed)} of {_mb(row.bytes)}{held}")
        print(f"{'would free' if self.dry_run else 'freed'} {_mb(sum(row.freed for row in found))}")
        return 0


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
