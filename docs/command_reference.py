"""Writes docs/reference/command.md from the command's own help, so that the two cannot differ."""

from __future__ import annotations

from pathlib import Path

import click

from upres.cli import upres

PAGE = Path(__file__).parent / "reference" / "command.md"
_INTRODUCTION = """# The command

Written by `make docs` from `--help`.

Exit codes: 0 done · 1 a fault of upres · 2 wrong options · 3 a picture or model that cannot be
used · 4 something on this machine: a file, folder, model or engine · 5 no room · 130 interrupted.
"""


def render() -> str:
    """Return the page's text: every command's help, subcommands included."""
    sections = [_INTRODUCTION]
    for name, command in _commands("upres", upres):
        context = click.Context(
            command,
            info_name=name,
            terminal_width=96,
            max_content_width=96,
            help_option_names=["-h", "--help"],
        )
        sections.append(f"## {name}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(sections)


def _commands(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner in command.list_commands(context):
            member = command.get_command(context, inner)
            if member is not None:
                found += _commands(f"{name} {inner}", member)
    return found


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
