"""The words that go with a program's operations, in both languages: what a question must say, and must not.

Patterns are searched in a question in lower case in which names are marks (program/names.py) and phrases for
moments are blanked out. An operation that is not listed asks for nothing here; names, numbers and moments are
checked for every program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from synth4d.records import JSON


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that a question says, and how."""

    en: re.Pattern[str]
    zh: re.Pattern[str]

    def said(self, text: str, language: str) -> bool:
        return bool((self.en if language == "en" else self.zh).search(text))


def _concept(en: str, zh: str) -> Concept:
    return Concept(re.compile(en), re.compile(zh))


MOMENTS = {
    "start": _concept(
        r"\b(?:(?:(?:at|from|in|to|of) )?the (?:very )?(?:start|beginning)(?: of the (?:video|clip))?\b"
        r"|when the video (?:begins|starts)\b|its start\b|the first and the last\b"
        r"|(?:the )?first (?:frame|place|state|point of view|position)\b"
        r"|the opening of (?:the|this) (?:video|clip)\b"
        r"|at first\b|initially\b|original(?:ly)?\b)",
        r"视频(?:一|刚)?开始(?:时)?|一开始|刚开始|开头|起初|最初|第一帧|原来|原状|原先|原地",
    ),
    "end": _concept(
        r"\b(?:(?:(?:at|by|to|of|in|until) )?(?:the )?(?:very )?end(?: of the (?:video|clip))?\b"
        r"|the last (?:frame|place)\b|(?:when|before|after) the video (?:is over|ends)\b|when it ends\b"
        r"|ends? up\b|now\b|finally\b|any more\b|the video leaves?\b)",
        r"(?:视频)?(?:结尾|结束|最后)(?:时|后)?|结尾|结束时|最后一帧|最后|末尾|最终|(?<!出)现在",
    ),
    "before": _concept(r"\bbefore\b(?! the video (?:ends|is over))", r"之前|以前|前的那一刻"),
    "after": _concept(r"\bafter(?:wards)?\b(?! the video (?:ends|is over)|,? having)", r"之后|以后"),
}  # fmt: skip
"""How moments are named. Bare 从开始到结束, "from beginning to end", is the whole of something. One word boundary
before all forms is looked for three times as fast as one before each."""
IMPLIED = {
    "before": _concept(r"\bfrom where\b|\btaken\b(?! up)", r"从哪里|原来"),
    "after": _concept(r"\bonce\b|\bends? up\b|\bto (?:which|what) place\b|\bput\b", r"最后|(?:到了|放在了)(?:哪|什么)"),
}
"""What implies that a place before, or after, a move is asked for."""
UNSAID = {("size", "at"), ("biggest", "at")}
"""Moments that a question leaves out: sizes do not change."""
SPANS = {
    "moved": ("start", "end"), "changed": ("start", "end"), "restored": ("end",), "opening": ("end",),
    "displacement": ("end",), "camera_shift": ("start", "end"), "camera_turn": ("start", "end"),
    "camera_turned": ("start", "end"),
}  # fmt: skip
"""Which of their two moments a question of change must say, where they are the video's start and end."""
DIMENSIONS = re.compile(r"\b\d[- ]?d(?:of)?\b")
"""3D, 9-DoF: in Chinese they are written out."""
DRAWN = re.compile(
    r"\b(?:[23]d|9-dof|bounding|oriented|tight(?:est)?|pixel) box\b|\bits box\b|\bbox (?=\[)|\ba box is drawn\b"
    r"|\bwith a box\b|\bbounding box\b|\bbox of (?:its|the visible)\b",
    re.IGNORECASE,
)
"""Boxes that are drawn around things, and name none."""
WHOLE = re.compile(
    r"从开始到结束|从头到尾|from (?:the )?beginning to (?:the )?end|从什么时候开始，?到什么时候结束|从底部到顶部"
    r"|as it was facing at first|in the first view's frame|\(as seen at first\)"
    r"|(?:以|按)(?:镜头)?最初的(?:朝向|视角)(?:为准)?|以视频开头的视角为准"
)
"""What says start and end and means no moment: the whole of something, the first view as a frame of reference."""

