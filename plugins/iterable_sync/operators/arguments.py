"""From an operator's rendered arguments to a validated :class:`SyncSpec`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from iterable_sync.booleans import strict_bool
from iterable_sync.errors import ConfigError
from iterable_sync.spec import SyncSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOLEANS = frozenset(
    name for name, field in SyncSpec.model_fields.items() if field.annotation is bool
)


def object_of_style(style: str, objects: Mapping[str, str], task_id: Any) -> str:
    """
    Give the sync object that a style stands for.

    Raises:
        ConfigError: it is none of *objects*.
    """
    if style not in objects:
        raise ConfigError(f"task {task_id!r}: style is {style!r}, not one of {', '.join(objects)}")
    return objects[style]


def build_spec(arguments: Mapping[str, Any], options: Mapping[str, Any], where: str) -> SyncSpec:
    """
    Validate what an operator was given.

    Args:
        arguments: fields of :class:`SyncSpec` that are arguments of their own; None means that
            the argument was not given.

        options: the other fields.

        where: the task, as messages name it.

    Raises:
        ConfigError: an unknown name, a wrong value; names them all, and repeats no value.
    """
    _check_names(arguments, options, where)
    given = {name: value for name, value in arguments.items() if value is not None} | dict(options)
    for name in BOOLEANS & set(given):
        given[name] = strict_bool(given[name], f"{where}: {name}")
    try:
        return SyncSpec.model_validate(given)
    except ValidationError as error:
        wrong = all_wrong(error)
    raise ConfigError(f"{where}: {wrong}")


def all_wrong(error: ValidationError) -> str:
    """Give where a value is wrong and why, of all of them; none of the values."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))
        for problem in error.errors(include_url=False, include_input=False)
    )


def check_early(arguments: Mapping[str, Any], options: Mapping[str, Any], where: str) -> None:
    """
    Validate what is known when a DAG is parsed, so that a typo is an import error and no 3 a.m.

    What is a template, or comes from another task, stays for the run.

    Raises:
        ConfigError: as :func:`build_spec`.
    """
    _check_names(arguments, options, where)
    stand_ins = {"sync": "parsing", "object": "users", "sql": "SELECT 1", "key": "id"}
    known = {name: value for name, value in arguments.items() if _is_known(value)}
    build_spec(
        stand_ins | known | {"sql": "SELECT 1"},
        {name: value for name, value in options.items() if _is_known(value)},
        where,
    )


def is_template(value: object) -> bool:
    """Say whether Jinja would change *value*."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _check_names(arguments: Mapping[str, Any], options: Mapping[str, Any], where: str) -> None:
    if twice := sorted(set(arguments) & set(options)):
        raise ConfigError(
            f"{where}: {', '.join(twice)} in options= are arguments of their own; give them as such"
        )
    if unknown := sorted(set(options) - set(SyncSpec.model_fields)):
        known = ", ".join(name for name in SyncSpec.model_fields if name not in arguments)
        raise ConfigError(f"{where}: unknown in options=: {', '.join(unknown)}; known: {known}")


def _is_known(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_known(part) for part in value.values())
    if isinstance(value, list | tuple | set):
        return all(_is_known(part) for part in value)
    # Tasks' outputs (XComArg) know how to resolve themselves.
    return value is not None and not is_template(value) and not hasattr(value, "resolve")
