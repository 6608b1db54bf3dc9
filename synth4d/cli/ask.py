"""The command that asks: a run's requests to a model as files, or a dataset's samples anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from synth4d.errors import ConfigError


@dataclass(frozen=True)
class Ask:
    """What can be asked; or the requests to a model that an unfinished run waits for, through files of OpenAI's Batch
    API."""

    dir: Annotated[Positional[str | None], arg(metavar="DIR")] = None
    """Folder of the run: `synth4d dataset … --set llm.batch=true` brings it there."""
    batch_out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the requests here, one a line."""
    batch_in: Annotated[Path | None, arg(metavar="FILE")] = None
    """Take these results (or errors) into the run's replies: any order, incomplete, in several rounds."""
    kinds: bool = False
    """Print every kind of question with an example in English and Chinese, its answer's type, and its margins."""

    def __call__(self) -> int:
        from synth4d.cli.text import here
        from synth4d.run import asking

        if self.kinds:
            from synth4d.cli import kinds

            return kinds.show()
        if self.dir is None or (self.batch_out is None and self.batch_in is None):
            raise ConfigError("ask: give the folder of a run, and --batch-out FILE or --batch-in FILE")
        folder = here(self.dir, "ask")
        if self.batch_in is not None:
            taken = asking.read(folder, self.batch_in)
            again = ", ".join(f"{reason} {count}" for reason, count in sorted(taken.again.items()))
            failed = f"; no reply in {taken.again.total()} lines ({again})" if again else ""
            print(f"{taken.stored} replies stored{failed}")
        if self.batch_out is not None:
            count = asking.write(folder, self.batch_out)
            left = "their results go to --batch-in" if count else "nothing is left to ask: `synth4d dataset …` finishes"
            print(f"{count} requests in {self.batch_out}; {left}")
        return 0