CONCEPTS = {
    "open": _concept(r"\bopen(?:s|ed|ing)?\b", r"打开|开着|敞开|拉开|推开|张开|开启|开到|开了|转开|开的|开合|多开"),
    "closed": _concept(r"\bclos(?:e|es|ed|ing)\b(?! to\b)|\bshut\b", r"关着|关上|关闭|关好|合上|关掉|闭合|关的"),
    "on": _concept(
        r"(?:⟧|\b(?:turned|switched|is|be|go(?:es|ing)?|went|stays?|remains?)) on\b"
        r"(?! (?:the|an?|which|what|it|top)\b| ⟦)"
        r"|\bglow|\blit\b|: on, off\b",
        r"打开|开着|开启|亮|烧红",
    ),
    "off": _concept(r"\boff\b|\b(?:go(?:es|ing)?|went|is|are|put) out\b", r"关着|关掉|关闭|熄|灭|关上|关的"),
    "full": _concept(r"\bfull\b", r"满"),
    "empty": _concept(r"\bempty\b", r"空"),
    "near": _concept(r"\bnear(?:er|est)?\b|\bclos(?:er|est)\b|\bshort(?:er|est) way\b", r"近"),
    "far": _concept(r"\b(?:farther|farthest|further|furthest)\b|\blong(?:er|est) way\b", r"(?<!靠近镜头还是)远"),
    "high": _concept(r"\btall|\bhigh|\bheight|bottom to (?:its own )?top", r"高|从底部到顶部"),
    "long": _concept(r"\blong(?:est|er)?\b(?! way)|\blength", r"长"),
    "first": _concept(r"\bfirst\b|\bearli", r"先|早|在前|首|第一(?!帧)"),
    "last": _concept(r"\blast\b(?! for\b)|\blatest\b|\blater\b", r"最后|最晚|更晚|在后|后发生|末"),
    "more": _concept(r"\bmore\b|\bgrown\b|goes up|increas|\brise", r"(?<!多少)(?:多(?!少)|增)"),
    "fewer": _concept(r"\bfewer\b|\bless\b|\bshrunk\b|goes down|decreas", r"(?<!多)少|减"),
    "metres": _concept(r"\bmet(?:re|er)s?\b", r"(?<!厘)米"),
    "centimetres": _concept(r"\bcentimet(?:re|er)s?\b|\bcm\b", r"厘米|公分"),
    "degrees": _concept(r"\bdegrees?\b|\bangle", r"多少度|几度|（度）|\(度\)|度数|(?<!视)(?<![头者]的)角"),
    "seconds": _concept(r"\bseconds?\b|\bhow long\b|\bwhen\b|\btimes?\b", r"秒|多久|多长时间|什么时候|时间|起止"),
    "left": _concept(r"\bleft\b", r"左"),
    "right": _concept(r"\bright (?:of|side|hand)\b|\bthe right\b", r"右"),
    "front": _concept(r"\bin front\b|\bnearer\b", r"前[面边方]"),
    "behind": _concept(r"\bbehind\b", r"后[面边方]"),
    "percent": _concept(r"\bpercent|%", r"百分|%|％"),
}
OPPOSITES = (
    ("open", "closed"), ("on", "off"), ("full", "empty"), ("near", "far"), ("high", "long"), ("first", "last"),
    ("more", "fewer"), ("left", "right"), ("front", "behind"),
)  # fmt: skip
"""A question that must say one of a pair must not say the other."""
ALIKE_ZH = (("open", "on"), ("on", "open"), ("closed", "off"), ("off", "closed"))
"""Chinese says 开着 and 关掉 of a door and of a lamp alike."""
DONE = {"close": "closed", "turn_on": "on", "turn_off": "off"}
"""What kinds of events say."""
UNITS = {"m": "metres", "cm": "centimetres", "deg": "degrees", "s": "seconds", "%": "percent"}

