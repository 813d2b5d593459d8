"""`myceld config`: what a cell or a hypha is told, where that is written, what is wrong with it.

Works on the file alone, whether the cell runs or not; `reload` and `set` have a running cell take
over what it can.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.errors import BadSetting, ConfigInvalid
from cli.hypha import is_hypha, role_option
from cli.options import Common, common_options, expand, home_option, json_option
from identity.private_file import write_private
from myceld.errors import CellUnreachable
from myceld.views import ConfigView, ReloadView, SettingView
from settings import BadConfig, Config, LightConfig, Problem, Reading, change, inspect
from settings.documents import assemble, layer_of
from settings.errors import DEFAULT, Origin, nearest
from settings.files import read_file, read_layers
from settings.keys import Place, Spelled, Value, Wrong, places_in, take, what_runs
from settings.profiles import PROFILE, profile_names, read_profile
from settings.showing import MASK, changes_between, shown_values
from settings.writing import flow

_NAMES: Final[dict[type, str]] = {Config: "config.yaml", LightConfig: "hypha.yaml"}


@click.group()
def config() -> None:
    """Show, check and change what the cell is told."""


@config.command("show")
@click.option("--effective", is_flag=True, help="All keys, not only those that are set.")
@click.option("--origins", is_flag=True, help="Say where each value comes from.")
@click.option("--running", is_flag=True, help="What the running cell goes by, not the files.")
@common_options
def show_config(common: Common, *, effective: bool, origins: bool, running: bool) -> None:
    """Show what is configured: the file, what it extends, and the environment.

    \b
    Examples:
      myceld config show
      myceld config show --effective --origins
      myceld config show --running
    """
    if running:
        with common.client() as client:
            answer = client.config()
    else:
        answer = _configured(common.home)
    rows = [row for row in answer["values"] if effective or row["origin"] != DEFAULT.place]
    if common.as_json:
        show.as_json({**answer, "values": rows})
        return
    before = ""
    for row in rows:
        section, _, name = row["key"].partition(".")
        if section != before:
            show.line(f"{show.safe(section)}:")
            before = section
        value = show.safe(MASK if row["is_masked"] else flow(_listed(row["value"])))
        origin = Origin(row["origin"], row["line"])
        show.line(f"  {show.safe(name)}: {value}{f'  # {show.safe(origin)}' if origins else ''}")
    for name in answer["needs_restart"]:
        show.line(f"needs a start  {show.safe(name)}")


@config.command("set")
@common_options
@click.argument("name", metavar="SECTION.KEY")
@click.argument("value")
def set_value(common: Common, name: str, value: str) -> None:
    """Set one key in config.yaml; its comments and everything else stay as they are.

    Lists are separated by commas, gateways of a hypha by semicolons. The value is checked, with
    the rest of the file, before anything is written. A cell that runs takes it over at once if it
    can; what has to wait for its next start is named.

    \b
    Examples:
      myceld config set logging.level debug
      myceld config set gateway.rate_open 300
      myceld config set discovery.mdns false
    """
    document = _document(common.home)
    path = common.home / _NAMES[document]
    place = _place(document, name)
    taken = take(place, Spelled(value))
    if isinstance(taken, Wrong):
        raise BadSetting(f"{place}: {taken.message}")
    text = change(read_file(path).decode("utf-8", "surrogateescape"), {place: taken})
    layer = layer_of(document, text.encode("utf-8", "surrogateescape"), str(path), os.environ)
    base = read_layers(path, os.environ, document)[:-1]
    assemble(document, [*base, layer], {}).must()
    if not common.as_curl:
        try:
            write_private(path, text, replace=True)
        except OSError as error:
            raise BadConfig(f"{path}: {error.strerror}") from error
    reload = _is_reloadable(place, document)
    told = _reloaded(common) if reload else None
    if common.as_json:
        answer = {"key": str(place), "value": _plain(taken), "reload": reload}
        show.as_json(answer | {"running": told})
        return
    then = f", in force from the next start of the {what_runs(document)} on" if told is None else ""
    show.line(f"{place}: {show.safe(flow(taken))}{then}")
    if told is not None:
        _show_reloaded(told)


@config.command()
@home_option
@click.argument("file", required=False)
@json_option
def validate(home: str, file: str | None, *, as_json: bool) -> None:
    """Check config.yaml, or FILE, with all that it extends; list every mistake.

    In the directory of a hypha it is hypha.yaml that is checked, and what FILE is taken for.

    \b
    Examples:
      myceld config validate
      myceld config validate site.yaml
    """
    document = _document(expand(home))
    path = expand(home) / _NAMES[document] if file is None else expand(file)
    document = LightConfig if path.name == _NAMES[LightConfig] else document
    try:
        problems = inspect(path, os.environ, document).problems or _breaches(path, document)
    except BadConfig as error:
        problems = error.problems
        if not problems:
            raise
    if as_json:
        show.as_json({"file": str(path), "valid": not problems, "problems": [*map(_row, problems)]})
    elif not problems:
        show.line(f"{show.safe(path)}: valid")
    else:
        for problem in problems:
            show.line(show.safe(problem))
    if problems:
        raise ConfigInvalid(f"{path}: {len(problems)} mistakes")


@config.command()
@json_option
def profiles(*, as_json: bool) -> None:
    """List the profiles, and where each differs from the defaults.

    A file takes one over by `extends: profile:NAME` at its top; `myceld init --profile NAME` makes
    such a file.
    """
    rows = []
    for name in profile_names():
        layer = layer_of(Config, read_profile(PROFILE + name), PROFILE + name, {})
        made = assemble(Config, [layer], {}).must()
        rows.append((name, changes_between(Config(), made)))
    if as_json:
        content = [
            {"name": name, "values": {str(one.place): _plain(one.new) for one in changes}}
            for name, changes in rows
        ]
        show.as_json({"profiles": content})
        return
    for name, changes in rows:
        show.line(name)
        for one in changes:
            show.line(f"  {one.place}: {flow(one.new)}  (default {flow(one.old)})")


@config.command()
@role_option
@json_option
def schema(*, role: str | None, as_json: bool) -> None:
    """Print the JSON Schema of config.yaml, or with --role of hypha.yaml, for editors."""
    del as_json  # it is JSON in any case
    from settings.schema import schema_of  # noqa: PLC0415 - only here

    show.as_json(schema_of(Config if role is None else LightConfig))


@config.command("reload")
@common_options
def reload_config(common: Common) -> None:
    """Have the running cell read its configuration again, and take over what can change.

    Says what was taken over, and what needs a restart. A file with a mistake changes nothing.
    """
    with common.client() as client:
        told = client.reload_config()
    if common.as_json:
        show.as_json(told)
        return
    _show_reloaded(told)


def _reloaded(common: Common) -> ReloadView | None:
    """Have the cell read its configuration again; None if none runs."""
    try:
        with common.client() as client:
            return client.reload_config()
    except CellUnreachable:
        return None


def _show_reloaded(told: ReloadView) -> None:
    for name in told["applied"]:
        show.line(f"taken over     {show.safe(name)}")
    for name in told["needs_restart"]:
        show.line(f"needs a start  {show.safe(name)}")
    if not told["applied"] and not told["needs_restart"]:
        show.line("nothing has changed")


def _document(home: Path) -> type[Config | LightConfig]:
    """Return what is configured in a directory."""
    return LightConfig if is_hypha(home) else Config


def _is_reloadable(place: Place, document: type) -> bool:
    """Tell whether what runs takes over another value: a hypha reads its file at its start."""
    return place.key.reload and document is Config


def _configured(home: Path) -> ConfigView:
    """Return what the files and the environment say, as a running cell would."""
    document = _document(home)
    reading: Reading[Any] = inspect(home / _NAMES[document], os.environ, document)
    reading.must()
    values: list[SettingView] = [
        {
            "key": str(one.place),
            "value": None if one.is_masked else _plain(one.value),
            "is_masked": one.is_masked,
            "origin": one.origin.place,
            "line": one.origin.line,
            "reload": _is_reloadable(one.place, document),
        }
        for one in shown_values(reading)
    ]
    return {"values": values, "needs_restart": []}


def _breaches(path: Path, document: type) -> tuple[Problem, ...]:
    """Return what the JSON Schema refuses in a file that the table takes: nothing, by the tests."""
    from core.yaml_text import read_yaml  # noqa: PLC0415 - beside the validator, which is slow
    from settings.schema import breaches  # noqa: PLC0415 - as above

    return tuple(breaches(document, read_yaml(read_file(path), str(path)), str(path)))


def _place(document: type, name: str) -> Place:
    section, _, key = name.partition(".")
    places = places_in(document)
    if section not in places:
        raise BadSetting(f"{section!r} is no section{nearest(section, places)}")
    if key not in places[section]:
        known = [f"{section}.{one}" for one in places[section]]
        raise BadSetting(f"{name!r} is no key{nearest(name, known)}")
    return places[section][key]


def _plain(value: Value) -> bool | int | str | list[str]:
    return list(value) if isinstance(value, tuple) else value


def _listed(value: bool | int | str | list[str] | None) -> Value:  # noqa: FBT001 - one of several types
    return tuple(value) if isinstance(value, list) else "" if value is None else value


def _row(problem: Problem) -> dict[str, object]:
    return {
        "place": problem.origin.place,
        "line": problem.origin.line,
        "key": problem.key,
        "message": problem.message,
    }
