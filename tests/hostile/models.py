"""Meshes, URDF and MJCF that lie, explode, or reach out of their folder."""

from __future__ import annotations

import functools
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import trimesh

Write = Callable[[Path], object]


def bytes_at(name: str, data: bytes) -> Write:
    return lambda folder: (folder / name).write_bytes(data)


# ---- GLB, OBJ, STL -------------------------------------------------------------------------------


def glb(tree: dict[str, object], more: bytes = b"") -> bytes:
    said = json.dumps({"asset": {"version": "2.0"}, **tree}).encode()
    said += b" " * (-len(said) % 4)
    binary = struct.pack("<II", len(more), 0x004E4942) + more if more else b""
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(said) + len(binary), len(said), 0x4E4F534A) + said + binary


@functools.cache
def png(width: int, height: int, bits: int = 1, kind: int = 0) -> bytes:
    """A picture of nothing but zeros that takes few bytes, however large it is."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = 1 + (width * bits + 7) // 8
    packer, pixels = zlib.compressobj(9), b""
    for _ in range(height):
        pixels += packer.compress(bytes(row))
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels + packer.flush()) + chunk(b"IEND", b"")


def textured(picture: bytes) -> bytes:
    """A GLB of one triangle with a picture on it."""
    corners = struct.pack("<9f6f", 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1)
    return glb({
        "buffers": [{"byteLength": len(corners)}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 24}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC2"},
        ],
        "images": [{"uri": "data:image/png;base64," + b64encode(picture).decode()}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "material": 0}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }, corners)  # fmt: skip


TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
MESHES: dict[str, tuple[str, bytes, str]] = {
    "glb count": (
        "x.glb",
        glb({"accessors": [{"count": 10**9, "componentType": 5126, "type": "VEC3"}]}),
        "accessor 0 .*more than the file has bytes",
    ),
    "glb node in itself": (
        "x.glb", glb({"nodes": [{"children": [1]}, {"children": [0]}], "scenes": [{"nodes": [0]}]}), "contains itself",
    ),
    "glb node on two": ("x.glb", glb({"nodes": [{"children": [2]}, {"children": [2]}, {}]}), "two others"),
    "glb no such node": ("x.glb", glb({"nodes": [{"children": [7]}]}), "can be read"),
    "glb file url": ("x.glb", glb({"buffers": [{"uri": "file:///etc/passwd", "byteLength": 8}]}), r"x\.glb"),
    "glb out of its folder": ("x.glb", glb({"buffers": [{"uri": "../../secret", "byteLength": 8}]}), r"x\.glb"),
    "glb http": ("x.glb", glb({"buffers": [{"uri": "http://127.0.0.1:9/b", "byteLength": 8}]}), r"x\.glb"),
    "glb cut": ("x.glb", textured(png(8, 8))[:200], "it is cut: 200 bytes"),
    "glb of JSON alone": ("x.glb", b'{"asset": {"version": "2.0"}}', "no glTF 2"),
    "glb brackets": ("x.glb", struct.pack("<4sIIII", b"glTF", 2, 500_020, 500_000, 0x4E4F534A) + b"[" * 500_000, "GLB"),
    "glb wide picture": ("x.glb", textured(png(9000, 8)), "image 0 is of 9000x8; 8192"),
    "glb picture bomb": ("x.glb", textured(png(40_000, 40_000)), "image 0 is no picture.*decompression bomb"),
    "glb no picture": ("x.glb", textured(b"<svg onload=alert(1)>"), "image 0 is no picture"),
    "stl count": ("x.stl", bytes(80) + struct.pack("<I", 4_000_000_000) + bytes(50), r"x\.stl"),
    "stl cut": ("x.stl", bytes(80) + struct.pack("<I", 9) + bytes(60), r"x\.stl"),
    "stl of nothing": ("x.stl", b"solid nothing\nendsolid nothing\n", r"x\.stl"),
    "stl NaN": (
        "x.stl", bytes(80) + struct.pack("<I12fH", 1, 0, 0, 1, *[float("nan")] * 9, 0), r"x\.stl.*(no numbers|nan)",
    ),
    "obj far material": ("x.obj", f"mtllib ../../../far.mtl\n{TRIANGLE}usemtl a\nf 1 2 3\n".encode(), r"far\.mtl"),
    "obj system file": ("x.obj", f"mtllib /etc/passwd\n{TRIANGLE}usemtl a\nf 1 2 3\n".encode(), "passwd"),
    "obj no such vertex": ("x.obj", f"{TRIANGLE}f 1 2 900000\n".encode(), r"x\.obj"),
    "obj NaN": ("x.obj", b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", r"x\.obj"),
    "obj infinite": ("x.obj", b"v 0 0 1e999\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", r"x\.obj"),
    "obj words": ("x.obj", b"v a b c\nf 1 2 3\n", r"x\.obj"),
    "obj of nothing": ("x.obj", b"# nothing\n", r"x\.obj"),
    "html as stl": ("x.stl", b"<html><script>alert(1)</script></html>", r"x\.stl"),
}  # fmt: skip
"""Name → file, its bytes, what is said."""


# ---- URDF ----------------------------------------------------------------------------------------

URDF = """<robot name="cab"><link name="base"/>
<link name="link_2"><visual><geometry><mesh filename="package://cab/textured_objs/box.obj"/></geometry></visual></link>
<link name="link_1"><visual><origin xyz="0 0 0.01"/><geometry><mesh filename="textured_objs/front.obj"/></geometry></visual>
  <collision><geometry><box size="0.46 0.3 0.02"/></geometry></collision></link>
