"""Renders the models of ``sql/`` without Airflow, as its operators render them."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from iterable_sync.errors import ConfigError
from iterable_sync.sqlfiles import packaged_sql, sql_root

if TYPE_CHECKING:
    from datetime import datetime


def render(sql: str, *, as_of: datetime, **params: Any) -> str:
    """
    Give the SQL of a model, for :class:`SyncSpec` and :func:`run_sync`.

    A model is Jinja: ``{{ as_of }}`` is the moment that a run stands for, ``{{ params.NAME }}`` are
    its settings. They are written by who runs it, and never values of rows: nothing is quoted.

    Args:
        sql: a file below ``sql/``, e.g. ``models/abandoned_carts.sql``, or what would be in one.

        as_of: with a time zone.

        params: settings that shall not have the model's default, e.g. ``trigger_after_s=7200``.

    Raises:
        ConfigError: there is no such file, it names a setting that has no default and is not
            given, or it is no template.
    """
    is_file = sql.endswith(".sql")
    where = sql if is_file else "the query"
    if is_file and packaged_sql(sql) is None:
        raise ConfigError(f"no model {sql!r} in {sql_root()}")
    # SQL is no page: what escapes HTML would spoil every < in it.
    env = jinja2.Environment(
        loader=packaged_loader(),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
    )
    try:
        template = env.get_template(sql) if is_file else env.from_string(sql)
        return template.render(as_of=moment(as_of), params=params)
    except jinja2.TemplateNotFound as error:
        raise ConfigError(f"{where} includes {error.message!r}: none in {sql_root()}") from None
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"{error.name or where}, line {error.lineno}: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise ConfigError(f"{where}: {error.message}") from None


def text_of(model: str) -> str:
    """Give what :func:`render` takes for a model as a person names it: also a file of their own."""
    file = Path(model)
    return file.read_text(encoding="utf-8") if file.is_file() else model


def moment(as_of: datetime) -> str:
    """
    Give a moment as ``{{ as_of }}`` stands in SQL: ISO 8601, in UTC.

    Raises:
        ConfigError: it has no time zone, and so is no moment.
    """
    if as_of.tzinfo is None:
        raise ConfigError("as_of needs a time zone")
    return as_of.astimezone(UTC).isoformat()


def packaged_loader() -> jinja2.BaseLoader:
    """Give what lets Jinja find the files below ``sql/``, and nothing outside of it."""
    return jinja2.FunctionLoader(_source)


def _source(name: str) -> tuple[str, str, Any] | None:
    path = packaged_sql(name)
    if path is None:
        return None
    return path.read_text(encoding="utf-8"), str(path), lambda: True
