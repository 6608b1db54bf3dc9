"""What a dataset's filter is worth: judged anew from its own bytes, and tried on errors that were planted."""

from synth4d.audit.again import judged
from synth4d.audit.clips import Judged, clips
from synth4d.audit.measure import Counts, inject_into, measure, share
from synth4d.audit.plant import ERRORS, Planted, plant

__all__ = ["ERRORS", "Counts", "Judged", "Planted", "clips", "inject_into", "judged", "measure", "plant", "share"]
