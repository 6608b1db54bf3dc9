"""Commands that judge: filter a dataset's questions anew, and audit what the filter is worth."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from synth4d.config import Votes
from synth4d.errors import ConfigError

if TYPE_CHECKING:
    from synth4d.llm.talk import Ask

Place = Annotated[Positional[str], arg(metavar="DIR|URL")]


@dataclass(frozen=True)
class Witness:
    """A model that votes on what the other witnesses keep."""

    witness: Annotated[Literal["none", "openai"], arg(metavar="none|openai")] = "none"
    """Whether a model votes too, behind an OpenAI-compatible server."""
    model: Annotated[str | None, arg(metavar="NAME")] = None
    """The model's name on its server."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """The server; default: OpenAI's. Its key comes from the environment, OPENAI_API_KEY."""
    replies: Annotated[Path, arg(metavar="FILE")] = Path("out/replies.sqlite")
    """Where every reply is kept, so that none is asked for twice."""
    samples: Annotated[int, arg(metavar="K")] = 5
    """Votes on each question, half in English, half in Chinese."""
    agree: Annotated[float, arg(metavar="SHARE")] = 0.6
    """Least share of them that must agree."""
    frames: Annotated[int, arg(metavar="N")] = 0
    """Pictures shown with each question beside its evidence; 0: the facts as text."""

    def votes(self) -> Votes:
        if not (1 <= self.samples <= 99 and 0 < self.agree <= 1 and 0 <= self.frames <= 64):
            raise ConfigError("--samples must be 1 to 99, --agree above 0 and at most 1, --frames 0 to 64")
        return Votes(witness=self.witness, samples=self.samples, agree=self.agree, frames=self.frames)

    def door(self, stack: ExitStack) -> Ask | None:
        """What asks the model; None where none is asked."""
        if self.witness == "none":
            return None
        if self.model is None:
            raise ConfigError("--witness openai: say which model with --model NAME (and --base-url URL)")
        from pydantic import ValidationError

        from synth4d import seeds
        from synth4d.llm import Door, Endpoint

        at: dict[str, Any] = {} if self.base_url is None else {"base_url": self.base_url}
        try:
            endpoint = Endpoint(model=self.model, **at)
        except ValidationError as error:
            raise ConfigError(f"--base-url: {error.errors()[0]['msg']}") from None
        return stack.enter_context(Door(endpoint, self.replies, rng=seeds.rng("door"))).ask


@dataclass(frozen=True)
class Filter(Witness):
    """Judge a dataset's questions anew from its own bytes, and print the verdicts; nothing is changed."""

    dir: Place = "."
    """A dataset's folder, or the URL it lies beneath."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write {asked, kept, reasons: {reason: count}, kinds: {kind: [kept, asked]}, changed: […]} here."""

    def __call__(self) -> int:
        from synth4d import audit, dataset

        with ExitStack() as stack:
            where = stack.enter_context(dataset.opened(self.dir, keep=True))
            found = audit.judged(where, self.votes(), self.door(stack))
        width = max(map(len, found["reasons"]), default=0)
        for reason, count in sorted(found["reasons"].items(), key=lambda r: (-r[1], r[0])):
            print(f"{reason:<{width}}  {count}")
        print(f"{found['kept']} of {found['asked']} kept; {len(found['changed'])} otherwise than when it was made")
        _write(self.json, found)
        return 0


@dataclass(frozen=True)
class Audit(Witness):
    """Plant known errors into copies of a dataset's questions, filter them, and say how many get through."""

    dir: Place = "."
    """A dataset's folder, or the URL it lies beneath."""
    inject: Annotated[float, arg(metavar="SHARE")] = 0.29
    """Share of the questions that get an error."""
    seed: Annotated[int, arg(metavar="S")] = 0
    """Which, and what errors, follows from it."""
    pool: bool = False
    """Start from all that was asked, not only from what was kept."""
    show: Annotated[int, arg(metavar="N")] = 0
    """Print so many errors that got through."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write noise_before, noise_after and good_kept here, overall and by kind of error, with 95 % intervals."""

    def __call__(self) -> int:
        from synth4d import audit, dataset

        if not 0 < self.inject < 1:
            raise ConfigError(f"--inject {self.inject}: must lie between 0 and 1")
        with ExitStack() as stack:
            where = stack.enter_context(dataset.opened(self.dir, keep=True))
            counts = audit.measure(
                audit.clips(where), self.inject, self.seed,
                settings=self.votes(), ask=self.door(stack), pool=self.pool,
            )  # fmt: skip
        report = {"inject": self.inject, "seed": self.seed, "pool": self.pool, **counts.report()}
        for name, row in {**report["errors"], "all": report}.items():
            print(f"{name:<10} {_row(row)}")
        for place, row in report["places"].items():
            print(f"in {place:<8} let through {_share(row['let_through'])}")
        for made in counts.missed[: self.show]:
            turns = " / ".join(f"{t.question.en} {t.question.zh} {t.answer.text.en}" for t in made.question.turns)
            print(f"missed ({made.error}, {made.place}): {turns}")
        _write(self.json, report)
        return 0


def _row(row: dict[str, Any]) -> str:
    names = {"noise_before": "noise", "noise_after": "after the filter", "good_kept": "good kept"}
    return ", ".join(f"{said} {_share(row[name])}" for name, said in names.items())


def _share(share: dict[str, Any]) -> str:
    return f"{share['value']:.2%} ({share['low']:.2%}–{share['high']:.2%}; {share['k']} of {share['n']})"


def _write(path: Path | None, found: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
