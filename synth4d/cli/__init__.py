"""The commands. Exit codes: 0 whole, 2 wrong use, 3 partial, 1 otherwise; an error is one line on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence

from synth4d import machine
from synth4d.errors import ConfigError, SynthError

WIDE = "1000"


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `synth4d`; ends the process with the command's exit code."""
    machine.settle()
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Run a command and give its exit code."""
    verbose = any(flag in argv for flag in ("-v", "--verbose"))
    argv = [a for a in argv if a not in ("-v", "--verbose")]
    try:
        return _parse(argv)()
    except SynthError as e:
        return _fail(str(e), e.exit_code, verbose)
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing is wrong. Python would complain at exit when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as e:  # run.Stopped among them, which must not be imported with every command
        return _fail(str(e) or "stopped", getattr(e, "exit_code", 130), verbose and bool(str(e)))
    except Exception as e:
        text = " ".join(str(e).split())
        return _fail(f"{type(e).__name__}: {text[:300]} (a fault of the program; -v shows where)", 1, verbose)


def _fail(message: str, code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _parse(argv: list[str]) -> Callable[[], int]:
    """The command that the arguments say, ready to run."""
    import tyro

    from synth4d.cli import ask, compare, fit, gc, importing, judging, look, make

    commands: dict[str, Callable[..., Callable[[], int]]] = {
        "dataset": make.Dataset,
        "render": make.Render,
        "ask": ask.Ask,
        "fit": fit.Fit,
        "filter": judging.Filter,
        "audit": judging.Audit,
        "verify": look.Verify,
        "stats": look.Stats,
        "digest": compare.Digest,
        "leaks": compare.Leaks,
        "browse": look.Browse,
        "scenes": look.Scenes,
        "schema": look.Schema,
        "doctor": look.Doctor,
        "import": importing.Import,
        "bench": make.Bench,
        "gc": gc.Gc,
    }
    description = "3D and 4D scenes in, training data for vision-language models out. -v shows tracebacks."
    if not argv:
        argv = ["--help"]
    with _one_line() as errors:
        try:
            command: Callable[[], int] = tyro.extras.subcommand_cli_from_dict(
                commands, prog="synth4d", description=description, args=argv,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
            )  # fmt: skip
        except SystemExit as e:
            if e.code:
                raise ConfigError(_said(errors.getvalue())) from None
            raise
    return command


@contextlib.contextmanager
def _one_line() -> Iterator[io.StringIO]:
    """Catch what the argument parser says about an error, in one long line."""
    errors, columns = io.StringIO(), os.environ.get("COLUMNS")
    with contextlib.redirect_stderr(errors):
        if columns is None and "-h" not in sys.argv and "--help" not in sys.argv:
            os.environ["COLUMNS"] = WIDE
        try:
            yield errors
        finally:
            if columns is None:
                os.environ.pop("COLUMNS", None)


def _said(text: str) -> str:
    """The parser's framed message as one line, with the options it thinks were meant."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    # The first line is the frame's title; where the output is not UTF-8 the frame is made of minus signs.
    rows = [line.strip("│╰╯─ \t") for line in plain.strip().splitlines()[1:]]
    message = " ".join(row for row in rows if row.strip("-"))
    message, _, _ = message.partition("For full helptext")
    message, _, meant = message.partition("Perhaps you meant:")
    message, _, _ = message.partition("Got errors:")
    message, _, _ = message.partition("Argument helptext:")
    options = [f for f in dict.fromkeys(re.findall(r"--[a-z][a-z-]+", meant)) if f != "--help"]
    hint = f"; did you mean {' or '.join(options)}?" if options else ""
    return (re.sub(r" +", " ", message).strip(". ") or "wrong use") + (hint or "; see `synth4d --help`")
