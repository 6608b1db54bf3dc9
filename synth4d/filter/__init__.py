"""Which questions are kept: those on which the witnesses agree."""

from synth4d.filter.witness import judge, sift

__all__ = ["judge", "sift"]
