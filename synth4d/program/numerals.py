"""Numbers in a text, as digits or in English or Chinese words, with their units."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS: dict[str, tuple[str, float, str]] = {
    # pattern: (unit of answers, factor to it, how it is written)
    "mm": ("m", 0.001, r"mm\b|millimet(?:er|re)s?|毫米"),
    "cm": ("m", 0.01, r"cm\b|centimet(?:er|re)s?|厘米|公分"),
    "km": ("m", 1000.0, r"km\b|kilomet(?:er|re)s?|公里|千米"),
    "m": ("m", 1.0, r"m\b|met(?:er|re)s?\b|米|公尺"),
    "inch": ("m", 0.0254, r"inch(?:es)?\b|英寸"),
    "foot": ("m", 0.3048, r"ft\b|foot\b|feet\b|英尺"),
    "rad": ("deg", 57.29577951308232, r"rad(?:ian)?s?\b|弧度"),
    "deg": ("deg", 1.0, r"°|deg(?:ree)?s?\b|度"),
    "ms": ("s", 0.001, r"ms\b|millisec(?:ond)?s?\b|毫秒"),
    "min": ("s", 60.0, r"min(?:ute)?s?\b|分钟"),
    "s": ("s", 1.0, r"s\b|secs?\b|seconds?\b|秒钟?"),
    "%": ("%", 1.0, r"%|per ?cent(?:age points?)?\b|个百分点"),
    "px": ("px", 1.0, r"px\b|pixels?\b|像素"),
}
"""Longer forms first where one begins another; `share` (half, 三分之一) is the unit of bare parts of a whole."""
_UNIT = "|".join(f"(?P<u{i}>{form})" for i, (_, _, form) in enumerate(UNITS.values()))
_MEASURE = "个只本杯把张件次台盏扇滩块条支根瓶盒颗枚双副座片层间样种处"

_TEENS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
EN = {w: i for i, w in enumerate(_TEENS.split())} | {w: 10 * i for i, w in enumerate(_TENS.split(), 2)}
POWERS = {"hundred": 100, "thousand": 1000, "dozen": 12}
PARTS = {"half": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "halves": 0.5}
ZH = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
ZH_POWERS = {"十": 10, "百": 100, "千": 1000, "万": 10000}

_WORD = "|".join([*sorted(EN, key=len, reverse=True), *POWERS, *PARTS, "couple"])
_DIGITS = (
    r"(?<![a-z_])(?<![a-z_]\d)\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![a-z_])(?<![a-z_]\d)(?<!\d\.)\d+(?:\.\d+)?(?!\.?\d)"
    r"|(?<!\d)\.\d+"
)
"""`2.5.5` is no number, nor part of it."""
_HAN = "零〇一二两俩三四五六七八九十百千万"
_DECIMAL = rf"[{_HAN}]+(?:点[零〇一二三四五六七八九]+)?"
_NUMBER = re.compile(
    rf"(?=[\d.mn负百半{_HAN}−-]|\b[a-z])"  # the rest is tried in few places
    rf"(?:(?P<clock>\b\d{{1,2}}:\d{{2}}(?:\.\d+)?)"
    rf"|(?P<parts>百分之|[{_HAN}]{{1,3}}分之)(?P<of>{_DIGITS}|{_DECIMAL})"
    rf"|(?P<fraction>(?<![\d/])[1-9]/[1-9]\d?(?![\d/]))"
    rf"|(?P<sign>(?<![a-z0-9.)\]秒米度%°])[-−](?=[\d.])|(?:minus|negative) |负)?(?:(?P<digits>{_DIGITS})"
    rf"|(?P<words>\b(?:(?:an? )?(?:{_WORD})\b(?:(?:[- ]and an?|[- ]and|[- ]of an?| an?)?[- ](?={_WORD}|point))?"
    rf"(?:point(?: (?:{_WORD})\b)+)?)+)|(?P<han>一?半|{_DECIMAL})))",
)
_AFTER_UNIT = re.compile(rf"[- ]?(?:an? |of an? )?(?:{_UNIT})")
_NO_ONE = re.compile(r"\b(?:(?:the|this|that|other)(?: \w+){0,2}|which|no|any|some|every|\w+most) $")


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    unit: str | None
    """m, deg, s, %, px (a value in cm or minutes is turned into m or s), `share` for a part of a whole, or None."""
    start: int
    end: int

    def to(self, unit: str | None) -> float | None:
        """The value in a unit of answers, a bare number taken as it is; None where it can't be one."""
        if unit is None or self.unit is None:
            return self.value if self.unit in (None, "share") else None
        if self.unit == "share":
            return 100 * self.value if unit == "%" else None
        if unit == "cm" and self.unit == "m":
            return self.value * 100
        return self.value if unit == self.unit else None


