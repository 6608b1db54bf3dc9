"""A clip as the members of a tar, and back: ids and depth exact (depth to the millimetre), video as H.264.

Equal clips give equal bytes on any machine: colour conversion and quantisation are integer arithmetic here,
x264 runs on one thread without processor-specific shortcuts, and no container carries a date or a version.
What remains is the versions of x264 and libjpeg; `versions` names them for dataset.json.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth4d import npz
from synth4d.errors import RenderError, ShardError
from synth4d.types import F32, U8, U16, CameraPath, Clip

MEMBERS = ("camera.json", "depth.npz", "ids.npz", "jpg", "mp4")
"""What `encode` gives; the caller adds facts.json and qa.json."""
CRF = 18
PRESET = "veryfast"
POSTER_QUALITY = 88
# x264's frames differ between thread counts and between processors without the first line. One key frame and
# no reordering: frame i of the file is frame i of the clip for every reader.
X264 = "threads=1:sliced-threads=0:cpu-independent=1:keyint=infinite:scenecut=0:bframes=0"


def encode(clip: Clip) -> dict[str, bytes]:
    """The members of a clip; RenderError where it is none (odd or unequal sizes, depth out of range)."""
    return _encoded(clip)[0]


def keep(clip: Clip) -> tuple[dict[str, bytes], Clip]:
    """`encode` and what `decode` makes of that, in half the time: depth and ids are lossless once quantised, so only
    the video is read back (test_codec.py::test_kept_is_what_is_decoded)."""
    members, depth_z_mm = _encoded(clip)
    camera = decode_camera(members["camera.json"])
    return members, Clip(decode_video(members["mp4"]), _metres(depth_z_mm), clip.ids, camera)


def _encoded(clip: Clip) -> tuple[dict[str, bytes], U16]:
    """The members and the depth in them."""
    _check(clip)
    depth_z_mm = quantise_depth(clip.depth_z_m)
    members = {
        "camera.json": encode_camera(clip.camera),
        "depth.npz": npz.pack("depth_z_mm", depth_z_mm),
        "ids.npz": npz.pack("ids", clip.ids),
        "jpg": _jpg(clip.rgb[len(clip.rgb) // 2]),
        "mp4": _mp4(clip.rgb, clip.camera.fps),
    }
    return members, depth_z_mm


def decode(members: Mapping[str, bytes]) -> Clip:
    """The clip in a sample's members; ShardError names the member that is missing or malformed."""
    missing = [name for name in MEMBERS if name not in members and name != "jpg"]
    if missing:
        raise ShardError(f"sample has no member {', '.join(missing)}: decode needs {', '.join(MEMBERS)}")
    clip = Clip(
        decode_video(members["mp4"]),
        decode_depth(members["depth.npz"]),
        decode_ids(members["ids.npz"]),
        decode_camera(members["camera.json"]),
    )
    try:
        _check(clip)
    except RenderError as error:
        raise ShardError(f"members of one sample disagree: {error}") from None
    return clip


def versions() -> dict[str, str]:
    """The libraries that the encoded bytes depend on."""
    import av
    import PIL

    return {"av": av.__version__, "pillow": PIL.__version__}


def _check(clip: Clip) -> None:
    shape, camera = clip.ids.shape, clip.camera
    if clip.rgb.shape != (*shape, 3) or clip.depth_z_m.shape != shape or len(shape) != 3 or 0 in shape:
        raise RenderError(
            f"clip's rgb {clip.rgb.shape}, depth {clip.depth_z_m.shape} and ids {shape} do not agree: "
            "give (T,H,W,3), (T,H,W), (T,H,W)"
        )
    if clip.rgb.dtype != np.uint8 or clip.ids.dtype != np.uint16:
        raise RenderError(f"clip's rgb is {clip.rgb.dtype} and ids {clip.ids.dtype}: give uint8 and uint16")
    if shape[1] % 2 or shape[2] % 2:
        raise RenderError(f"picture is {shape[2]}×{shape[1]}: yuv420p video needs an even width and height")
    if shape != (len(camera.T_world_cam), camera.height, camera.width):
        raise RenderError(
            f"clip is {shape[0]} frames of {shape[2]}×{shape[1]}, its camera "
            f"{len(camera.T_world_cam)} of {camera.width}×{camera.height}: render with the stored camera"
        )
    if not (np.isfinite(camera.fps) and 0 < camera.fps <= 1000):
        raise RenderError(f"fps is {camera.fps}: give a rate above 0, at most 1000")


# ---- Depth and ids -------------------------------------------------------------------------------


