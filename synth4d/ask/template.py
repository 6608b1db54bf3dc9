"""Wordings from prompts/<family>.<language>.j2: one block a kind, one wording a line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import jinja2
import numpy as np

from synth4d.errors import ConfigError
from synth4d.records import Text

LANGUAGES = ("en", "zh")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


class Prompts:
    """The question templates of a folder, and their hash."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*.j2"))
        if not files:
            raise ConfigError(f"no question templates (*.j2) in {folder}; install synth4d with its prompts")
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        self.hash = digest.hexdigest()[:12]
        loader = jinja2.FileSystemLoader(folder)
        self.env = jinja2.Environment(
            loader=loader,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            auto_reload=False,
        )
        self.env.filters["cap"] = _capital
        self._filled = lru_cache(maxsize=4096)(self._fill)  # moments and things are named again and again

    def wordings(self, family: str, language: str, kind: str, slots: Mapping[str, str]) -> tuple[str, ...]:
        """Every wording of a kind, filled in."""
        return self._filled(family, language, kind, tuple(slots.items()))

    def _fill(self, family: str, language: str, kind: str, slots: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        template = self.env.get_template(f"{family}.{language}.j2")
        if kind not in template.blocks:
            raise ConfigError(f"prompts/{family}.{language}.j2 has no block {kind}; add one, a wording a line")
        text = "".join(template.blocks[kind](template.new_context({k: " ".join(v.split()) for k, v in slots})))
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    def block(self, family: str, language: str, name: str, **slots: object) -> str:
        """A block as a whole, filled in."""
        template = self.env.get_template(f"{family}.{language}.j2")
        return "".join(template.blocks[name](template.new_context(slots))).strip()

    def say(self, family: str, kind: str, slots: Mapping[str, Text | str], rng: np.random.Generator) -> Text:
        """One wording in each language, drawn independently."""
        said = {}
        for language in LANGUAGES:
            filled = {k: v if isinstance(v, str) else getattr(v, language) for k, v in slots.items()}
            lines = self.wordings(family, language, kind, filled)
            said[language] = lines[int(rng.integers(len(lines)))]
        return Text(**said)


def prompts_folder() -> Path:
    """The folder of the shipped templates: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_data" / "prompts", package.parent / "prompts"):
        if folder.is_dir():
            return folder
    raise ConfigError(f"no folder prompts beside or in {package}; install synth4d again")


@lru_cache(maxsize=4)
def load(folder: Path | None = None) -> Prompts:
    return Prompts(folder or prompts_folder())