<link name="link_0"><visual><geometry><box size="0.02 0.2 0.02"/></geometry><material name="m"><color rgba="1 0 0 1"/></material></visual></link>
<link name="link_3"><visual><geometry><sphere radius="0.02"/></geometry></visual></link>
<joint name="j2" type="fixed"><origin rpy="1.5707963267948966 0 -1.5707963267948966"/><parent link="base"/><child link="link_2"/></joint>
<joint name="j1" type="prismatic"><origin xyz="0 0.1 0.2"/><axis xyz="0 0 1"/><parent link="link_2"/><child link="link_1"/><limit lower="0" upper="0.3"/></joint>
<joint name="j0" type="revolute"><origin xyz="0.2 -0.1 0.2"/><axis xyz="0 1 0"/><parent link="link_2"/><child link="link_0"/><limit lower="-1.5" upper="0"/></joint>
<joint name="j3" type="continuous"><origin xyz="-0.2 -0.1 0.2"/><axis xyz="0 0 1"/><parent link="link_2"/><child link="link_3"/><mimic joint="j0" multiplier="2" offset="0.1"/></joint>
</robot>"""  # noqa: E501


def cabinet(folder: Path) -> Path:
    """An object in PartNet-Mobility's layout: y-up meshes, no inertias, seen but not solid, a knob that follows."""
    folder = folder / "cab"
    (folder / "textured_objs").mkdir(parents=True)
    trimesh.creation.box((0.5, 0.6, 0.4)).export(folder / "textured_objs" / "box.obj")
    trimesh.creation.box((0.46, 0.3, 0.02)).export(folder / "textured_objs" / "front.obj")
    (folder / "mobility.urdf").write_text(URDF)
    (folder / "semantics.txt").write_text("link_2 heavy cabinet_body\nlink_1 slider drawer\nlink_0 hinge handle\n")
    (folder / "mobility_v2.json").write_text(json.dumps([{"id": 2, "name": "cabinet_body"}]))
    return folder


