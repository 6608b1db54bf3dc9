"""The typed configuration of a run, read from pipelines/*.yaml and `--set key=value`.

Every error is one line that names the file and line (or the option), the value and the choices.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synth4d import yamlfile
from synth4d.errors import ConfigError
from synth4d.llm.settings import Budget, Endpoint

Options = dict[tuple[str | int, ...], str]
"""Path of a value in the config to the option of the command line that set it."""
Split = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,15}$")]
Side = Annotated[int, Field(ge=16, le=4096, multiple_of=2)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Mix(Part):
    """How many of each kind of shot there are in one round; rounds repeat over the plan."""

    dynamic: Annotated[int, Field(ge=0, le=100)] = 4
    twin: Annotated[int, Field(ge=0, le=100)] = 2
    static: Annotated[int, Field(ge=0, le=100)] = 1
    control: Annotated[int, Field(ge=0, le=100)] = 1

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.dynamic + self.static + self.control == 0:
            raise ValueError("needs at least one dynamic, static or control shot")
        if self.twin > self.dynamic:
            raise ValueError(f"twin ({self.twin}) may not exceed dynamic ({self.dynamic}): each has one sibling")
        return self


class Limits(Part):
    """What a shot may cost before it is given up. Not part of the plan: raising one resumes a run."""

    shot_seconds: Annotated[int, Field(ge=1, le=86400)] = 600
    memory_mb: Annotated[int, Field(ge=256)] = 3072
    """Memory one worker may allocate beyond what it has at its start."""


class Cache(Part):
    """What this machine keeps between runs (docs/cache.md). Not part of the plan: no byte depends on it."""

    max_gb: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 10.0
    """Of clips, in 10⁹ bytes; those unused for longest go first. 0: nothing is kept, nothing is taken."""


class Nerf(Part):
    """What a radiance field is fitted to, and how large it is."""

    layout: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Number of the layout that the field shows."""
    views: Annotated[int, Field(ge=4, le=4096)] = 200
    size: Side = 400
    """Width and height of a view, pixels; held-out views have half of it."""
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    rays: Annotated[int, Field(ge=16, le=1 << 20)] = 2048
    """Rays a step."""
    levels: Annotated[int, Field(ge=1, le=32)] = 8
    features: Literal[2, 4] = 4
    """Features a level of the hash grid."""
    log2_size: Annotated[int, Field(ge=4, le=24)] = 17
    """Rows of a level, as a power of two."""
    max_res: Annotated[int, Field(ge=16, le=1 << 16)] = 1024
    hidden: Annotated[int, Field(ge=8, le=256)] = 32
    """Width of the networks."""
    samples: list[Annotated[int, Field(ge=4, le=512)]] = [64, 48, 32]
    """Samples a ray when it is drawn: of the two proposal networks, then of the field."""
    floor_db: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 24.0
    """Least PSNR on held-out views of a fit that is used."""

    @model_validator(mode="after")
    def _three(self) -> Self:
        if len(self.samples) != 3:
            raise ValueError(f"samples must be three counts, not {len(self.samples)}")
        return self


class Llm(Endpoint):
    """The model that is asked, where one is, and how: an endpoint's values (docs/llm.md) and the run's own."""

    model: Annotated[str, Field(max_length=256)] = ""
    max_tokens: Annotated[int, Field(ge=16, le=1_000_000)] = 2048
    """Of one reply, with what a model thinks before it."""
    prompts: Literal["en", "zh"] = "en"
    """Language in which the model is told what to do; it always words in both."""
    budget: Budget = Budget()
    """What one run may send and spend."""
    store: Annotated[str, Field(max_length=4096)] = ""
    """File of the replies, which several runs may share; replies.sqlite in the dataset's folder where none is named."""
    offline: bool = False
    """Take every reply from the store and open no socket."""
    batch: bool = False
    """Make all shots and ask nothing: the requests go out as files (synth4d ask)."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Shots whose questions are worked out together."""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(**{name: getattr(self, name) for name in Endpoint.model_fields})

    def shapes(self) -> dict[str, Any]:
        """What of it a dataset's bytes depend on. Of the server that is its name, since replies are kept by it;
        all of one's own are one, wherever they listen."""
        endpoint = self.endpoint
        return {
            "model": self.model, "base_url": f"http://{endpoint.server}", "params": self.params,
            "tokens_field": endpoint.tokens, "attempts": self.attempts, "prompts": self.prompts,
            "max_tokens": self.max_tokens,
        }  # fmt: skip


class Blind(Part):
    """Which questions are dropped because they are guessed without looking."""

    probe: Literal["none", "text", "openai"] = "none"
    """Who guesses: nobody, a classifier of words that learns from other layouts, or a model behind a server."""
    gap: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 3.0
    """Points above chance that may be guessed of a kind."""
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    block: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Shots that are judged together; as many wait on disk to be committed."""
    least: Annotated[int, Field(ge=2)] = 20
    """Questions that a kind must have in a block to be judged."""


class Votes(Part):
    """A model as third witness: how it is asked, and how often it must agree."""

    witness: Literal["none", "openai"] = "none"
    """Who votes: nobody, or a model behind an OpenAI-compatible server."""
    samples: Annotated[int, Field(ge=1, le=99)] = 5
    """Answers drawn for each question, in English and Chinese by turns."""
    agree: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Least share of them that must agree with the stored answer."""
    frames: Annotated[int, Field(ge=0, le=64)] = 0
    """Pictures shown with each question beside its evidence; 0: the facts are told as text instead."""
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.7