ASKS: dict[str, tuple[str, str]] = {
    "count": (r"\bhow many\b|\bnumber of\b|\bcount\b", r"几|多少|数"),
    "minus": (r"\bhow many\b|\bnumber\b", r"几|多少|相差"),
    "times": (r"\bhow many\b|\bhow often\b|\btimes\b", r"几|多少"),
    "exists": (r"\bis there\b|\bappear|\bseen\b|\bshown\b|\bvisible\b", r"看到|看见|出现|有|拍到"),
    "is_visible": (r"\bseen?\b|\bvisible\b|\bin view\b", r"看到|看见|可见|画面|视野"),
    "where": (r"\bwhere\b|\bplace\b|\bin or on what\b", r"哪|地方|位置|何处"),
    "holder": (r"\bon\b|\bin\b|\bunderneath\b|\bholds?\b", r"上|下|里|托"),
    "distance": (r"\bfar\b|\bdistance\b|\bspace\b|\bgap\b|\bmet(?:re|er)s\b", r"距|离|隔"),
    "displacement": (r"\bmove|\bplace\b|\bget\b|\bfrom where\b|\btravel", r"移动|位置|挪"),
    "opening": (r"\bopen", r"开"),
    "openness": (r"\bopen|\bclosed position", r"开|关闭位置|关上的位置"),
    "fill": (r"\bfull\b|\bfill|\bliquid|\bvolume", r"装|液|满|容"),
    "moved": (r"\bplace\b|\bsomewhere\b|\bmove", r"位置|地方|移动"),
    "movement": (r"\bway\b|\bdirection\b|\bwhere\b", r"方向|往|朝|哪边"),
    "restored": (r"\bback\b|\breturn|\bsame state\b|\bundone\b|\brestor", r"回|恢复|变回|还原"),
    "changed": (r"\bchang|\bdifferent\b|\bmoved\b|\bopened\b", r"变|移动|开合|不是开头的样子"),
    "side": (r"\bside\b|\bleft\b|\bwhere\b|\bdirection\b", r"左|哪|方向"),
    "direction": (r"\bleft\b|\bside\b|\bdirection\b", r"左|哪|方向"),
    "depth_order": (r"\bcamera\b|\bdepth\b|\bdistance\b", r"近.*远|距离|镜头"),
    "appearance_order": (r"\bview\b|\bappear|\bseen\b|\bpicture\b", r"出现|进入|画面"),
    "order": (r"\border\b|\bfirst\b", r"先后|顺序"),
    "interval": (r"\bwhen\b|\btimes?\b", r"秒|时候|时间"),
    "duration": (r"\bhow long\b|\bhow many seconds\b|\btime this\b|\bseconds\b", r"多长|几秒|多少秒|持续"),
    "source_of": (r"\bused\b|\bmade\b|\bcaus|\bcontrol|\bswitch|\bknob|\bfrom where\b",
                  r"用什么|什么让|操作|开关|使得|旋钮|转动|从哪"),
    "cause_of": (r"\bused\b|\bcontrol|\bswitch |\bknob", r"用什么|开关|旋钮|转动"),
    "moved_where": (r"\bwhere\b|\bplace\b", r"哪|地方"),
    "way": (r"\bneither\b|\bas it is\b", r"都没有|没有变化|没变|不变"),
    "opened_how": (r"\ball the way\b|\bfully\b|\bas far as\b", r"完全|全开|到底"),
    "held": (r"\bin\b|\binside\b|\bcontain", r"里"),
    "told": (r"\bnot show|\bnot shown|\bvideo alone|\bcan you see", r"^(?=.*(?:没有|打|敞)?开)(?=.*关)"),
    "happens_in": (r"\bthird\b|\bthree\b", r"段|三分"),
    "which": (r"\bwhich\b", r"哪"),
    "in_sight": (r"\bseen\b|\bin sight\b|\bvisible\b|\bshow\b", r"看到|看得见|看见"),
    "vanished_by": (r"\bout of sight\b|\bdisappear|\bhid\b", r"看不见|消失|藏"),
    "revealed_by": (r"\binto (?:sight|view)\b|\bseen later\b|\breveal", r"露|出现|看见了|看到了"),
    "colour": (r"\bcolou?r", r"颜色"),
    "begins": (r"\bwhen\b|\bat what second\b|\binto the video\b", r"第几秒|什么时候"),
    "longest": (r"\blonger\b|\bmore time\b", r"更长|更久|更多"),
    "fastest": (r"\bfaster\b|\bspeed", r"快|速度"),
    "above": (r"\bhigher\b|\babove\b|\bdifference in height\b", r"高|之上"),
    "across": (r"\bfloor plan\b|\bstraight above\b|\bhorizontal|\bany difference in height\b",
               r"水平|正上方|高度差|高低"),
    "highest": (r"\bhighest\b|\bfarthest from the floor\b", r"最高|最远"),
    "side_from": (r"\bleft\b", r"左"),
    "camera_turn": (r"\bturned\b|\bfac(?:e|ing)\b|\bswing\b|\brotat", r"转|朝向"),
    "camera_turned": (r"\bturned\b|\bdirections?\b|\bline of sight\b|\bheading\b", r"转|朝向"),
    "camera_shift": (r"\bmoved\b|\bgone\b|\btravel", r"移动"),
    "target_of": (r"\binto\b|\bonto\b|\bto (?:which|what)\b", r"到|进|里"),
    "overlap": (r"\bsame time\b|\boverlap\b|\bwhile\b|\btime when both\b", r"同时|重叠|也在发生"),
}  # fmt: skip
"""What operations ask, by the words of one who asks for it."""
VERBS = {
    "open": (r"\bopen", r"开"), "close": (r"\bclos|\bshut", r"关|合"),
    "turn_on": (r"\bon\b|\bglow|\blit\b", r"打开|开启|亮|烧红|开着"),
    "turn_off": (r"\boff\b|\b(?:go(?:es|ing)?|went|is|are|put) out\b", r"关|熄|灭"),
    "pour": (r"\bpour|\bfill|\bempt|\bliquid|\blevel", r"倒|液"),
    "motion": (r"\bmov|\bpush|\bdrop|\bfall|\bknock|\bput\b|\bplace|\bcarr|\btaken?\b|\bend(?:s|ed)? up\b",
               r"移|挪|推|掉|碰|放|拿|搬"),
    "push": (r"\bpush", r"推"), "drop": (r"\bdrop|\bfall", r"掉|落"), "knock_over": (r"\bknock", r"碰"),
}  # fmt: skip
"""Verbs of events, by kind; `motion` is any of the motions."""
_HIDDEN = (r"\bbehind\b|\bin front of\b|\bhid|\bcover|\bblock|\bobscur|\bocclu", r"挡|遮|后|藏")
MUST = {
    "hidden_by": _HIDDEN, "is_hidden": _HIDDEN,
    "without": (r"\bif\b|\bsuppos|\bimagin|\bwithout\b|\bhad\b", r"如果|假如|假设|设想|要是|若"),
    "backwards": (r"\bbackwards?\b|\brevers|\bfrom its end\b", r"倒"),
    "amid": (r"\bbetween\b|\bstraight\b", r"之间|直线|中间"),
    "own_side": (r"\bopens?\b|\bown\b", r"打开的|自身|自己"),
    "lost": (r"\bout of (?:sight|view)\b|\bnot\b|\bno longer\b|can't", r"不"),
}  # fmt: skip
"""Words that operations ask for whatever else is used with them."""
NEVER = {
    "distance": (r"\bcentres? of\b|\bmiddles? of\b|\bhorizontal", r"中心|水平"),
    "side": (r"\bway it opens\b|\bopens to\b", r"打开的"),
    "first": (r"\bnext\b|\bafter (?:that|this)\b", r"之后|下一|接着"),
}
"""Words of a like operation: a question for this one does not say them."""
WHAT_IF = ("without", "backwards")
"""Operations that ask what another one does, of what was not filmed."""
PREMISED = frozenset(("cause_of", "happens_in", "held", "moved_where", "told", "way"))
"""Operations that are asked with a question whether there is anything to ask for: 如果有，放在了哪里？"""
CLAIMING = ("event", "story", "happens_in", "cause_of", "befell")
"""Operations that speak of a kind of event."""
UNDONE = (r"{x} had not\b|\bpoured from {x}|\bwithout {x}", r"{x}没有?|{x}未|没有?从{x}")
"""Where the thing of an event that is left out stands."""
ASKED = (
    r"\b(?:would|could|will|show|find) {x}|\b(?:on|in|inside) {x}",
    r"{x}(?:最后|在?结尾时)?(?:会|是否|还)|(?:找|看到|看见){x}|{x}(?:里|上)",
)
"""Where the thing asked about stands beside it."""
OTHER = (r"\bthe other\b", r"另一")
"""What may stand for any of the things of a dialogue; `it` is that of the turn before."""
SELF = {"object_of": "object", "source_of": "source", "target_of": "target"}
"""A question for a party to an event does not name the event by that party."""
ALWAYS = ("on", "inside")
"""Operations whose role tells them from another, whatever things there are."""
BOOL = (
    r"(?:^|[.,:;!?] |\b(?:and|then) )?\b(?:is|are|does|do|did|has|have|was|were|can|could|will|would)\b",
    r"吗|是否|是不是|有没有|会不会|能不能|能否|对不对|判断对错|对还是错",
)

