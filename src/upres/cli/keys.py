"""`upres keys`: who may use the service; keys are shown once, their hashes are kept."""

from __future__ import annotations

from pathlib import Path

import click

from upres.errors import InvalidOption
from upres.service.settings import ServiceSettings
from upres.web.keys import SCOPES, Keyring, add, remove


@click.group(name="keys", short_help="Add, list, remove API keys of the service.")
def command() -> None:
    """Add, list, remove API keys of the service.

    They are kept in the file that UPRES_SERVICE_API_KEYS_FILE names. A running service notices.
    """


def _file() -> Path:
    path = ServiceSettings.from_environment().api_keys_file
    if path is None:
        raise InvalidOption("UPRES_SERVICE_API_KEYS_FILE", "", "a file to keep API keys in")
    return path


@command.command(name="add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("enlarge",),
    show_default=True,
    help=f"What the key is good for: {', '.join(SCOPES)}; may be given several times.",
)
def add_key(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key and print it, this once."""
    click.echo(add(_file(), name, scopes=scopes))


@command.command(name="list")
def list_keys() -> None:
    """List the names of the keys, and what they are good for."""
    for key in Keyring(_file()).all():
        click.echo(f"{key.name:<24}{key.id}  {', '.join(key.scopes)}")


@command.command(name="remove")
@click.argument("name")
def remove_key(name: str) -> None:
    """Forget a key: it opens nothing any longer."""
    remove(_file(), name)
