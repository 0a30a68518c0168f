"""
The command ``iterable-sync``.

Its commands are found through the entry-point group ``iterable_sync.commands``: a function that
typer can call, or a typer app for a command with commands of its own. Imports no Airflow.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer

import iterable_sync

GROUP = "iterable_sync.commands"


def main() -> None:
    """Run the command line."""
    build(list(entry_points(group=GROUP)))()


def build(commands: list[EntryPoint]) -> typer.Typer:
    """Make the app from the commands that are installed."""
    app = typer.Typer(
        name="iterable-sync",
        help="Push the changed rows of a warehouse to Iterable.",
        no_args_is_help=True,
        add_completion=False,
        # A traceback with local variables would show rows and keys.
        pretty_exceptions_show_locals=False,
    )
    app.callback()(_options)
    for command in sorted(commands, key=lambda found: found.name):
        loaded = _load(command)
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=command.name)
        else:
            app.command(name=command.name)(loaded)
    return app


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer passes the flag's value
    if asked:
        typer.echo(f"iterable-sync {iterable_sync.__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            help="Show the version.",
            callback=_show_version,
        ),
    ] = False,
) -> None:
    """Push the changed rows of a warehouse to Iterable."""


def _load(command: EntryPoint) -> Any:
    """Load a command; one whose libraries are not installed says so when it is called."""
    try:
        return command.load()
    except ImportError as error:
        reason = f"{command.name}: {error}. Is the extra installed? " + (
            f"pip install 'airflow-provider-iterable[{command.name}]'"
        )

        def explain() -> None:
            typer.echo(reason, err=True)
            raise typer.Exit(code=1)

        explain.__doc__ = f"Not usable here: {error}."
        return explain


if __name__ == "__main__":
    main()
