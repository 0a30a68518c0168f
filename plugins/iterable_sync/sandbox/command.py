"""``iterable-sync sandbox``: a local Iterable."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .settings import API_KEY, ProjectType, Region, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import State

# The snapshot of what was there at the start, where there was something.
START = "start"


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
    latency: Annotated[
        str, typer.Option(help="Hold each answer back: milliseconds, or a range such as 20-80.")
    ] = "0",
    faults: Annotated[
        Path | None, typer.Option(help="A fault plan: JSON, see docs/sandbox.md.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the latency, and of a plan without one.")] = 0,
    seed_data: Annotated[
        Path | None, typer.Option(help="What the project begins with: JSON, see docs/sandbox.md.")
    ] = None,
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
        ).changed({"latency_ms": _latency(latency), "seed": seed})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    state = _begin(settings, faults, seed_data)
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

    serve(state, listening, announce)


def _latency(text: str) -> list[float]:
    low, _, high = text.partition("-")
    try:
        return [float(low), float(high or low)]
    except ValueError:
        raise ValueError(f"latency {text!r}: expected milliseconds, or a range as 20-80") from None


def _begin(settings: Settings, faults: Path | None, seed_data: Path | None) -> State:
    """Return the project as it begins."""
    from .seeds import load_seed
    from .state import State

    plan = [] if faults is None else _read(faults, "--faults")
    state: State = _use(faults, "--faults", lambda: State(settings, faults=plan))
    if seed_data is not None:
        value = _read(seed_data, "--seed-data")
        _use(seed_data, "--seed-data", lambda: load_seed(state, value))
        state.snapshots[START] = state.saved()
    return state


def _read(path: Path, option: str) -> Any:
    # The parser of the standard library: its errors say the line.
    import json

    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{option} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{option} {path}: not UTF-8, byte {error.start}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise typer.BadParameter(f"{option} {path}: no JSON: {error.msg}, {place}") from error


def _use(path: Path | None, option: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError as error:
        raise typer.BadParameter(f"{option} {path}: {error}; see docs/sandbox.md") from error


def _write_port(path: Path, address: str) -> None:
    # In one step: whoever waits for the file must not read half a number.
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(f"{address.rpartition(':')[2]}\n", encoding="utf-8")
    draft.replace(path)
