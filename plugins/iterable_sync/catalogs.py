"""Catalogs of Iterable: found, created, with types of fields; what is in them the push sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from iterable_sync.retrying import Action, AttemptFailed, OutcomeUnknown, action_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iterable_sync.client import Answer, IterableClient

_NOT_FOUND = 404
# Source: a test fixture of a production client.
_NO_CATALOG = "error.catalogs.notFound"


@dataclass(frozen=True, slots=True)
class CatalogFields:
    """
    What a catalog knows of its fields.

    Args:
        types: dotted field -> the type that was set, which never changes.

        untyped: dotted fields that items have, and of which no type was set.
    """

    types: Mapping[str, str]
    untyped: frozenset[str]


def items_path(catalog: str) -> str:
    """Give the endpoint of the items of a catalog."""
    return f"/api/catalogs/{catalog}/items"


def read_fields(client: IterableClient, catalog: str) -> CatalogFields | None:
    """
    Read the fields of a catalog; None where there is no such catalog.

    Raises:
        AttemptFailed: worth another attempt, see :func:`iterable_sync.retrying.read_patiently`.

        ConfigError: not worth one.

    Source:
        GET /api/catalogs/{catalogName}/fieldMappings, Swagger ``CatalogFieldMappingsResponse``,
        documented, 404 included; inside ``params``: Iterable's own client, tested live. That nested
        fields are listed by their dotted names is assumed.
    """
    path = f"/api/catalogs/{catalog}/fieldMappings"
    answer = client.get(path)
    if answer.status == _NOT_FOUND:
        return None
    inside = _unwrapped(_taken(client, answer, path))
    types, untyped = inside.get("definedMappings"), inside.get("undefinedFields")
    if not isinstance(types, dict):
        raise AttemptFailed(f"{path}: the answer holds no fields")
    listed = untyped if isinstance(untyped, list) else []
    return CatalogFields(
        {name: str(kind) for name, kind in types.items()},
        frozenset(name for name in listed if isinstance(name, str)),
    )


def create_catalog(client: IterableClient, catalog: str) -> None:
    """
    Create an empty catalog.

    Raises:
        OutcomeUnknown, AttemptFailed: it may have been created, or was not; look whether it is
            there.

        ConfigError: Iterable does not take the request, e.g. for it is there.

    Source:
        POST /api/catalogs/{catalogName}, Swagger, documented: no body, 201.
    """
    path = f"/api/catalogs/{catalog}"
    _taken(client, client.send("POST", path, b""), path)


def define_fields(client: IterableClient, catalog: str, types: Mapping[str, str]) -> None:
    """
    Set the types of fields; to set the type that a field has changes nothing.

    Args:
        types: dotted field -> type. Of a field inside of an object the object is there as well.

    Raises:
        AttemptFailed, ConfigError: as :func:`read_fields`.

    Source:
        PUT /api/catalogs/{catalogName}/fieldMappings, Swagger ``updateFieldTypes``, documented:
        a type that was set cannot be changed. That the same may be set again is assumed.
    """
    path = f"/api/catalogs/{catalog}/fieldMappings"
    body = orjson.dumps({"mappingsUpdates": _updates(types)})
    _taken(client, client.send("PUT", path, body), path)


def read_item(client: IterableClient, catalog: str, item_id: str) -> dict[str, Any] | None:
    """
    Read the fields of an item; None where the catalog has no such item.

    Raises:
        AttemptFailed, ConfigError: as :func:`read_fields`.

    Source:
        GET /api/catalogs/{catalogName}/items/{itemId}, Swagger ``CatalogItemWithProperties``,
        documented, 404 included; without an envelope: Iterable's own client, tested live.
    """
    path = f"{items_path(catalog)}/{item_id}"
    answer = client.get(path)
    if answer.status == _NOT_FOUND and answer.code != _NO_CATALOG:
        return None
    value = _unwrapped(_taken(client, answer, items_path(catalog))).get("value")
    if not isinstance(value, dict):
        raise AttemptFailed(f"{items_path(catalog)}: the answer holds no item")
    return value


def _taken(client: IterableClient, answer: Answer, path: str) -> Any:
    """Give the JSON of a 2xx."""
    match action_for(answer.status, answer.code):
        case Action.SETTLE:
            return answer.json
        case Action.RETRY_UNKNOWN:
            raise OutcomeUnknown(f"{path}: HTTP {answer.status}", answer.retry_after_s)
        case _:
            raise client.refused(answer, path)


def _unwrapped(json: Any) -> dict[str, Any]:
    inside = json.get("params", json) if isinstance(json, dict) else None
    return inside if isinstance(inside, dict) else {}


def _updates(types: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the fields with those inside of them as their children."""
    made: dict[str, dict[str, Any]] = {}
    for name in sorted(types):
        parent, _, last = name.rpartition(".")
        made[name] = {"fieldName": last, "fieldType": types[name]}
        if parent:
            made[parent].setdefault("children", []).append(made[name])
    return [update for name, update in made.items() if "." not in name]
