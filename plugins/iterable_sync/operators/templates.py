"""Lets Jinja find the ``.sql`` files of this package behind those of the DAG."""

from __future__ import annotations

from typing import Any

import jinja2

from iterable_sync.errors import ConfigError
from iterable_sync.models import packaged_loader
from iterable_sync.sqlfiles import sql_root


class WithPackagedSql(jinja2.ChoiceLoader):
    """The DAG's folders first, then ``sql/``; a file that is in neither is an error naming them."""

    def __init__(self, of_dag: jinja2.BaseLoader | None) -> None:
        loaders = [of_dag] if of_dag else []
        super().__init__([*loaders, packaged_loader(), _Missing(of_dag)])


class _Missing(jinja2.BaseLoader):
    def __init__(self, of_dag: jinja2.BaseLoader | None) -> None:
        self._folders = [str(folder) for folder in getattr(of_dag, "searchpath", ())]

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        try:
            folders = [*self._folders, str(sql_root())]
        except ConfigError as error:
            folders = [*self._folders, f"({error})"]
        raise _NotFound(f"{template!r} is in none of these: {', '.join(folders)}")


class _NotFound(jinja2.TemplateError):
    """Not a ``TemplateNotFound``, for which the next loader, or a bare name, would take over."""


def with_packaged_sql(env: jinja2.Environment) -> jinja2.Environment:
    """Give *env* with ``sql/`` behind its folders."""
    if isinstance(env.loader, WithPackagedSql):
        return env
    return env.overlay(loader=WithPackagedSql(env.loader))
