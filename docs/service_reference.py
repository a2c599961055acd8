"""Writes docs/reference/service-settings.md from the settings themselves."""

from __future__ import annotations

from pathlib import Path

from upres.service.given import CONFIG, PREFIX, UPLOAD_MODEL
from upres.service.settings import ServiceSettings

PAGE = Path(__file__).parent / "reference" / "service-settings.md"
GROUPS = {
    "listen_host": "Requests",
    "data_folder": "Storage",
    "workers": "Work",
    "upload_bytes": "Limits",
}
"""The first setting of each group."""

_INTRODUCTION = f"""# Settings of the service

Written by `make docs` from the settings themselves.

From the environment, and from the TOML file that `{CONFIG}` names: there a setting
has its variable's name in small letters without `{PREFIX}`. The environment wins. All
mistakes are reported at once, an unknown name is one, and passwords are never shown.
`{UPLOAD_MODEL}` is another name of `{PREFIX}UPLOAD_MODEL`.
[What the command reads](settings.md) holds for the service too, except its limits.

The limits are meant for a machine that strangers reach; they do only when `listen_host` is set so.
In Kubernetes `{PREFIX}HOST`, `{PREFIX}PORT` and `{PREFIX}PORT_…` are ignored:
the cluster sets them by itself for a service named `upres`.
"""
_GROUPED = 10_000
_WORDS = {
    "data_folder": "`service` in the user's data folder",
    "database_url": "`jobs.sqlite` in the data folder",
}
"""Defaults that differ from machine to machine."""


def render() -> str:
    """Return the page's text."""
    lines = [_INTRODUCTION.rstrip()]
    for name, field in ServiceSettings.model_fields.items():
        if name in GROUPS:
            lines += ["", f"## {GROUPS[name]}", "", "| variable | what it sets | default |"]
            lines.append("|---|---|---|")
        words = " ".join((field.description or "").split())
        lines.append(f"| `{PREFIX}{name.upper()}` | {words} | {_default(name)} |")
    return "\n".join(lines) + "\n"


def _default(name: str) -> str:
    value = ServiceSettings.model_fields[name].default
    if name in _WORDS:
        return _WORDS[name]
    if value is None:
        return ""
    if isinstance(value, str | bool):
        return f"`{str(value).lower()}`"
    return f"{value:,}" if value >= _GROUPED else str(value)


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