def changed(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


LAUGHS = (
    "<!DOCTYPE l [<!ENTITY l0 'ha'>" + "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10}'>" for i in range(1, 10)) + "]>"
)
READS = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
URDFS: dict[str, tuple[str, str, str]] = {
    "urdf planar": ('type="prismatic"', 'type="planar"', "planar"),
    "urdf no parent": ('<parent link="base"/>', '<parent link="bass"/>', "bass"),
    "urdf limits": ('upper="0.3"', 'upper="-0.3"', "above the upper"),
    "urdf NaN": ('xyz="0 0.1 0.2"', 'xyz="0 nan 0.2"', "3 numbers"),
    "urdf axis": ('<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>', "axis is zero"),
    "urdf no limit": ('<limit lower="0" upper="0.3"/>', "", "no limit"),
    "urdf no mesh": ("textured_objs/front.obj", "textured_objs/back.obj", r"back\.obj"),
    "urdf out of its folder": ("textured_objs/front.obj", "../../../../../../etc/passwd", "passwd"),
    "urdf file url": ("textured_objs/front.obj", "file:///etc/passwd", "passwd"),
    "urdf doctype": ("<robot", "<!DOCTYPE x><robot", "DOCTYPE"),
    "urdf external entity": ("<robot", f"{READS}<robot", "DOCTYPE"),
    "urdf billion laughs": ("<robot", f"{LAUGHS}<robot", "DOCTYPE"),
    "urdf two joints": ('<child link="link_1"/>', '<child link="link_2"/>', "two joints"),
    "urdf cut": ("</robot>", "", "not XML"),
    "urdf huge": ("<robot", "<!--" + "x" * 9_000_000 + "--><robot", "larger than"),
}
"""Name → text of the sound file, its replacement, what is said."""

# ---- MJCF ----------------------------------------------------------------------------------------

MJCFS: dict[str, tuple[str, str, str]] = {
    "mjcf out of its folder": ("<asset>", '<asset><mesh name="m" file="../secret.stl"/>', "outside"),
    "mjcf link": ("<asset>", '<asset><mesh name="m" file="link.stl"/>', "link"),
    "mjcf no file": ("<asset>", '<asset><mesh name="m" file="none.stl"/>', "does not exist"),
    "mjcf doctype": ("<mujoco", '<!DOCTYPE x [<!ENTITY e "e">]><mujoco', "DOCTYPE"),
    "mjcf billion laughs": ("<mujoco", f"{LAUGHS}<mujoco", "DOCTYPE"),
    "mjcf plugin": ("<asset>", '<extension><plugin plugin="x"/></extension><asset>', "code"),
    "mjcf cut": ("</mujoco>", "", "not XML"),
    "mjcf number": ('axis="0 0 1"', 'axis="up"', "MuJoCo"),
    "mjcf include out": ("<asset>", '<include file="../secret.stl"/><asset>', "outside"),
    "mjcf system texture": ("<asset>", '<asset><texture name="p" type="2d" file="/etc/passwd"/>', "passwd"),
    "mjcf picture bomb": ("<asset>", '<asset><texture name="p" type="2d" file="bomb.png"/>', r"bomb\.png"),
    "mjcf stl of a lie": ("<asset>", '<asset><mesh name="m" file="lie.stl"/>', "lie|MuJoCo"),
    "mjcf builtin texture": (
        "<asset>", '<asset><texture name="p" type="2d" builtin="flat" width="90000" height="90000"/>', r"room\.xml",
    ),
    "mjcf field": ("<asset>", '<asset><hfield name="h" nrow="60000" ncol="60000" size="1 1 1 1"/>', r"room\.xml"),
    "mjcf memory": ("<asset>", '<size memory="900G"/><asset>', r"room\.xml"),
    "mjcf replicate": (
        "<worldbody>", '<worldbody><replicate count="100000000"><geom size="1"/></replicate>', r"room\.xml",
    ),
    "mjcf composite": (
        "<worldbody>",
        '<worldbody><flexcomp name="f" type="grid" count="3000 3000 300" spacing="1 1 1" radius="1"/>',
        r"room\.xml",
    ),
    "mjcf numeric": ("<asset>", '<custom><numeric name="n" size="2000000000" data="1"/></custom><asset>', r"room\.xml"),
    "mjcf user": ("<asset>", '<size nuser_geom="1000000000"/><asset>', r"room\.xml"),
    "mjcf nested": ("<worldbody>", "<worldbody>" + "<body>" * 200_000, r"room\.xml"),
    "mjcf deep": ("</worldbody>", "<body>" * 100_000 + "</body>" * 100_000 + "</worldbody>", r"room\.xml"),
}  # fmt: skip


def beside(folder: Path, root: Path) -> None:
    """What the MJCFs name."""
    (root / "secret.stl").write_bytes(b"x")
    (folder / "link.stl").symlink_to(root / "secret.stl")
    (folder / "bomb.png").write_bytes(png(40_000, 40_000))
    (folder / "lie.stl").write_bytes(bytes(80) + struct.pack("<I", 4_000_000_000) + bytes(50))
