"""How good a free reply to a question is, 0..1: for training by rewards, and for scoring a model.

One reader (reply.py) and one set of measures for the filter, the exporters and rewards.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

from synth4d.program.agree import box2d_iou, box3d_iou, compare, interval_iou
from synth4d.program.reply import Unread, read
from synth4d.program.view import Value
from synth4d.program.wording import digits
from synth4d.records import Facts, Reward, Turn

MRA = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
"""Thresholds of the mean relative accuracy (VSI-Bench): a reply counts at θ where |p − y| / |y| ≤ 1 − θ."""
POINT_PX = 8.0
POSE_M = 0.10
"""As two witnesses agree; a pose must also be within 10 degrees."""


def reward_of(value: Value) -> Reward:
    """How replies to a question with this answer are scored."""
    if value.type == "number":
        return Reward(kind="mra", tolerance=rounding(value.value, value.unit or "m"))
    if value.type == "interval":
        return Reward(kind="interval", tolerance=rounding(1.0, "s"))
    if value.type == "objects":
        return Reward(kind="order" if value.ordered else "set")
    if value.type == "point2d":
        return Reward(kind="point", tolerance=POINT_PX)
    if value.type == "pose":
        return Reward(kind="pose", tolerance=POSE_M)
    if value.type == "box2d":
        return Reward(kind="iou2d")
    if value.type == "box3d":
        return Reward(kind="iou3d")
    return Reward(kind="claims" if value.type == "text" else "exact")


def rounding(value: float, unit: str) -> float:
    """Half of the last digit that is said of a number, so that what is said counts in full."""
    said = digits(value, unit)
    return 0.5 * 10.0 ** -len(said.partition(".")[2])


def reward(turn: Turn, reply: str, facts: Facts) -> float:
    """The reward of a reply to a turn; 0 for a refusal or what is no answer.

    exact: 1 when equal · mra: mean over the thresholds of MRA, 1 within the tolerance · interval: IoU, 1 where both
    ends are within the tolerance · iou2d, iou3d: IoU · point: 1 within the tolerance in x and y · pose: 1 within the
    tolerance in metres and 10 degrees · set: F1 of the things · order: F1 of the ordered pairs (of the things, where
    there is only one) · claims: F1 of the words, in the language that fits better; of characters in Chinese
    """
    if turn.answer.type == "text":
        return max(f1(_words(reply), _words(text)) for text in (turn.answer.text.en, turn.answer.text.zh))
    said = read(reply, turn, facts)
    if isinstance(said, Unread):
        return 0.0
    right = Value(turn.answer.type, turn.answer.value, turn.answer.unit, ordered=said.ordered)
    return score(said, right, turn.reward or reward_of(right))


def score(said: Value, right: Value, how: Reward) -> float:
    """The reward of a value, given the right one."""
    x, y, tolerance = said.value, right.value, (how.tolerance or 0.0) + 1e-9
    if how.kind == "mra":
        return mra(x, y, tolerance)
    if how.kind == "interval":
        near = max(abs(p - q) for p, q in zip(x, y, strict=True)) <= tolerance
        return 1.0 if near else interval_iou(sorted(x), y)
    if how.kind == "iou2d":
        return box2d_iou(x, y) if x[0] < x[2] and x[1] < x[3] else 0.0
    if how.kind == "iou3d":
        return box3d_iou(x, y) if min(x["size"]) > 0 else 0.0
    if how.kind == "point":
        return float(max(abs(p - q) for p, q in zip(x, y, strict=True)) <= tolerance)
    if how.kind == "pose":
        near = sum((p - q) ** 2 for p, q in zip(x[:3], y[:3], strict=True)) <= tolerance**2
        length = sum(q * q for q in x[3:]) ** 0.5
        turned = Value("pose", [*x[:3], *(q / length for q in x[3:])], right.unit) if length else said
        return float(near and length > 0 and compare(turned, right))
    if how.kind == "set":
        return f1(x, y)
    if how.kind == "order":
        pairs = len(x) > 1 or len(y) > 1
        return f1(list(combinations(x, 2)), list(combinations(y, 2))) if pairs else f1(x, y)
    return float(x == y)


def mra(said: float, right: float, tolerance: float = 0.0) -> float:
    """Mean relative accuracy; a right 0 is met only within the tolerance."""
    if abs(said - right) <= tolerance:
        return 1.0
    if right == 0:
        return 0.0
    error = abs(said - right) / abs(right)
    return sum(error <= 1 - theta + 1e-9 for theta in MRA) / len(MRA)


def f1(said: list[Any], right: list[Any]) -> float:
    """Harmonic mean of precision and recall of two sets; two empty ones are equal."""
    a, b = set(said), set(right)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0


def _words(text: str) -> list[str]:
    """Words of Latin letters and numbers, and each Chinese character."""
    return re.findall(r"[a-z0-9.]*[a-z0-9]|[\u4e00-\u9fff]", text.lower())
