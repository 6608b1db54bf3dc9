"""plan → Ray → commit: turns a config into a dataset on disk, whatever happens on the way."""

from synth4d.run.drive import Outcome, Stopped, dataset

__all__ = ["Outcome", "Stopped", "dataset"]
