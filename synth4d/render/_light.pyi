"""The extension built from render/light_kernel: colours from light, pictures from floats.

V light points, F triangles of their mesh, N Gaussians, S skins. A motion (3,4) leads from the points' frame into
that of bounds (2,3), all float32.
"""

from numpy import bool_, int64
from numpy.typing import NDArray

from synth4d.types import F32, F64, I32, U8, U16

I64 = NDArray[int64]
Bool = NDArray[bool_]

def weld(corners: F64, normals: F64, skin: I32, cell: float) -> tuple[I64, I64, F64]:
    """Corners (F,3,3) of one skin (F,), cell of a grid and normal are one point: that of each corner (3F,), the first
    corner of each (V,), and (V,3) the mean way from it to the middle of its triangles."""

def lay(flat: F64, triangle: I32, grain: F32, sigma: float, flatness: float) -> tuple[F32, F32]:
    """Quaternions (N,4) wxyz and scales (N,3) of Gaussians in triangles (N,) of unit normals (F,3), `grain` (N,) apart:
    the principal axes of the covariance that fits a lattice projected along the normal's dominant axis, the normal
    last, where it is `flatness` times as wide."""

def rebind(place: I64, triangle: I32, bary: F32) -> None:
    """Gaussians go to the parts of triangles that are cut in four, in place; `place` (F,) among those cut, −1 = not."""

class Smoother:
    def __init__(self, points: F64, faces: I64, alike: F32, buried: Bool, edge: float) -> None:
        """Light is alike within `alike` (V,) metres of a point, shadows within `edge`; buried points give nothing."""

    def smooth(self, columns: F32, diffuse: F32, sheen: F32) -> tuple[F32, F32, F32]:
        """Ambient (V,), and shares of emitters times diffuse and sheen (V,L), out of columns (V,1+L)."""

class Lights:
    """L emitters, each of 16 samples, in some frame."""

    def __init__(self, samples: F32, facing: F32, lamp: Bool, least: F32, reach: F32) -> None:
        """Samples (L,16,3) and normals there (L,16,3), 0 = both sides shine; a `lamp` (L,) shines all ways from its
        middle. No distance is below √least (L,), nothing is given beyond reach (L,)."""

    def moved(self, motion: F32) -> Lights:
        """In the frame that a motion leads to."""

    def samples(self) -> F32:
        """(L,16,3)"""

    def aim(self, points: F32, normals: F32) -> tuple[F32, F32]:
        """Diffuse and sheen (V,L) if nothing stood between."""

    def columns(
        self, opening: F32, over: float, blocked: U16, rows: I64, points: F32, normals: F32, diffuse: F32
    ) -> F32:
        """(R,1+L) how open rows of points are to the ambient, the sum of their openings (R,K) over `over`, and to each
        emitter, a bit of `blocked` (R,L) for each sample; `diffuse` (V,L) is that of aim."""

def mean(values: F32, over: float) -> F32:
    """(R,) sums of rows, divided."""

def look_up(values: F32, table: F32) -> F32:
    """(N,3) the entries of a table over 0..1 nearest to values, which are clipped to that."""

def noise(u: F32, v: F32, axis: I64, across: float, along: float, shift: float, tile: F32) -> F32:
    """(N,) a periodic tile (S,S) at places u, v (N,), scaled and shifted, of surfaces projected along an axis (N,)."""

def expose(
    ambient: F32, lamps: F32, sheen: F32, around: F32, power: F32, full: float, most: float, least: float, light: F32
) -> U8:
    """Exposed light (V,6) in place, compressed from `full` towards `most`; which points it changed."""

def shade(
    stirred: U8,
    rekindled: Bool,
    triangle: I32,
    bary: F32,
    faces: I64,
    light: F32,
    skin: I32,
    albedo: F32,
    gloss: F32,
    glow: F32,
    table: F32,
    top: float,
    colours: F32,
) -> None:
    """Colours (N,3) of the Gaussians between stirred light points (V,) or of rekindled skins (S,), in place."""

def glint(
    means: F32,
    normals: F32,
    own: F32,
    shade: F32,
    eye: F32,
    lamps: F32,
    gloss: tuple[float, float, float, int],
    light: F32,
    table: F32,
    top: float,
) -> F32:
    """Display values (N,3) of liquids of albedo `own` (N,3) dimmed by `shade` (N,), in even exposed light (3,), with
    highlights of lamps (M,3); 0 behind the eye (2,3: place, way ahead). Gloss: reflectance at normal incidence, albedo
    of what is mirrored, strength and exponent of highlights."""

def posed(means: F32, quats: F32, motion: F32, turn: F32) -> tuple[F32, F32]:
    """Means (N,3) moved by (3,4), and quaternions (N,4) wxyz turned by (4,)."""

def quantise(
    rgb: F32,
    alpha: F32,
    depth: F32,
    ids: U16,
    background: F32,
    covered: float,
    rgb8: U8,
    solid_depth: F32,
    solid_ids: U16,
) -> None:
    """A picture over a background as bytes, in place; at alpha `covered` nothing of the background is left. Depth and
    ids where it is at least half opaque."""
