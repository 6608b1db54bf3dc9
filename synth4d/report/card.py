"""README.md of a dataset: what it is, how to read it, how it was made."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from synth4d.records import DatasetRecord


def card(record: DatasetRecord) -> str:
    """The dataset card in Markdown, with the front matter that dataset hubs read."""
    env = Environment(loader=PackageLoader("synth4d.report"), undefined=StrictUndefined, trim_blocks=True)
    return env.get_template("card.md.j2").render(r=record, c=record.config, scenes=", ".join(record.config["scenes"]))
