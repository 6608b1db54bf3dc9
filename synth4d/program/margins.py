"""The margins that make an answer unambiguous, in one place. An operation that is inside one refuses.

Sources: "VSI" = the rules of VSI-Bench as VLM-3R re-implements them, "VSTI" = VLM-3R's own temporal set;
"ours" = chosen so that both witnesses and a careful viewer come to the same answer.
"""

VISIBLE_SHARE = 6e-4
"""An instance is clearly visible from this share of the frame's pixels up (66 px at 384×288); ours."""
VISIBLE_PIXELS = 40
"""…and never below this many pixels; ours."""
OCCLUDED = 0.8
"""An instance hidden beyond this share of its silhouette is not clearly visible; ours."""

DISTANCE_M = 0.2
"""Shorter distances are not asked (VSI: ≥ 0.2 m after rounding); 0 is exact: touching or inside."""
NEARER_M = 0.15
"""The nearest must beat the second by this much (VSI: 0.15 m)…"""
NEARER_SHARE = 0.15
"""…and by this share of the second's distance; ours."""
DEPTH_GAP_M = 0.15
"""Whole boxes must be this far apart along the line of sight (VSTI)."""
SIZE_SHARE = 0.20
"""The larger must exceed the smaller by this share; ours."""
SECTOR_DEG = 10.0
"""Directions this near a sector's border, on either side, are refused (VSI has it on one side only)."""
STRAY_CORNERS = 2
"""At most this many of a box's eight corners may lie in another sector (VSI)."""
PAIR_GAP_M = (0.3, 5.0)
"""The three objects of a direction question are this far apart, pair by pair (VSI)."""
UPRIGHT_DEG = 10.0
"""A height is asked only of a box with an axis this near to the vertical; ours."""
PICTURE_SHARE = 0.05
"""'Leftmost' must lead the next by this share of the frame's width (or height); ours."""

ORDER_S = 0.5
"""Events and first appearances must be this far apart to be put in order: two frames at 4 fps; ours."""
GUARD_S = 0.15
"""'Just before' and 'right after' an event keep this far from it, so that both witnesses see rest; ours."""
DURATION_S = 0.5
"""Shorter events are not timed; ours."""

OPEN_SHARE = 0.25
"""'Open' from this share of the joint's range up…"""
CLOSED_SHARE = 0.03
"""…'closed' up to this; between them it is ambiguous; ours."""
FULL_SHARE = 0.85
EMPTY_SHARE = 0.05
PARTLY_SHARE = (0.15, 0.75)
"""'Partly full' is said only between these; ours."""

LONGER_S, LONGER_SHARE = 0.5, 1.3
"""The longer of two events takes this much more time and this many times as long; ours: two frames at 4 fps."""
FASTER_SHARE = 1.6
"""The faster of two movements is this many times as fast; ours: times are good to a fifth at 4 fps."""
SPEED_M = 0.12
"""What moves less far has no speed; ours."""
THIRD_S = 0.3
"""The middle of an event lies this far from the border of two thirds of the video; ours."""
WATCHED_S = 1.0
"""That something never happened to a thing can be said where it is never out of sight for longer; ours."""
WIDE_SHARE, PARTWAY_SHARE = 0.85, (0.25, 0.6)
"""'All the way open' from this share of the joint's range, 'partway' between these; ours."""

MOVED_M = 0.12
"""A thing has moved when its box's centre has, by this much…"""
STILL_M = 0.05
"""…and has not when it moved less than this; between them it is ambiguous; ours."""
OPENED_SHARE = 0.15
"""A part has been moved when its openness changed by this share of its range, not when by a third of it."""
FILLED_SHARE = 0.15
"""A vessel's level has changed when by this share of its volume, not when by a third of it."""

AGREE_SHARE = 0.15
"""Two witnesses' numbers agree within this share of the larger…"""
AGREE = {"m": 0.10, "cm": 5.0, "deg": 10.0, "s": 0.75, "%": 15.0, "px": 8.0}
"""…or within this much in the unit, whichever is wider."""
AGREE_S = 0.75
AGREE_IOU = 0.5

IN_PICTURE = (0.70, 0.45)
"""A given 2D box is a thing's when their IoU is at least the first and no other thing's reaches the second; ours."""
THIN_PX = 2
"""A point on a thing is asked for where its mask goes on for this many pixels around one; ours."""
CUT_OFF_PX = 2.0
"""A thing whose visible box ends this near to the picture's border is cut off by it: its 3D box is not asked."""
IN_BOX = 0.75
"""A place is in a thing's box when within this share of its half sides from its centre…"""
OUT_OF_BOX_M = 0.03
"""…and out of it when so far outside; ours, what the picture misplaces a box by."""
SQUARE = 0.2
"""A box whose sides across its upright axis differ by less than this share has no heading that could be asked: it
is round or square, and any turn of it looks the same; ours."""

GAP_M = (0.12, 5.0)
"""Between two things something can be when the gap from one to the other, seen from above, is so wide; ours."""
BETWEEN = (0.1, 0.9)
"""What is between two things has its centre on this part of the gap from one to the other, seen from above…"""
ASIDE_M = (0.015, 0.05)
"""…and the line from the one to the other crosses it with so much of it to each side; when the line misses it by
the second it is not between; ours."""
HIGHER_M = 0.06
"""The top of one thing is above another's from this much up; ours, wider than the 5 cm of two witnesses."""
APART_PX = 0.04
"""Left and right in a picture: the centres are this share of its width apart; ours."""
TURNED_DEG = (3.0, 12.0)
"""The camera has not turned up to the first, it has turned from the second up; ours."""
CAMERA_M = (0.05, 0.25)
"""The camera has not moved up to the first, it has moved from the second up (VSTI: 0.2 m); ours."""
MAINLY = 1.7
"""'Mainly to the left' must be so many times the movement along the other axes; ours."""
FRONT_DEG = 15.0
"""The doors and drawers of a thing must face one way within this for it to have a front; ours."""
