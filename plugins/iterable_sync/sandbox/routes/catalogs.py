"""Catalogs: create, delete, list, and the types of their fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, bad_json, envelope, error_reply
from ..bodies import ARRAY, MISSING, OBJECT, TEXT, items_of, parse_object
from ..catalogs import MAX_DEPTH, MAX_FIELDS, CatalogProblem
from ..endpoints import Call, Endpoint
from ..kinds import Kind
from ..paging import Page, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bodies import Shape
    from ..catalogs import Catalog
    from ..state import State

# Documented for catalogs and for items.
NAME = re.compile(r"[A-Za-z0-9-]{1,255}")
# The most that Iterable's own client asks for; whether the API has a limit is unknown.
_MAX_PAGE_SIZE = 100

_KINDS = frozenset(Kind)
_REFUSALS = {
    "tooLarge": ("itemTooLarge", "Catalog item is too large"),
    "period": ("invalidFieldName", "Field name contains a period"),
    "depth": ("invalidField", f"Fields are nested deeper than {MAX_DEPTH} levels"),
    "type": ("invalidFieldType", "Invalid type of a field"),
    "children": ("invalidFieldType", "Only an object has children"),
    "immutable": ("fieldAlreadyDefined", "Field has another type already"),
}

_MAPPING: Shape = (
    ("fieldName", str, TEXT),
    ("fieldType", str, TEXT),
    ("children", list, ARRAY),
)


def create(state: State, call: Call) -> Answer:
    """
    Create a catalog.

    Source:
        Swagger ``createCatalog``, documented: 201, and a name that is taken is refused. How it is
        refused is assumed.
    """
    name = named(call)
    if not state.catalogs.create(name):
        text = f"Catalog already exists: {name}"
        raise Refused(error_reply(400, "BadRequest", "error.catalogs.alreadyExists", text, name))
    return envelope(201, "Success")


def delete(state: State, call: Call) -> Answer:
    """
    Delete a catalog and its items.

    Source:
        Swagger ``deleteCatalog``, documented; that a missing one is not found is assumed.
    """
    catalog = catalog_of(state, call)
    state.catalogs.drop(catalog.name)
    return envelope(200, "Success")


def list_names(state: State, call: Call) -> Answer:
    """
    Give the names of the catalogs, page by page.

    Source:
        Swagger ``GetCatalogsResponse``, documented; inside an envelope: Iterable's own client
        takes both forms. The order is assumed.
    """
    page = page_of(call, default_size=10, max_size=_MAX_PAGE_SIZE)
    names = sorted((catalog.name for catalog in state.catalogs), key=str.lower)
    return paged(
        page, call, "catalogNames", [{"name": name} for name in page.cut(names)],
        count="totalCatalogsCount", total=len(names),
    )  # fmt: skip


def get_mappings(state: State, call: Call) -> Answer:
    """
    Give the types that were set, and the fields that have none.

    Source:
        Swagger ``CatalogFieldMappingsResponse``, documented; inside an envelope: Iterable's own
        client. Nested fields by their dotted path: assumed, as for users.
    """
    catalog = catalog_of(state, call)
    params = {"definedMappings": catalog.mappings, "undefinedFields": catalog.undefined()}
    return envelope(200, "Success", params=params)


def put_mappings(state: State, call: Call) -> Answer:
    """
    Set the types of fields.

    Source:
        Swagger ``updateFieldTypes``, documented; what is answered to a wrong type is assumed.
    """
    catalog = catalog_of(state, call)
    parsed = parse_object(call.body, call.path, (("mappingsUpdates", list, ARRAY),))
    updates = items_of(parsed, "mappingsUpdates", call.path, _MAPPING)
    try:
        catalog.define(_types(updates, "obj.mappingsUpdates", "", call.path))
    except CatalogProblem as problem:
        raise Refused(refusal(problem, catalog)) from None
    return envelope(200, "Success")


def named(call: Call) -> str:
    """
    Return the name of the catalog in the path.

    Raises:
        Refused: it breaks the documented rules for names.
    """
    name = call.params["catalogName"]
    if not NAME.fullmatch(name):
        text = f"Invalid catalog name: {name}"
        raise Refused(error_reply(400, "BadRequest", "error.catalogs.invalidName", text, name))
    return name


def catalog_of(state: State, call: Call) -> Catalog:
    """
    Return the catalog in the path.

    Raises:
        Refused: there is none. From a test fixture of a production client, for a bulk upload;
            assumed for the other calls, of which Swagger documents some with 404 and some not.
    """
    name = named(call)
    catalog = state.catalogs.find(name)
    if catalog is None:
        text = f"Catalog not found: {name}"
        raise Refused(error_reply(404, "NotFound", "error.catalogs.notFound", text, name))
    return catalog


def refusal(problem: CatalogProblem, catalog: Catalog) -> Answer:
    """
    Answer to what a catalog does not take.

    Source:
        The rules are documented. ``UniqueFieldsLimitExceeded`` is a documented code; the other
        codes and all texts are assumed.
    """
    if problem.reason == "fields":
        text = f"Catalog {catalog.name} cannot have more than {MAX_FIELDS} unique fields"
        return envelope(400, "UniqueFieldsLimitExceeded", text)
    code, text = _REFUSALS[problem.reason]
    message = f"{text}: {', '.join(problem.names)}"
    return error_reply(400, "BadRequest", f"error.catalogs.{code}", message, *problem.names)


def paged(
    page: Page, call: Call, name: str, rows: list[dict[str, Any]], *, count: str, total: int
) -> Answer:
    """Answer with one page and the addresses of its neighbours."""
    params = {name: rows, count: total, **page.neighbours(call, total)}
    return envelope(200, "Success", params=params)


def _types(
    updates: list[Any], place: str, parent: str, endpoint: str, depth: int = 1
) -> Iterator[tuple[str, Kind]]:
    """Give the dotted path and the type of every field in *updates*, children included."""
    for index, update in enumerate(updates):
        here = f"{place}[{index}]"
        name, kind_name = _mapping(update, here, endpoint)
        if "." in name:
            raise CatalogProblem("period", name)
        path = f"{parent}.{name}" if parent else name
        if kind_name not in _KINDS:
            raise CatalogProblem("type", path, kind_name)
        yield path, Kind(kind_name)
        children = update.get("children") or []
        if children and kind_name != Kind.OBJECT:
            raise CatalogProblem("children", path)
        if depth > MAX_DEPTH:
            raise CatalogProblem("depth", path)
        yield from _types(children, f"{here}.children", path, endpoint, depth + 1)


def _mapping(update: Any, place: str, endpoint: str) -> tuple[str, str]:
    if not isinstance(update, dict):
        raise Refused(bad_json(endpoint, {place: OBJECT}))
    problems: dict[str, str] = {}
    for name, kind, text in _MAPPING:
        member = update.get(name)
        if member is None:
            if name != "children":
                problems[f"{place}.{name}"] = MISSING
        elif not isinstance(member, kind):
            problems[f"{place}.{name}"] = text
    if problems:
        raise Refused(bad_json(endpoint, problems))
    return update["fieldName"], update["fieldType"]


ENDPOINTS = (
    Endpoint("GET", "/api/catalogs", list_names, limit="catalogs/get"),
    Endpoint("POST", "/api/catalogs/{catalogName}", create, limit="catalogs/create"),
    Endpoint("DELETE", "/api/catalogs/{catalogName}", delete, limit="catalogs/delete"),
    Endpoint(
        "GET", "/api/catalogs/{catalogName}/fieldMappings", get_mappings,
        limit="catalogs/fieldMappings",
    ),
    Endpoint(
        "PUT", "/api/catalogs/{catalogName}/fieldMappings", put_mappings,
        limit="catalogs/fieldMappings",
    ),
)  # fmt: skip
