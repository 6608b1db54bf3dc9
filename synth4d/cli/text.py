"""What the commands print, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from synth4d.errors import ConfigError
from synth4d.report import Summary
from synth4d.run import Outcome

if TYPE_CHECKING:
    from synth4d.scene.load import Scene


def outcome(end: Outcome) -> str:
    """The closing lines of a run."""
    r = end.record
    asked = r.questions + r.rejected
    kept = f"{r.questions} questions kept of {asked} ({100 * r.questions / asked:.0f}%)" if asked else "no questions"
    there = "" if end.redone else " (all of it was there already)"
    lines = [f"{r.committed} of {r.shots} shots, {r.frames} frames, {kept}, {end.seconds:.0f} s{there}"]
    if r.quarantined:
        lines.append(f"{r.quarantined} shots quarantined: {end.out}/quarantine.jsonl says why")
    if end.clips:
        lines.append(_clips(end.clips))
    return "\n".join([*lines, f"digest {r.digest}", f"{end.out}/report.html"])


def _clips(counts: Mapping[str, int]) -> str:
    """Where the clips came from, and what was wrong with those that were kept."""
    taken, made = counts.get("taken", 0), counts.get("made", 0)
    line = f"{taken} of {taken + made} attempts were kept from before"
    if damaged := counts.get("damaged", 0):
        line += f"; {damaged} kept ones were damaged and made anew"
    if unkept := counts.get("not kept", 0):
        line += f"; {unkept} could not be kept (is the disk of the cache full, or only read?)"
    return line


def here(place: str, command: str) -> Path:
    """A dataset's folder as a command needs it that can't do with a URL."""
    if "://" in place:
        raise ConfigError(f"{command} needs a folder on this machine, not {place}; fetch the dataset first")
    return Path(place)


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def scene_line(scene: Scene) -> str:
    """A scene in a line: its name, what it has, where it is."""
    parts = sum(t.spec.joint is not None for t in scene.templates)
    what = f"{len(scene.templates)} bodies, {parts} that open or turn, {len(scene.props)} kinds of props"
    return f"{scene.name:<12} {what:<60} {scene.folder}"


def print_summary(s: Summary) -> None:
    """The tables of `stats`."""
    console, r = Console(highlight=False), s.record
    console.print(
        f"[bold]{r.committed}[/] of {r.shots} shots ({_list(s.shot_kinds)}), [bold]{r.frames}[/] frames, "
        f"{s.bytes / 1e6:.1f} MB, {r.quarantined} quarantined"
    )
    console.print(
        f"[bold]{r.questions}[/] questions kept of {r.questions + r.rejected} ({s.kept_share():.0%}), "
        f"{len(s.kept)} kinds, {s.change_share():.0%} about change ({_list(s.families())})"
    )
    kinds = Table("kind", "kept", "rejected", "kept %", box=None, pad_edge=False)
    for row in s.rows():
        kinds.add_row(row.kind, str(row.kept), str(row.rejected), f"{row.kept / (row.kept + row.rejected):.0%}")
    console.print(kinds)
    for title, counts in (
        ("events", s.events), ("answers", s.answers), ("yes and no", s.yes_no), ("right choice", s.letters),
        ("rejected because", s.reasons), ("quarantined because", Counter(q.reason for q in s.quarantine)),
    ):  # fmt: skip
        if counts:
            console.print(f"[bold]{title}[/]: {_list(counts, shares=title in ('yes and no', 'right choice'))}")
    if s.model:
        m = s.model[-1]
        console.print(
            f"[bold]asked of a model[/]: {m.asked}, answered {m.answered}, {m.hits} requests, "
            f"{m.prompt} + {m.completion} tokens, ${m.usd:.4f}"
        )
        console.print(f"[bold]faults of replies and requests[/]: {_list(m.faults) or 'none'}")
    if s.seconds:
        total = sum(s.seconds.values())
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(s.seconds.items(), key=lambda x: -x[1]))
        console.print(f"[bold]core seconds[/]: {total:.1f} ({stages})")
        console.print(f"{s.frames_per_core_second():.1f} labelled frames a second per core, all stages counted")


def _list(counts: Mapping[str, int], shares: bool = False) -> str:
    """`name count` from the largest down, with shares where they matter."""
    total = sum(counts.values())
    rows = sorted(counts.items(), key=lambda x: x[0] if shares else (-x[1], x[0]))
    return ", ".join(f"{name} {count}" + (f" ({count / total:.0%})" if shares else "") for name, count in rows)
