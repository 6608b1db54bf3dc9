"""The one door to MuJoCo, imported when used: read model files, write a physics model, step it."""

from synth4d.physics.mjcf import write_model
from synth4d.physics.model import Geom, Hinge, RawBody, read_model
from synth4d.physics.sim import Sim

__all__ = ["Geom", "Hinge", "RawBody", "Sim", "read_model", "write_model"]
