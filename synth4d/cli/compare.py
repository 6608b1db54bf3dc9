"""Commands that hold datasets against something: digest, leaks."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from synth4d.errors import ConfigError


@dataclass(frozen=True)
class Digest:
    """Print a dataset's digest; write the digests of all its fields, or compare with such a file."""

    dir: Annotated[Positional[str], arg(metavar="DIR|URL")]
    """A dataset's folder, or the URL it lies beneath."""
    write: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the digests here, to be committed."""
    against: Annotated[Path | None, arg(metavar="FILE")] = None
    """Compare with the digests in this file; exit 1 with the shot, member and field that differ first."""

    def __call__(self) -> int:
        from synth4d import dataset, digests

        if self.write is not None and self.against is not None:
            raise ConfigError("--write and --against can't go together: compare first, then write")
        with dataset.opened(self.dir, keep=self.against is not None) as where:
            if self.against is not None:
                difference = digests.compare(digests.read(self.against), where)
                if difference is not None:
                    print(f"error: {self.dir} is not what {self.against} says: {difference}", file=sys.stderr)
                    return 1
            found = digests.of(where)
        if self.write is not None:
            digests.write(self.write, found)
        print(found.about["digest"])
        return 0


@dataclass(frozen=True)
class Leaks:
    """Look for layouts and questions that stand in two splits, of one dataset or of several; exit 1 where some do."""

    dirs: Annotated[Positional[tuple[str, ...]], arg(metavar="DIR|URL…")]
    """Datasets' folders, or the URLs they lie beneath."""

    def __call__(self) -> int:
        from synth4d import dataset, leaks

        if not self.dirs:
            raise ConfigError("leaks needs at least one dataset's folder")
        with ExitStack() as stack:
            found = leaks.find([stack.enter_context(dataset.opened(place)) for place in self.dirs])
        for pair in found.layouts:
            print(f"problem: the same layout in two splits: {pair}", file=sys.stderr)
        print(
            f"{len(found.layouts)} layouts and {len(found.questions)} of their questions in two splits, of "
            f"{found.samples} samples; {found.repeated} of {found.asked} questions stand in another split too, word "
            "for word with their answer, about another room"
        )
        return 1 if found.layouts else 0