def numbers(text: str) -> list[Number]:
    """All numbers of a text (as names.plain gives it, in lower case), in order."""
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        read = _read(match, text)
        if read is None:
            continue
        value, unit = read
        end = match.end()
        if unit in (None, "share") and (after := _AFTER_UNIT.match(text, end)):
            name = next(n for i, n in enumerate(UNITS) if after[f"u{i}"])
            unit, factor, end = UNITS[name][0], UNITS[name][1], after.end()
            value *= factor
            if unit == "m" and text[end : end + 1] == "半":
                value, end = value + factor / 2, end + 1
        found.append(Number(round(value, 9), unit, match.start(), end))
    return _joined(found, text)


def _joined(found: list[Number], text: str) -> list[Number]:
    """`1 m 20 cm` as one number."""
    out: list[Number] = []
    for n in found:
        last = out[-1] if out else None
        together = last is not None and n.unit == last.unit == "m" and not text[last.end : n.start].strip()
        if last is not None and together and last.value >= 1 > n.value > 0:
            out[-1] = Number(last.value + n.value, "m", last.start, n.end)
        else:
            out.append(n)
    return out


def _read(match: re.Match[str], text: str) -> tuple[float, str | None] | None:
    sign = -1.0 if match["sign"] else 1.0
    if match["clock"]:
        minutes, seconds = match["clock"].split(":")
        return 60 * int(minutes) + float(seconds), "s"
    if match["parts"]:
        value = float(match["of"].replace(",", "")) if match["of"][0].isdigit() else _chinese(match["of"])
        if match["parts"] == "百分之":
            return value, "%"
        return value / (_chinese(match["parts"][:-2]) or 1.0), "share"
    if match["fraction"]:
        a, b = match["fraction"].split("/")
        return int(a) / int(b), "share"
    if match["digits"]:
        return sign * float(match["digits"].replace(",", "")), None
    if match["words"]:
        words = match["words"]
        if words == "one" and (_NO_ONE.search(text, 0, match.start()) or text[match.end() :].startswith(" of")):
            return None
        return sign * _english(words), "share" if any(p in words for p in PARTS) and not _whole(words) else None
    return _han(match, text, sign)


def _han(match: re.Match[str], text: str, sign: float) -> tuple[float, str | None] | None:
    """Chinese digits; single ones that are parts of other words (一直, 两边, 十分) are none."""
    said, after = match["han"], text[match.end() : match.end() + 1]
    counted = not after or after in _MEASURE or _AFTER_UNIT.match(text, match.end()) or not after.isalnum()
    if said in ("半", "一半"):
        return (sign * 0.5, "share") if said == "一半" or _AFTER_UNIT.match(text, match.end()) else None
    if len(said) == 1 and not counted:
        return None
    return sign * _chinese(said), None


def _whole(words: str) -> bool:
    """one and a half, half a dozen: numbers, not parts."""
    return "and" in words.replace("-", " ").split() or "dozen" in words


def _english(text: str) -> float:
    words = [w for w in text.replace("-", " ").split() if w not in ("a", "an", "and", "of")]
    whole, _, decimals = " ".join(words).partition("point")
    total, current, part = 0.0, 0.0, None
    for w in whole.split():
        if w in EN:
            current += EN[w]
        elif w == "couple":
            current += 2
        elif w in POWERS:
            current = (0.5 if part == 0.5 else current or 1.0) * POWERS[w]
            part = None
            if w == "thousand":
                total, current = total + current, 0.0
        else:
            part = PARTS[w]
    digits = "".join(str(EN[w]) for w in decimals.split() if w in EN)
    value = total + current + (float(f"0.{digits}") if digits else 0.0)
    if part is None:
        return value
    # Three quarters are a product, one and a half is a sum.
    return value + part if "and" in text.replace("-", " ").split() else (value or 1.0) * part


def _chinese(text: str) -> float:
    whole, _, decimals = text.partition("点")
    total, digit = 0.0, 0.0
    if len(whole) > 1 and not any(c in ZH_POWERS for c in whole):
        total = float("".join(str(ZH[c]) for c in whole))
    else:
        for c in whole:
            if c == "万":
                total, digit = (total + digit) * 10000, 0.0
            elif c in ZH_POWERS:
                total, digit = total + (digit or 1.0) * ZH_POWERS[c], 0.0
            else:
                digit = ZH[c]
        total += digit
    return total + (float("0." + "".join(str(ZH[c]) for c in decimals)) if decimals else 0.0)