class RunConfig(Part):
    """Everything a dataset follows from, apart from code and scene files."""

    scenes: list[Annotated[str, Field(min_length=1, max_length=4096)]] = []
    """Names in scenes/, or paths of scene.yaml files."""
    shots: Annotated[int, Field(ge=1, le=10_000_000)] = 16
    """Shots in all, dealt out to the scenes in turn."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    frames: Annotated[int, Field(ge=1, le=4096)] = 24
    fps: Annotated[float, Field(ge=0.25, le=120, allow_inf_nan=False)] = 4.0
    width: Side = 384
    height: Side = 288
    renderer: Literal["auto", "splat", "splat-cuda", "nerf", "mesh"] = "auto"
    static_renderer: Literal["same", "splat", "splat-cuda", "nerf", "mesh"] = "same"
    """What draws the static shots; same: `renderer`."""
    author: Literal["template", "openai", "template+openai"] = "template"
    """Who asks: templates; a model, with their mix of kinds; or templates whose questions a model words anew."""
    questions: Annotated[int, Field(ge=1, le=1000)] = 24
    """Questions asked of each shot, before the filter."""
    whatif: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    """Of the shots in which something happens, this share is simulated once more without one of its events, so that
    it can be asked what would have been."""
    mix: Mix = Mix()
    splits: dict[Split, Annotated[float, Field(ge=0, le=1)]] = {"train": 0.8, "val": 0.1, "test": 0.1}
    """Share of the layouts that falls to each split."""
    shard_samples: Annotated[int, Field(ge=1, le=100_000)] = 16
    max_attempts: Annotated[int, Field(ge=1, le=50)] = 12
    """How often a shot whose events can't be carried out is planned anew."""
    votes: Votes = Votes()
    limits: Limits = Limits()
    cache: Cache = Cache()
    nerf: Nerf = Nerf()
    llm: Llm = Llm()
    blind: Blind = Blind()

    @property
    def asks_a_model(self) -> bool:
        """A shot's questions are made or judged with a model."""
        return self.author != "template" or self.votes.witness != "none"

    @property
    def needs_a_model(self) -> bool:
        return self.asks_a_model or self.blind.probe == "openai"

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.needs_a_model and not self.llm.model:
            who = f"author {self.author}" if self.author != "template" else f"votes.witness {self.votes.witness}"
            who = who if self.asks_a_model else f"blind.probe {self.blind.probe}"
            raise ValueError(f"{who} needs a model: llm.model, and llm.base_url unless it is OpenAI's")
        return self

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if abs(sum(self.splits.values()) - 1) > 1e-6:
            raise ValueError(f"splits must add up to 1, not {sum(self.splits.values()):g}")
        return self


# ---- From a file and options to a config ---------------------------------------------------------


def load(path: Path | None, overrides: dict[str, Any], sets: tuple[str, ...] = ()) -> RunConfig:
    """The config of a file (None: all defaults), then of the options given, then of `--set key=value`."""
    document = yamlfile.read(path) if path is not None else yamlfile.Document(Path("config"), {}, {})
    data = document.data if document.data is not None else {}
    if not isinstance(data, dict):
        raise ConfigError(f"{document.path}:1: must be a map of keys to values")
    options: Options = {}
    for key, value in overrides.items():
        data[key] = value
        options[(key,)] = f"--{key}"
    for text in sets:
        _set(data, options, text)
    try:
        return RunConfig.model_validate(data)
    except ValidationError as e:
        raise ConfigError(_explain(e, document, options)) from None


def _set(data: dict[str, Any], options: Options, text: str) -> None:
    key, equals, raw = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z_0-9]+(\.[a-z_0-9]+)*", key):
        raise ConfigError(f"--set {text!r}: must be key=value, e.g. --set mix.twin=0")
    path = tuple(key.split("."))
    for part in path[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {text!r}: {part!r} has no keys of its own")
    data[path[-1]] = yamlfile.parse(raw.encode(), Path(f"--set {key}")).data
    options.update({path[:n]: f"--set {key}" for n in range(1, len(path) + 1)})


def _explain(error: ValidationError, document: yamlfile.Document, options: Options) -> str:
    """One line for the first of pydantic's errors."""
    first = error.errors()[0]
    loc = tuple(first["loc"])
    given = next((options[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in options), None)
    place = given or (document.where(loc) if document.lines else str(document.path))
    name = ".".join(map(str, loc))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown key {name!r}; choices: {', '.join(_choices(loc[:-1]))}{more}"
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    # What stands in the place of a model's address may be a key.
    got = "" if isinstance(value, dict | BaseModel) or loc[:1] == ("llm",) else f", not {str(value)[:60]!r}"
    return f"{place}: {name + ': ' if name else ''}{message[0].lower()}{message[1:]}{got}{more}"


def _choices(path: tuple[str | int, ...]) -> list[str]:
    model: Any = RunConfig
    for part in path:
        model = model.model_fields[str(part)].annotation
    return sorted(model.model_fields)
