"""The command: parses words, calls the library, turns errors into one line and an exit code."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Any

import click

from upres import __version__
from upres.cli.exits import EXIT_INTERRUPTED, exit_code
from upres.errors import ExtraMissing, UpresError

_SIGNALLED = 128
"""What shells add to a signal's number for an exit code."""
_COMMANDS = {
    "enlarge": ("upres.cli.enlarge", "Enlarge pictures."),
    "video": ("upres.cli.video", "Enlarge a clip."),
    "compare": ("upres.cli.compare", "Show two pictures side by side."),
    "serve": ("upres.cli.serve", "Run the web service: page, HTTP interface, workers."),
    "worker": ("upres.cli.worker", "Run one more worker of the service."),
    "web": ("upres.cli.web", "Answer the service's requests, without workers."),
    "keys": ("upres.cli.keys", "Add, list, remove API keys of the service."),
    "models": ("upres.cli.models", "List, pull, verify, add models; print their paths."),
    "tune": ("upres.cli.tune", "Measure which engine is fastest here."),
    "bench": ("upres.cli.bench", "Measure models: quality on pictures, speed here."),
    "doctor": ("upres.cli.doctor", "Check this installation and say what is wrong."),
}
_EXTRAS = {**dict.fromkeys(("serve", "worker", "web", "keys"), "service"), "video": "video"}
"""Commands that need an extra such as `upres[service]`."""


class _LazyGroup(click.Group):
    """Imports a command's module only when that command runs: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        try:
            command: click.Command = import_module(_COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as error:
            module = error.name or ""
            if cmd_name not in _EXTRAS or module.partition(".")[0] == "upres":
                raise
            part = f"upres {cmd_name}"
            raise ExtraMissing(part, module=module, extra=_EXTRAS[cmd_name]) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="upres")
def upres() -> None:
    """Super-resolution on ordinary CPUs: enlarge pictures with small networks.

    \b
    upres enlarge photo.jpg                 three times larger, beside it
    upres enlarge photos/ -o large/ --scale 2
    upres models pull edsr
    """  # noqa: D301 - click's mark for lines to be left alone


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit; `arguments` are sys.argv's by default."""
    _heed_signals()
    sys.exit(run(arguments))


def _heed_signals() -> None:
    """Let an interrupt or a request to end unwind the work, so that no part of a file is left."""

    def interrupt(number: int, _: object) -> None:
        # one more while the work is being undone would leave it half undone
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(_SIGNALLED + number)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def run(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        result: Any = upres.main(arguments, prog_name="upres", standalone_mode=False)
    except UpresError as error:
        complain(str(error))
        return exit_code(error)
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # the reader of our standard output went away; nothing is left to say to it
        sys.stderr.close()
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else 0


def complain(text: str) -> None:
    """Print one line on standard error."""
    click.echo(f"upres: {shown(' '.join(text.split()))}", err=True)


def shown(text: object) -> str:
    """Return text with control characters spelled out: a file's name must not steer a terminal."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(text)
    )