NOT = _concept(
    r"\b(?:not|never|cannot|without|except|other than|no longer|un\w+ed)\b|n't\b",
    r"(.)(?!\1)[不没未非](?!\1|同(?!的?吗))|(?<![分特区])别(?!的)|除",
)
"""Negations; not 是不是, 分别, 不同."""
DENIALS = _concept(
    r"\bhad(?:n't| not)\b|\bor (?:not at all|not|never)\b|\bcan(?:'t|not| not) (?:be seen|see|tell)\b"
    r"|\b(?:is|does|did) not (?:shown?|happen)\b|\bvideo (?:does not|doesn't) (?:show|tell)\b|\bor not shown\b"
    r"|\bnot as (?:it|they) (?:was|were)\b",
    r"(?:如果|假如|假设|设想|要是|若)[^，,？?]*?没有?|(?:还是|或者)[^，,？?]*?[没不]|都没有?|没有变化?|看不(?:见|到|出)"
    r"|没有拍到|不一样|已经不是",
)
"""Negations that belong to a question: what if it had not been, or not at all, what can't be seen, what is not as it
was."""
CORNERS: tuple[list[str], ...] = ([], ["x0", "y0", "x1", "y1"])
"""What a wording may call the corners of a box."""
ANY_OF = frozenset(("in_state", "befell"))
"""Operations that tell a thing of a category from its like, so that no name is needed."""
COORDINATES = frozenset(("at_point", "box2d", "box3d", "in_box", "in_place", "point2d", "pose"))
"""Operations that are asked with a picture's size, a focal length or a camera's pose: of the numbers of their wordings
only the seconds, and what the program itself gives, are looked at."""