def quantise_depth(depth_z_m: ArrayLike) -> U16:
    """Metres → millimetres, nearest; 0 stays "nothing there"; RenderError where uint16 can't hold it."""
    depth = np.asarray(depth_z_m, np.float32)
    out = np.empty(depth.shape, np.uint16)
    # Frame by frame, which stays in the processor's cache.
    for frame, (metres, mm) in enumerate(zip(depth, out, strict=True)):
        if not (metres.min(initial=0) >= 0 and metres.max(initial=0) <= 65.5):  # so that NaN fails too
            raise RenderError(f"depth at frame {frame} is not within 0 … 65.5 m: cut it there; 0 = nothing")
        # float32 × 1000 rounds the same everywhere: one IEEE product, then rint.
        mm[...] = np.rint(metres * np.float32(1000))
    return out


def decode_depth(data: bytes) -> F32:
    """depth.npz → (T,H,W) metres, 0 = nothing there."""
    return _metres(npz.unpack(data, "depth.npz", "depth_z_mm"))


def _metres(depth_z_mm: U16) -> F32:
    return np.divide(depth_z_mm, np.float32(1000), dtype=np.float32)


def decode_ids(data: bytes) -> U16:
    """ids.npz → (T,H,W), 0 = background."""
    return npz.unpack(data, "ids.npz", "ids").copy()


# ---- Pictures ------------------------------------------------------------------------------------


def _jpg(rgb: U8) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(out, "JPEG", quality=POSTER_QUALITY)
    return out.getvalue()


def yuv420(rgb: U8) -> U8:
    """(H,W,3) → (H·3/2,W) planes Y, U, V: BT.601, limited range, chroma of each 2×2 block's mean.

    The integer form of ITU-R BT.601; swscale's own conversion differs between processors.
    """
    from synth4d._packing import yuv420 as planes

    h, w, _ = rgb.shape
    out = np.empty((h * 3 // 2, w), np.uint8)
    planes(np.ascontiguousarray(rgb), out)
    return out


def _mp4(rgb: U8, fps: float) -> bytes:
    import av
    from av.codec.context import Flags
    from av.video.reformatter import ColorRange, Colorspace

    out = io.BytesIO()
    with av.open(out, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = rgb.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(CRF), "preset": PRESET, "x264-params": X264}
        context = stream.codec_context
        context.flags |= Flags.bitexact
        context.thread_count = 1
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.SMPTE170M
        for i, picture in enumerate(rgb):
            frame = av.VideoFrame.from_ndarray(yuv420(picture), format="yuv420p")
            frame.color_range, frame.colorspace, frame.pts = ColorRange.MPEG, Colorspace.SMPTE170M, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def decode_video(data: bytes) -> U8:
    """mp4 → (T,H,W,3) sRGB, the same on every processor."""
    import av

    try:
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            stream = container.streams.video[0]
            if stream.width * stream.height * max(stream.frames, 1) > npz.MAX_VALUES:
                raise ValueError(f"{stream.frames} frames of {stream.width}×{stream.height} are too many")
            stream.thread_count = 1
            graph = _to_rgb(stream)
            frames = []  # room for as many as the header says is made only once they are there
            for frame in container.decode(stream):
                graph.push(frame)
                frames.append(graph.pull().to_ndarray())
        if len(frames) != stream.frames:
            raise ValueError(f"{len(frames)} of {stream.frames} frames can be decoded")
        return np.stack(frames)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise ShardError(f"mp4 is no whole video: {error}") from None


def _to_rgb(stream: Any) -> Any:
    """Conversion of decoded frames to RGB.

    Without these flags swscale's result depends on the processor, and facts are read from these pixels. It
    takes 1.3 times as long and is 0.5 dB closer. One thread: more take twice as long at these sizes.
    """
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(template=stream)
    scale = graph.add("scale", "flags=accurate_rnd+bitexact+bilinear")
    form, sink = graph.add("format", "rgb24"), graph.add("buffersink")
    source.link_to(scale)
    scale.link_to(form)
    form.link_to(sink)
    graph.configure()
    return graph


# ---- Camera --------------------------------------------------------------------------------------


def encode_camera(camera: CameraPath) -> bytes:
    """camera.json, exactly as records.CameraRecord describes it."""
    from synth4d.records import CameraRecord, dump

    return dump(
        CameraRecord(
            width=camera.width,
            height=camera.height,
            fps=camera.fps,
            K=np.asarray(camera.K, float).tolist(),
            T_world_cam=np.asarray(camera.T_world_cam, float).tolist(),
        )
    )


def decode_camera(data: bytes) -> CameraPath:
    try:
        record: dict[str, Any] = json.loads(data)
        K, T = np.array(record["K"], float), np.array(record["T_world_cam"], float)
        if K.shape != (3, 3) or T.shape[1:] != (4, 4):
            raise ValueError(f"K is {K.shape}, T_world_cam {T.shape}")
        return CameraPath(int(record["width"]), int(record["height"]), K, T, float(record["fps"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(f"camera.json is no camera: {error!r}") from None
