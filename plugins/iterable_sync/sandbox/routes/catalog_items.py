"""Items of catalogs: written one by one or in bulk, read, deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, bad_json, envelope, error_reply, reply
from ..bodies import ARRAY, BOOLEAN, MISSING, OBJECT, TEXT, parse_object
from ..catalogs import CatalogProblem
from ..endpoints import Call, Endpoint
from ..paging import page_of
from .catalogs import NAME, catalog_of, paged, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..bodies import Shape
    from ..catalogs import Catalog, Item
    from ..state import State

_ITEM = "/api/catalogs/{catalogName}/items/{itemId}"
_ITEMS = "/api/catalogs/{catalogName}/items"

# Documented.
MAX_DOCUMENTS = 1000
# Documented as "30kb"; read as decimal, the stricter reading. Measured on the value as compact
# JSON, as `size` is: assumed.
MAX_ITEM_BYTES = 30_000
# The most that Iterable's own client asks for; whether the API has a limit is unknown.
_MAX_PAGE_SIZE = 1000

_BULK: Shape = (
    ("documents", dict, OBJECT),
    ("replaceUploadedFieldsOnly", bool, BOOLEAN),
)


def bulk_put(state: State, call: Call) -> Answer:
    """
    Create or replace many items; with ``replaceUploadedFieldsOnly`` update their fields.

    Source:
        Swagger ``bulkUpdateCatalogItems``, documented; the answer: a test fixture of a production
        client, with the documented 202 for its 200. There are no failures per item in any
        source: one bad item refuses the request, assumed.
    """
    catalog = catalog_of(state, call)
    parsed = _body(call, _BULK)
    documents = parsed["documents"]
    _check_objects(call, documents)
    _check_count(len(documents))
    merge = parsed["replaceUploadedFieldsOnly"]
    text = f"Request to bulk-upload documents into {catalog.name} processed successfully"
    return _put(state, catalog, documents, merge=merge, text=text)


def put_one(state: State, call: Call) -> Answer:
    """
    Create or replace one item.

    Source:
        Swagger ``indexCatalogItem``, documented.
    """
    catalog = catalog_of(state, call)
    value = _body(call, (("value", dict, OBJECT),))["value"]
    return _put(state, catalog, {call.params["itemId"]: value}, merge=False)


def patch_one(state: State, call: Call) -> Answer:
    """
    Create one item, or replace some of its fields.

    Source:
        Swagger ``partialUpdateCatalogItem``, documented.
    """
    catalog = catalog_of(state, call)
    update = _body(call, (("update", dict, OBJECT),))["update"]
    return _put(state, catalog, {call.params["itemId"]: update}, merge=True)


def get_one(state: State, call: Call) -> Answer:
    """
    Give one item, without an envelope.

    Source:
        Swagger ``getCatalogItem``, documented, 404 included; its text and code are assumed.
    """
    catalog = catalog_of(state, call)
    item_id = call.params["itemId"]
    _check_ids((item_id,))
    item = catalog.items.get(item_id)
    if item is None or item.value is None:
        text = f"Catalog item not found: {item_id}"
        raise Refused(error_reply(404, "NotFound", "error.catalogs.itemNotFound", text, item_id))
    return reply(item.as_json(catalog.name, item_id))


def get_page(state: State, call: Call) -> Answer:
    """
    Give the items of a catalog, page by page, in the order of their first write or of a field.

    Source:
        Swagger ``listCatalogItems``, documented: descending unless ``sortAscending``, which needs
        a field of a defined type. In an envelope: Iterable's own client. The order without
        ``orderBy``, and the answer to a field without a type, are assumed.
    """
    catalog = catalog_of(state, call)
    page = page_of(call, default_size=10, max_size=_MAX_PAGE_SIZE)
    items: list[tuple[str, Item]] = list(catalog.items.items())
    ascending = call.query.get("sortAscending", "false")
    if ascending not in ("true", "false"):
        raise Refused(envelope(400, "BadParams", "sortAscending must be true or false"))
    order_by = call.query.get("orderBy")
    if order_by:
        if "sortAscending" in call.query and order_by not in catalog.mappings:
            text = f"orderBy with sortAscending needs a field of a defined type: {order_by}"
            raise Refused(envelope(400, "BadParams", text))
        items = catalog.sorted_by(order_by, ascending=ascending == "true")
    rows = [
        item.as_json(catalog.name, item_id)
        for item_id, item in page.cut(items)
        if item.value is not None
    ]
    return paged(
        page, call, "catalogItemsWithProperties", rows, count="totalItemsCount", total=len(items)
    )


def delete_one(state: State, call: Call) -> Answer:
    """
    Delete one item.

    Source:
        Swagger ``deleteCatalogItem``, documented. It is asynchronous, so one that is not there is
        accepted too: assumed.
    """
    return _delete(catalog_of(state, call), [call.params["itemId"]])


def bulk_delete(state: State, call: Call) -> Answer:
    """
    Delete many items; the ids stand in the body.

    Source:
        Swagger ``bulkDeleteCatalogItems``, documented. That it takes as many as an upload is
        assumed.
    """
    catalog = catalog_of(state, call)
    ids = _body(call, (("itemIds", list, ARRAY),))["itemIds"]
    problems = {
        f"obj.itemIds[{index}]": TEXT
        for index, item_id in enumerate(ids)
        if not isinstance(item_id, str)
    }
    if problems:
        raise Refused(bad_json(call.path, problems))
    _check_count(len(ids))
    return _delete(catalog, ids)


def _put(
    state: State,
    catalog: Catalog,
    documents: Mapping[str, dict[str, Any]],
    *,
    merge: bool,
    text: str = "",
) -> Answer:
    _check_ids(documents)
    try:
        catalog.put(
            documents,
            state.now_ms(),
            merge=merge,
            max_bytes=MAX_ITEM_BYTES,
            discard=state.settings.discard,
        )
    except CatalogProblem as problem:
        raise Refused(refusal(problem, catalog)) from None
    return _accepted(list(documents), text)


def _delete(catalog: Catalog, ids: list[str]) -> Answer:
    _check_ids(ids)
    for item_id in ids:
        catalog.items.pop(item_id, None)
    return _accepted(ids)


def _accepted(ids: list[str], text: str = "") -> Answer:
    answer = envelope(202, "Success", text)
    return replace(answer, rows=len(ids), keys=ids, counts={"success": len(ids), "fail": 0})


def _body(call: Call, shape: Shape) -> dict[str, Any]:
    """Read a body all of whose members of *shape* must be there."""
    parsed = parse_object(call.body, call.path, shape)
    missing = {f"obj.{name}": MISSING for name, _, _ in shape if parsed.get(name) is None}
    if missing:
        raise Refused(bad_json(call.path, missing))
    return parsed


def _check_objects(call: Call, documents: dict[str, Any]) -> None:
    problems = {
        f"obj.documents.{item_id}": OBJECT
        for item_id, value in documents.items()
        if not isinstance(value, dict)
    }
    if problems:
        raise Refused(bad_json(call.path, problems))


def _check_count(count: int) -> None:
    # The code is documented and the limit is; that they belong together is assumed.
    if count > MAX_DOCUMENTS:
        text = f"{count} items exceed the limit of {MAX_DOCUMENTS} for one request"
        raise Refused(envelope(400, "BatchTooLarge", text))


def _check_ids(ids: Iterable[str]) -> None:
    wrong = [item_id for item_id in ids if not NAME.fullmatch(item_id)]
    if wrong:
        text = f"Invalid catalog item id: {', '.join(wrong)}"
        raise Refused(error_reply(400, "BadRequest", "error.catalogs.invalidItemId", text, *wrong))


ENDPOINTS = (
    Endpoint("POST", _ITEMS, bulk_put, limit="catalogs/items/bulk"),
    Endpoint("GET", _ITEMS, get_page, limit="catalogs/items/get"),
    Endpoint("DELETE", _ITEMS, bulk_delete, limit="catalogs/items/bulkDelete"),
    Endpoint("GET", _ITEM, get_one, limit="catalogs/items/getOne"),
    Endpoint("PUT", _ITEM, put_one, limit="catalogs/items/put"),
    Endpoint("PATCH", _ITEM, patch_one, limit="catalogs/items/patch"),
    Endpoint("DELETE", _ITEM, delete_one, limit="catalogs/items/delete"),
)
