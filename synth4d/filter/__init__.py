"""Which questions are kept: those on which the witnesses agree."""

from synth4d.filter.model import Vote, votes
from synth4d.filter.talk import witnessed
from synth4d.filter.witness import Absent, Bench, judge, sift

__all__ = ["Absent", "Bench", "Vote", "judge", "sift", "votes", "witnessed"]
