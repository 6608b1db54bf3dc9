"""Commands that hold datasets against something: digest, leaks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from synth4d.errors import ConfigError


@dataclass(frozen=True)
class Digest:
    """Print a dataset's digest; write the digests of all its fields, or compare with such a file."""

    dir: Annotated[Positional[Path], arg(metavar="DIR")]
    """A dataset's folder."""
    write: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the digests here, to be committed."""
    against: Annotated[Path | None, arg(metavar="FILE")] = None
    """Compare with the digests in this file; exit 1 with the shot, member and field that differ first."""

    def __call__(self) -> int:
        from synth4d import digests

        if self.write is not None and self.against is not None:
            raise ConfigError("--write and --against can't go together: compare first, then write")
        if self.against is not None:
            difference = digests.compare(digests.read(self.against), self.dir)
            if difference is not None:
                print(f"error: {self.dir} is not what {self.against} says: {difference}", file=sys.stderr)
                return 1
        found = digests.of(self.dir)
        if self.write is not None:
            digests.write(self.write, found)
        print(found.about["digest"])
        return 0


@dataclass(frozen=True)
class Leaks:
    """Look for layouts and questions that stand in two splits, of one dataset or of several; exit 1 where some do."""

    dirs: Annotated[Positional[tuple[Path, ...]], arg(metavar="DIR…")]
    """Datasets' folders."""

    def __call__(self) -> int:
        from synth4d import leaks

        if not self.dirs:
            raise ConfigError("leaks needs at least one dataset's folder")
        found = leaks.find(self.dirs)
        for pair in found.layouts:
            print(f"problem: the same layout in two splits: {pair}", file=sys.stderr)
        print(
            f"{len(found.layouts)} layouts and {len(found.questions)} of their questions in two splits, of "
            f"{found.samples} samples; {found.repeated} of {found.asked} questions stand in another split too, word "
            "for word with their answer, about another room"
        )
        return 1 if found.layouts else 0
