"""plan → Ray → commit: turns a config into a dataset on disk, whatever happens on the way."""

from synth4d.run.drive import Outcome, Stopped, dataset
from synth4d.run.publish import cpus

__all__ = ["Outcome", "Stopped", "cpus", "dataset"]
