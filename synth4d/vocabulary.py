"""The colours that may be asked, in both languages, with the sRGB each is painted with.

A seed may vary a colour by `JITTER` per channel; the values are far enough apart that it keeps its name.
"""

from synth4d.types import Name, Vec3

COLOURS: dict[str, tuple[Name, Vec3]] = {
    "red": (Name("red", "红色"), (0.78, 0.10, 0.10)),
    "orange": (Name("orange", "橙色"), (0.93, 0.47, 0.08)),
    "yellow": (Name("yellow", "黄色"), (0.95, 0.80, 0.12)),
    "green": (Name("green", "绿色"), (0.16, 0.58, 0.22)),
    "blue": (Name("blue", "蓝色"), (0.12, 0.30, 0.74)),
    "purple": (Name("purple", "紫色"), (0.45, 0.18, 0.62)),
    "pink": (Name("pink", "粉色"), (0.95, 0.55, 0.68)),
    "brown": (Name("brown", "棕色"), (0.42, 0.25, 0.13)),
    "black": (Name("black", "黑色"), (0.07, 0.07, 0.08)),
    "white": (Name("white", "白色"), (0.92, 0.92, 0.90)),
    "grey": (Name("grey", "灰色"), (0.50, 0.50, 0.52)),
}
JITTER = 0.03
