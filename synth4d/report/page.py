"""report.html: one self-contained page to look at a dataset. No script, nothing fetched, all text escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from synth4d import dataset, disk
from synth4d.records import EventFact, Facts, Question, Reject
from synth4d.report import pictures
from synth4d.report.summary import LETTERS, Summary, summarise

PAGE = "report.html"
MAX_CLIPS = 32
MAX_BYTES = 48 << 20
"""Of embedded video; a page beyond that is slow to open."""
SHOWN = 9
"""Questions of a clip that are shown; one of each kind first."""
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Span:
    """An event as the page draws it: words, and where it lies on the clip's time line in percent."""

    text: str
    start: float
    width: float
    when: str


@dataclass(frozen=True, slots=True)
class Card:
    """One clip on the page."""

    facts: Facts
    split: str
    video: str
    poster: str
    depth: str
    ids: str
    legend: list[tuple[str, str]]
    """Colour in the id picture, and the object's words."""
    spans: list[Span]
    questions: list[Question]
    more: int


def write(folder: Path) -> Path:
    """Make the page of a whole dataset, beside it."""
    summary = summarise(folder)
    env = Environment(
        loader=PackageLoader("synth4d.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    env.filters |= {"percent": lambda x: f"{100 * x:.0f}%", "letter": lambda i: LETTERS[i], "said": _said}
    page = env.get_template("report.html.j2").render(
        s=summary,
        cards=list(_cards(folder, summary)),
        rejects=_examples(dataset.each_reject(folder)),
        title=", ".join(summary.record.config["scenes"]),
    )
    disk.write_atomic(folder / PAGE, page.encode())
    return folder / PAGE


def _cards(folder: Path, summary: Summary) -> Iterator[Card]:
    """Clips spread evenly over the dataset, as many as a page can bear."""
    manifest = dataset.read_manifest(folder)
    every = max(1, -(-summary.record.committed // MAX_CLIPS))
    position = size = 0
    for row in manifest:
        with dataset.open_shard(folder, row, check="size") as shard:
            for number in range(row.samples):
                if position % every == 0 and size < MAX_BYTES:
                    members = shard.read(number)
                    size += len(members["mp4"])
                    yield _card(members, row.split)
                position += 1


def _card(members: dict[str, bytes], split: str) -> Card:
    facts: Facts = dataset.parse(Facts, members["facts.json"], "facts.json")
    questions: list[Question] = dataset.parse(list[Question], members["qa.json"], "qa.json")
    shown = _varied(questions)
    depth, ids, colours = pictures.middle(members["depth.npz"], members["ids.npz"])
    words = {o.id: o.label.en if o.colour is None else f"{o.colour.en} {o.label.en}" for o in facts.objects}
    return Card(
        facts=facts,
        split=split,
        video=_data("video/mp4", members["mp4"]),
        poster=_data("image/jpeg", members["jpg"]),
        depth=_data("image/png", depth),
        ids=_data("image/png", ids),
        legend=[(colour, words[id]) for id, colour in colours if id in words],
        spans=[_span(e, facts, words) for e in facts.events],
        questions=shown,
        more=len(questions) - len(shown),
    )


def _span(event: EventFact, facts: Facts, words: dict[int, str]) -> Span:
    text = f"{event.kind.replace('_', ' ')} {words.get(event.object, '?')}"
    if event.target and event.kind in ("move", "pour"):
        text += f" {'into' if event.inside or event.kind == 'pour' else 'onto'} {words.get(event.target, '?')}"
    joint = next((o.joint for o in facts.objects if o.id == event.object), None)
    if event.end_value is not None and joint is not None and event.kind in ("open", "close"):
        text += f" to {event.end_value:.0f}{'°' if joint.type == 'hinge' else ' cm'}"
    length = facts.frames / facts.fps
    start, end = 100 * event.start_s / length, 100 * event.end_s / length
    return Span(text, round(start, 2), round(max(end - start, 1.5), 2), f"{event.start_s:.1f}–{event.end_s:.1f} s")


def _varied(questions: list[Question]) -> list[Question]:
    """Some of the questions: a first of each kind, then a second, in their order."""
    turn: dict[str, int] = {}
    ranked = []
    for i, question in enumerate(questions):
        turn[question.kind] = turn.get(question.kind, 0) + 1
        ranked.append((turn[question.kind], i, question))
    chosen = sorted(ranked, key=lambda r: r[:2])[:SHOWN]
    return [question for _, _, question in sorted(chosen, key=lambda r: r[1])]


def _examples(rejects: Iterable[Reject]) -> dict[str, list[Reject]]:
    """A few rejected questions of each reason, the commonest reasons first."""
    out: dict[str, list[Reject]] = {}
    count: dict[str, int] = {}
    for reject in rejects:
        reason = reject.question.verdict.reason if reject.question.verdict else "none"
        count[reason] = count.get(reason, 0) + 1
        if len(out.setdefault(reason, [])) < EXAMPLES:
            out[reason].append(reject)
    return {reason: out[reason] for reason in sorted(out, key=lambda r: (-count[r], r))}


def _said(answer: object) -> str:
    """A witness's answer as short text."""
    if isinstance(answer, dict) and set(answer) == {"refused"}:
        return f"can't say: {answer['refused']}"
    text = f"{answer:.3g}" if isinstance(answer, float) else str(answer)
    return text if len(text) <= 80 else text[:77] + "..."


def _data(kind: str, raw: bytes) -> str:
    return f"data:{kind};base64,{b64encode(raw).decode()}"
