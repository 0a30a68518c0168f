"""The Airflow connection of an Iterable project."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from iterable_sync.booleans import strict_bool
from iterable_sync.errors import ConfigError, IterableSyncError
from iterable_sync.hooks.connections import connection
from iterable_sync.rows import Project, ProjectType

if TYPE_CHECKING:
    from iterable_sync.client import IterableClient

REGIONS = ("us", "eu")
EXTRA_KEYS = ("data_center", "project_id", "project_type", "rate_conn_id", "sandbox")
_HAS_PORT = re.compile(r":\d+$")
_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class IterableHook(BaseHook):
    """
    Make a client of an Iterable project from an Airflow connection.

    The password is the API key. The extra has ``data_center`` (us, eu), ``project_type`` (email,
    userId, hybrid) and ``project_id``, all required: none can be derived from the key, and a wrong
    guess sends people's data to another region, or starts the state anew. ``sandbox`` true
    with a loopback address as host talks to a local sandbox. ``rate_conn_id`` names a Postgres
    connection through which syncs of the project share its rate, where they keep their states in
    several databases.

    Args:
        iterable_conn_id: id of the connection.
    """

    conn_name_attr = "iterable_conn_id"
    default_conn_name = "iterable_default"
    conn_type = "iterable"
    hook_name = "Iterable"

    def __init__(self, iterable_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.iterable_conn_id = iterable_conn_id

    def get_conn(self) -> IterableClient:
        """
        Make the client; sends nothing.

        Raises:
            ConfigError: the connection is missing, incomplete or has an unknown setting.
        """
        from iterable_sync.client import IterableClient

        found = connection(self.iterable_conn_id)
        where = f"connection {self.iterable_conn_id!r}"
        if found.conn_type != self.conn_type:
            raise ConfigError(f"{where} is of type {found.conn_type!r}, not {self.conn_type!r}")
        if not found.password:
            raise ConfigError(f"{where} has no password; it is the API key of the project")
        _mask(found.password)
        extra = _extra(found.extra_dejson, where)
        return IterableClient(
            found.password,
            _project(extra, where),
            sandbox=(sandbox := strict_bool(extra.get("sandbox", False), f"{where}: sandbox")),
            base_url=_base_url(found.host, found.port, where, sandbox=sandbox),
        )

    def rate_conn_id(self) -> str | None:
        """
        Give the id of the connection that syncs of this project share their rate through, if any.

        Raises:
            ConfigError: the connection is missing, or has an unknown setting.
        """
        where = f"connection {self.iterable_conn_id!r}"
        found = _extra(connection(self.iterable_conn_id).extra_dejson, where).get("rate_conn_id")
        if found is not None and not isinstance(found, str):
            raise ConfigError(f"{where}: rate_conn_id has to be the id of a connection")
        return found

    def test_connection(self) -> tuple[bool, str]:
        """Make one harmless call; a refusal names the permission that is missing."""
        try:
            client = self.get_conn()
            client.check()
        except IterableSyncError as error:
            return False, str(error)
        project = client.project
        return True, f"Iterable knows the key: project {project.project_id}, {project.region}"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Give the connection form to Airflow before 3.2, which reads no provider metadata."""
        from iterable_sync.provider_info import provider_info

        form = provider_info()["connection-types"][0]["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in form.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Give the fields of the form to Airflow before 3.2, which reads no provider metadata."""
        from wtforms import BooleanField, StringField

        from iterable_sync.provider_info import provider_info

        fields = provider_info()["connection-types"][0]["conn-fields"]
        return {
            name: (BooleanField if "boolean" in field["schema"]["type"] else StringField)(
                field["label"], description=field["description"]
            )
            for name, field in fields.items()
        }


def _mask(key: str) -> None:
    """Keep the key out of logs; Airflow does so itself when it reads a connection, we make sure."""
    # The compatibility layer has the name since its 1.21.
    with suppress(ImportError):
        from airflow.providers.common.compat.sdk import mask_secret

        mask_secret(key)


def _extra(given: dict[str, Any], where: str) -> dict[str, Any]:
    """Drop what a form left empty, and refuse what no one reads: a typo would be silent."""
    extra = {name: value for name, value in given.items() if value not in (None, "")}
    if unknown := sorted(set(extra) - set(EXTRA_KEYS)):
        raise ConfigError(
            f"{where}: unknown in its extra: {', '.join(unknown)}; known: {', '.join(EXTRA_KEYS)}"
        )
    return extra


def _project(extra: dict[str, Any], where: str) -> Project:
    types = [kind.value for kind in ProjectType]
    project_id = str(_required(extra, "project_id", "the number in the project's settings", where))
    if not _PROJECT_ID.fullmatch(project_id):
        raise ConfigError(f"{where}: project_id has to be the project's number")
    return Project(
        project_id=project_id,
        region=_choice(extra, "data_center", REGIONS, where),
        type=ProjectType(_choice(extra, "project_type", types, where)),
    )


def _choice(extra: dict[str, Any], name: str, choices: Any, where: str) -> str:
    value = str(_required(extra, name, " or ".join(choices), where))
    if value not in choices:
        # Not what it is: a key may have been typed into the wrong line of the form.
        raise ConfigError(f"{where}: {name} has to be {' or '.join(choices)}")
    return value


def _required(extra: dict[str, Any], name: str, what: str, where: str) -> Any:
    if name not in extra:
        raise ConfigError(f"{where}: {name} is missing in its extra; it is {what}")
    return extra[name]


def _base_url(host: str | None, port: int | None, where: str, *, sandbox: bool) -> str | None:
    """
    Give the sandbox's address, and None for Iterable itself: a host never redirects a key.

    The client takes no address of a sandbox but a loopback one.
    """
    if not sandbox:
        if host or port:
            raise ConfigError(
                f"{where} has a host or port; Iterable's address follows from data_center. "
                "For a local sandbox set sandbox to true in the extra, else empty them"
            )
        return None
    if not host:
        raise ConfigError(f"{where}: sandbox is true, and host is empty: http://127.0.0.1:<port>")
    address = (host if "://" in host else f"http://{host}").rstrip("/")
    return f"{address}:{port}" if port and not _HAS_PORT.search(address) else address
