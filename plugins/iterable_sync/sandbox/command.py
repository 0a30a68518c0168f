"""``iterable-sync sandbox``: a local Iterable."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import Annotated

import typer

from .settings import API_KEY, ProjectType, Region, Settings


def sandbox(
    *,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 is a free one.")] = 0,
    port_file: Annotated[
        Path | None, typer.Option(help="Write the port to this file once it listens.")
    ] = None,
    project_type: Annotated[
        ProjectType, typer.Option(help="What identifies a profile.")
    ] = ProjectType.HYBRID,
    region: Annotated[Region, typer.Option(help="Data centre of the project.")] = Region.US,
    discard: Annotated[
        bool, typer.Option("--discard", help="Keep digests, no profiles: for very large runs.")
    ] = False,
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="No rate limits: for benchmarks.")
    ] = False,
    api_key: Annotated[str, typer.Option(help="The key that clients must send.")] = API_KEY,
) -> None:
    """Run a local Iterable for tests and demos. Nothing it is sent leaves this machine."""
    try:
        from .server import listen, serve
    except ImportError as error:
        sys.stderr.write(
            f"The sandbox needs {error.name}: pip install 'airflow-provider-iterable[sandbox]'\n"
        )
        raise typer.Exit(1) from error
    try:
        settings = Settings(
            project_type=project_type,
            region=region,
            discard=discard,
            rate_limits=not no_limits,
            api_key=api_key,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        listening = listen(port)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on port {port}: {error.strerror}\n")
        raise typer.Exit(1) from error

    def announce(address: str) -> None:
        if port_file is not None:
            _write_port(port_file, address)
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()

    serve(settings, listening, announce)


def _write_port(path: Path, address: str) -> None:
    # In one step: whoever waits for the file must not read half a number.
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(f"{address.rpartition(':')[2]}\n", encoding="utf-8")
    draft.replace(path)
