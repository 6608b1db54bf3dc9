"""How things are said in free replies: yes and no, refusals, the keys of choices, places, coordinates."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from synth4d.program import wording
from synth4d.program.names import plain
from synth4d.program.numerals import numbers
from synth4d.vocabulary import COLOURS

# ---- Phrases for comparison ----------------------------------------------------------------------

REFUSAL = re.compile(
    r"\b(?:can(?:'t|not| not)|could(?:n't| not)|(?:is|am|are)(?:n't| not) able to|unable to|impossible to|hard to) "
    r"(?:\w+ )?(?:tell|say|determine|judge|answer|know|infer|identify|be (?:determined|inferred|answered|judged))"
    r"|\b(?:do(?:n't| not) know|no idea|not sure|unsure|uncertain|unknown|unclear|not enough|insufficient|i'm sorry)\b"
    r"|无法|不知道|不清楚|不确定|看不出|说不准|难以(?:判断|确定)|不能(?:判断|确定)|没法|信息不足|抱歉|未知"
)
_LEAD = re.compile(
    r"^(?:(?:so|therefore|thus|okay|ok|所以|因此)[, ]*)?"
    r"(?:(?:the |my )?(?:final |correct |right )?(?:answer|choice|option)"
    r"(?: is| would be)?|(?:最终|正确)?(?:的)?(?:答案|选项)(?:是|为)?|我?(?:选择|选))\s*[:：]?\s*"
)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")


def bare(text: str) -> str:
    """Lower case, plain forms, without mark-up, lead ("The answer is") and closing stop."""
    said = plain(text.replace("**", "").replace("`", "").replace("’", "'")).lower()
    said = (_BOXED.findall(said) or [said])[-1].strip()
    said = _LEAD.sub("", said, count=1)
    return said.strip(" .。!！\"'“”")


def same(text: str) -> str:
    """A phrase for comparison: no articles, no punctuation, no blanks around Chinese."""
    return " ".join(re.sub(r"\b(?:the|a|an|it is|it's)\b|[^\w\s%°.⟦⟧-]", " ", bare(text)).split())


@cache
def worded() -> dict[str, tuple[str, str]]:
    """How the keys of choices are worded, for comparison."""
    said = {k: (same(t.en), same(t.zh)) for k, t in wording.CHOICES.items()}
    return said | {k: (same(c.en), same(c.zh)) for k, (c, *_) in COLOURS.items()}


# ---- What is said ---------------------------------------------------------------------------------

YES = re.compile(r"^(?:yes|yeah|yep|true|correct|right|是的|是|对的|对|没错|正确|有|能|会|可以)(?![a-z])(?!不是|不|否)")
NO = re.compile(r"^(?:no|nope|false|incorrect|wrong|not|否|不是|不对|不能|不会|不|没有|没|错)(?![a-z])(?!错)")
NONE = re.compile(
    r"^(?:nothing|none|no(?:ne)? of them|no (?:object|thing)s?|没有任何东西|什么(?:也|都)没有?|没有|无)\b"
)
BOTH = re.compile(r"^(?:yes and no|yes or no|是和否|是或否|是否|是不是)")
DENIED = re.compile(r"\b(?:is|are|does|did|has|have|was|were)(?: not|n't)\b|没有|并未|并不")
SPOKEN: dict[str, str] = {
    "open": r"\bopen(?:ed)?\b|开着|打开|开的|敞开",
    "closed": r"\b(?:closed|shut)\b|关着|关上|关闭|关的|合上",
    "on": r"\bon\b|开着|打开|开启|亮着",
    "off": r"\boff\b|关着|关掉|关闭|关的|熄灭",
    "full": r"(?<!partly )(?<!partially )(?<!half )\bfull\b|(?<!没)满",
    "partly": r"\bpart(?:ly|ially)(?: full| filled)?\b|\bhalf full\b|一部分|半满|没满",
    "empty": r"\bempty\b|空",
    "left": r"\bleft\b|左", "right": r"\bright\b|右",
    "front": r"\bfront\b|\bnearer\b|前", "behind": r"\b(?:behind|back)\b|后",
    "moved_left": r"\bleft\b|左", "moved_right": r"\bright\b|右",
    "closer": r"\b(?:closer|nearer|towards?)\b|靠近|朝镜头|更近",
    "farther": r"\b(?:farther|further|away)\b|远",
    "still": r"\b(?:not|n't|never|no) (?:move|chang)|\bstill\b|\bstays?\b|没有?(?:移动|动)|不动|静止",
}  # fmt: skip
"""How the keys of choices are said; a reply that says exactly one of the keys that could be meant gives it."""
SPOKEN |= {
    "opens": r"\bopen(?:s|ed|ing)?\b|打开", "closes": r"\b(?:clos(?:es|ed|ing)|shut)\b|关上",
    "turns_on": r"\bon\b|打开|开启", "turns_off": r"\boff\b|关掉|熄灭",
    "turns_left": r"\bleft\b|左", "turns_right": r"\bright\b|右",
    "goes_left": r"\bleft\b|左", "goes_right": r"\bright\b|右", "goes_in": r"\bforwards?\b|前",
    "goes_out": r"\bbackwards?\b|后", "goes_up": r"\bup(?:wards?)?\b|上", "goes_down": r"\bdown(?:wards?)?\b|下",
    "wide": r"\ball the way\b|\bfully\b|\bwide\b|完全", "partway": r"\bpart(?:way|ly|ially)\b|一部分",
    "early": r"\bfirst\b|\bearly\b|前三分", "middle": r"\bmiddle\b|中间", "late": r"\blast\b|\blate\b|后三分",
}  # fmt: skip
NEITHER: dict[str, str] = {
    "still": SPOKEN["still"],
    "keeps_heading": r"\b(?:not|n't|never) turn|\bsame (?:way|heading)\b|没有?(?:转|变)|不转",
    "stays": r"\bstays?\b|\b(?:not|n't|never) move|没有?(?:移动|动)|不动|原处",
    "unchanged": r"\bneither\b|\bunchanged\b|\bas it (?:is|was)\b|没有?变|不变|都没有",
    "did_not": r"\b(?:not|n't|never) happen|\bnever\b|没有?发生",
}
"""How it is said that nothing happens; it goes before what else is said."""
SPOKEN |= NEITHER
KINDRED = (
    ("open", "closed"), ("on", "off"), ("full", "partly", "empty"), ("left", "right", "front", "behind"),
    ("moved_left", "moved_right", "closer", "farther", "still"), ("opens", "closes", "unchanged"),
    ("turns_on", "turns_off", "unchanged"),
    ("turns_left", "turns_right", "keeps_heading"),
    ("goes_left", "goes_right", "goes_in", "goes_out", "goes_up", "goes_down", "stays"),
    ("wide", "partway"), ("early", "middle", "late", "did_not"),
)  # fmt: skip
OF_ASPECT = {("told", "open"): "open", ("told", "on"): "on", ("way", "open"): "opens", ("way", "on"): "turns_on"}
"""Which keys could be meant where the answer is that nothing changes, or that it can't be told: 开着 says two."""
VERBS = {
    "open": r"\bopen|开", "close": r"\bclos|\bshut|关", "turn_on": r"\bon\b|开|亮", "turn_off": r"\boff\b|关|熄",
    "motion": r"\b(?:mov|push|drop|fall|fell|knock|carr|slid|put)|动|移|挪|搬|推|掉|碰|放|拿",
    "pour": r"\bpour|(?<!碰)倒",
}  # fmt: skip
IN = re.compile(r"\b(?:in|inside|into|within)(?: of)? (?:the |an? )?⟦(\d+)⟧|⟦(\d+)⟧(?:的)?(?:里|内|中)")
ON = re.compile(r"\b(?:on|onto|upon|atop|on top of) (?:the |an? )?⟦(\d+)⟧|⟦(\d+)⟧(?:的)?上")


def without_not(said: str) -> str:
    """`not open` says nothing of open."""
    return re.sub(
        r"(?:\bnot|n't|\bno longer|不是|没有?|不)\s*(?:fully |completely )?(?!有|mov|chang|移动|动)[a-z]*[开关满空着]*",
        "",
        said,
    )


def listed(said: str, keys: tuple[str, ...]) -> list[float]:
    """All numbers, of a JSON object in the order of its keys' names, else as they stand."""
    start, end = said.find("{"), said.rfind("}")
    if 0 <= start < end:
        try:
            data = json.loads(said[start : end + 1])
            return _flat([data[k] for k in keys] if all(k in data for k in keys) else list(data.values()))
        except (ValueError, TypeError, RecursionError):
            pass
    inner = re.search(r"[\[(].*[\])]", said)
    return [n.value for n in numbers(inner.group() if inner else said)]


def _flat(value: Any) -> list[float]:
    if isinstance(value, list):
        return [x for v in value for x in _flat(v)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [float(value)]
    raise ValueError("no number")
