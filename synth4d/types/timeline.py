"""What happens: events, and the world's state at every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from synth4d.types.arrays import F32, F64, U16

EventKind = Literal["open", "close", "turn_on", "turn_off", "move", "knock_over", "drop", "push", "pour"]


@dataclass(frozen=True, slots=True)
class Event:
    kind: EventKind
    object: int
    """Id of what it happens to: the door, the knob's burner, the lamp, the prop, the vessel poured from."""
    start_s: float
    end_s: float
    start_value: float | None = None
    """open/close: joint value before (rad or m). pour: fill of the target before, 0..1."""
    end_value: float | None = None
    source: int | None = None
    """move: what it stood on or in. turn_on/off: the knob or switch that was worked."""
    target: int | None = None
    """move: what it stands on or in afterwards. pour: the vessel that is filled."""
    inside: bool = False
    """move: True when it ends inside the target, False when on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Ending:
    """The world as the clip would leave it without one of its events; arrays as a frame of the Timeline's."""

    event: int
    """Place of the event left out in Timeline.events."""
    poses: F64
    joints: F64
    levels: F64
    fill: F64
    support: U16
    inside: U16


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The world's state at every frame, and what happened between."""

    times_s: F64
    """(T,)"""
    poses: F64
    """(T,B,7) xyz + wxyz of every body in World.bodies order: T_world_body."""
    joints: F64
    """(T,B) joint value of the bodies that have a joint, NaN otherwise."""
    levels: F64
    """(T,C) 0..1 of every control: lamp on/off, glow of a burner."""
    fill: F64
    """(T,B) filled fraction 0..1 of the bodies that are vessels, measured from particles; NaN otherwise."""
    support: U16
    """(T,B) id of the body it stands on; 0 = nothing, the background, or in the air."""
    inside: U16
    """(T,B) id of the container it is in; 0 = none."""
    particles: F32
    """(T,P,3) world position of every liquid particle; NaN = not in the world at that time."""
    particle_id: U16
    """(P,) id of the liquid body each particle belongs to."""
    particle_radius_m: float
    events: tuple[Event, ...]
    particle_velocity: F32 | None = None
    """(T,P,3) m/s; None = all at rest."""
    particle_vessel: U16 | None = None
    """(T,P) id of the vessel each particle is in, 0 = in the open; None = all in the open."""
    endings: tuple[Ending, ...] = ()
    """What was simulated once more without an event."""
    instead: tuple[Event, ...] = ()
    """A twin's: what its sibling was to show, as planned."""

    def take(self, frames: list[int]) -> Timeline:
        """Some frames, in any order and also repeated, as a timeline of their own."""
        tracks = (
            "times_s", "poses", "joints", "levels", "fill", "support", "inside", "particles", "particle_velocity",
            "particle_vessel",
        )  # fmt: skip
        taken = {name: values[frames] for name in tracks if (values := getattr(self, name)) is not None}
        return replace(self, **taken)
