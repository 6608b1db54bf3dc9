"""props.yaml → the categories a scene may be furnished with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel

from synth4d import yamlfile
from synth4d.errors import SceneError
from synth4d.scene.props import SHAPES
from synth4d.scene.spec import NameSpec, Slug, Spec
from synth4d.types import Name
from synth4d.vocabulary import COLOURS


class CategorySpec(Spec):
    shape: str
    name: NameSpec
    colours: Annotated[list[str], Field(min_length=1)]


class CatalogueSpec(RootModel[dict[Slug, CategorySpec]]):
    pass


@dataclass(frozen=True, slots=True)
class Category:
    key: str
    shape: str
    """Key of props.SHAPES."""
    name: Name
    colours: tuple[str, ...]


def catalogue(folder: Path) -> tuple[dict[str, Category], Path]:
    """The prop categories of a scene folder: its own props.yaml, else that beside it, else the project's."""
    package = Path(__file__).resolve().parents[1]
    for place in (folder, folder.parent, package.parent / "scenes", package / "_data" / "scenes"):
        if (place / "props.yaml").is_file():
            return _read(place / "props.yaml"), place / "props.yaml"
    raise SceneError(f"{folder}: no props.yaml here, beside it or in the project")


@lru_cache(maxsize=8)
def _read(path: Path) -> dict[str, Category]:
    spec, document = yamlfile.load(path, CatalogueSpec, SceneError)
    out = {}
    for key, category in spec.root.items():
        names: list[tuple[str, Iterable[str], str]] = [(category.shape, SHAPES, "shape")]
        names += [(c, COLOURS, "colour") for c in category.colours]
        for value, choices, what in names:
            if value not in choices:
                raise SceneError(
                    f"{document.where((key,))}: unknown {what} {value!r}; choices: {', '.join(sorted(choices))}"
                )
        n = category.name
        out[key] = Category(key, category.shape, Name(n.en, n.zh, n.measure, n.plural), tuple(category.colours))
    return out
