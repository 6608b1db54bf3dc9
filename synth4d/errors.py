"""The errors a person can meet. A message is one line: what, where, and what to do."""


class SynthError(Exception):
    """Base of all errors that are the user's to mend; the CLI prints them without a traceback."""

    exit_code = 1


class ConfigError(SynthError):
    """Wrong use: an unknown option, scene, value or a malformed YAML file."""

    exit_code = 2


class SceneError(SynthError):
    """A scene that can't be loaded: a missing asset, an unknown body, a hostile file."""

    exit_code = 2


class CannotHappen(SynthError):
    """A shot whose events the simulation could not carry out; it is replanned, then quarantined."""


class RenderError(SynthError):
    """A renderer that is missing, failed, or returned what is no picture."""


class ShardError(SynthError):
    """Bytes on disk that are not what their manifest says, or could not be written."""


class ModelError(SynthError):
    """A language model's server, key, or reply store that can't be used."""


class TryLater(ModelError):
    """A run that ended early and is resumed by the same command: its budget is spent, or the server is away."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h."""