ROLES: dict[tuple[str, str], tuple[str, str]] = {
    ("side", "by"): (
        r"(?:of|behind|to|from|beside|than) {x}", r"(?:在|于){x}的|相对于?{x}|{x}的(?:左|右|前|后|哪)"),
    ("direction", "standing_at"): (
        r"(?:stood|stand|standing|are|were) at {x}|where {x} is", r"(?:站在|在|处于){x}(?:的位置|那里|处|旁)"),
    ("direction", "facing"): (
        r"(?:fac(?:e|ed|ing)|towards?|looking at) {x}", r"(?:面朝|面向|面对|朝着|朝向){x}"),
    ("beside", "by"): (r"(?:of|behind) {x}", r"在{x}的?(?:左|右|前|后)"),
    ("side_from", "by"): (r"of {x}", r"在{x}的?(?:左|哪)"),
    ("own_side", "by"): (
        r"against {x}|side that {x} opens|frame of {x}|if {x}", r"背靠着{x}|把{x}打开|以{x}自|从{x}朝"),
    ("nearest", "to"): (r"to {x}", r"(?:离|距离?){x}"),
    ("farthest", "to"): (r"from {x}|to {x}", r"(?:离|距离?){x}"),
    ("on", "object"): (r"\b(?:on|upon|atop|on top of) {x}|{x} ha(?:ve|s)\b.* on it", r"{x}(?:的)?(?:上|表面)"),
    ("inside", "object"): (
        r"\b(?:in|inside|into|within) {x}|inside it|in there|{x} ha(?:ve|s)\b.* in it", r"{x}(?:的)?(?:里|内|中)|里面"),
    ("event", "target"): (
        r"(?:into|fill|level in|liquid in|to fill) {x}|{x} (?:is |was |be )?filled", r"(?:往|进了?|入){x}|{x}里的"),
}  # fmt: skip
"""Where an operation's thing stands among the words; `{x}` is its mark with its article."""


def required(op: str, fields: JSON) -> list[str]:
    """The concepts that an operation with these literals asks for."""
    if op in ("is", "in_state"):
        return [fields["state"]]
    if op == "beside":
        return [fields["side"]]
    if op == "state":
        return {"open": ["open", "closed"], "on": ["on", "off"], "full": ["full", "empty"]}[fields["aspect"]]
    if op == "way":
        return {"open": ["open", "closed"], "on": ["on", "off"]}[fields["aspect"]]
    if op == "told":
        return [fields["aspect"]]
    if op in ("nearest", "farthest"):
        return ["near" if op == "nearest" else "far"]
    if op in ("biggest", "size"):
        return ["high" if fields["by"] == "height" else "long"]
    if op in ("first", "last"):
        return [op]  # but for events of one thing, of which there may be only one: faults.py
    return ["first"] if op == "earliest" else []


EITHER = {
    "told": ("open", "closed", "on", "off"),
    "distance": ("near",),
    "openness": ("open", "closed"),
    "opening": ("open", "closed"),
    "own_side": ("open",),
}
"""Concepts that an operation may be asked with or without."""
