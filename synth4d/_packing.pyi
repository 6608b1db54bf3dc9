"""The extension built from packing: pictures as bytes, the same on every processor."""

from synth4d.types import U8

def deflate(data: bytes) -> bytes:
    """The raw deflate stream (RFC 1951) of uint16 pixels and what stands before them, an even number of bytes."""

def yuv420(rgb: U8, out: U8) -> None:
    """`out` (H·3/2,W): planes Y, U, V of a picture (H,W,3), even in height and width; BT.601, limited range."""
