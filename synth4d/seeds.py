"""Randomness from names: the same (run seed, scene, shot, purpose) gives the same stream on any machine."""

import hashlib

import numpy as np


def seed(*parts: str | int) -> int:
    """A 128-bit seed from the parts, order-sensitive and unambiguous (parts are length-prefixed)."""
    h = hashlib.sha256()
    for part in parts:
        raw = str(part).encode()
        h.update(len(raw).to_bytes(4, "little") + raw)
    return int.from_bytes(h.digest()[:16], "little")


def rng(*parts: str | int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed(*parts)))
