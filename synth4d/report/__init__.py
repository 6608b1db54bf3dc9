"""What was made, counted and shown: `summary` for the stats command, `write` for the page, `card`."""

from synth4d.report.card import card
from synth4d.report.page import PAGE, write
from synth4d.report.summary import Summary, summarise

__all__ = ["PAGE", "Summary", "card", "summarise", "write"]
