"""Catalogs and their items: what is kept, what is refused, and in which words."""

from __future__ import annotations

import time

import pytest

CATALOG = "/api/catalogs/Shoes"
ITEMS = f"{CATALOG}/items"
MAPPINGS = f"{CATALOG}/fieldMappings"
SUCCESS = {"msg": "", "code": "Success", "params": None}


def send(sandbox, method, path, body=None, **options):
    options.setdefault("headers", sandbox.headers)
    url = sandbox.server.url + path
    return sandbox.http.request(method, url, json=body, timeout=10, **options)


def upload(sandbox, documents, *, merge=False, path=ITEMS):
    body = {"documents": documents, "replaceUploadedFieldsOnly": merge}
    return send(sandbox, "POST", path, body)


def value_of(sandbox, item_id):
    return sandbox.get(f"{ITEMS}/{item_id}").json()["value"]


def params(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["params"]


def ids(sandbox, **query):
    rows = params(sandbox.get(ITEMS, params=query))["catalogItemsWithProperties"]
    return [row["itemId"] for row in rows]


@pytest.fixture
def shoes(sandbox):
    """Give a sandbox with an empty catalog."""
    assert send(sandbox, "POST", CATALOG).status_code == 201
    return sandbox


def test_created_catalog_is_listed_and_a_deleted_one_is_gone(sandbox):
    created = send(sandbox, "POST", CATALOG)
    listed = params(sandbox.get("/api/catalogs"))
    deleted = send(sandbox, "DELETE", CATALOG)

    assert (created.status_code, created.json()) == (201, SUCCESS)
    assert listed == {"catalogNames": [{"name": "Shoes"}], "totalCatalogsCount": 1}
    assert (deleted.status_code, deleted.json()) == (200, SUCCESS)
    assert params(sandbox.get("/api/catalogs"))["catalogNames"] == []


def test_deleted_catalog_takes_its_items_and_mappings_along(shoes):
    upload(shoes, {"1": {"a": 1}})
    send(shoes, "PUT", MAPPINGS, {"mappingsUpdates": [{"fieldName": "a", "fieldType": "long"}]})

    send(shoes, "DELETE", CATALOG)
    send(shoes, "POST", CATALOG)

    assert ids(shoes) == []
    assert params(shoes.get(MAPPINGS)) == {"definedMappings": {}, "undefinedFields": []}


def test_catalog_names_are_one_in_any_case(shoes):
    again = send(shoes, "POST", "/api/catalogs/SHOES")
    upload(shoes, {"1": {}}, path="/api/catalogs/shoes/items")

    assert again.status_code == 400
    assert again.json() == {
        "error": "BadRequest",
        "message": "Catalog already exists: SHOES",
        "code": "error.catalogs.alreadyExists",
        "data": {"args": ["SHOES"]},
    }
    assert shoes.get("/api/catalogs/sHOES/items/1").json()["catalogName"] == "Shoes"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("a" * 255, 201, id="255 characters"),
        pytest.param("a" * 256, 400, id="256 characters"),
        pytest.param("A-1", 201, id="letters, digits, dashes"),
        pytest.param("a_b", 400, id="underscore"),
        pytest.param("a.b", 400, id="period"),
        pytest.param("a%20b", 400, id="space"),
        pytest.param("a%2Fb", 400, id="slash"),
        pytest.param("%C3%BC", 400, id="letter outside ASCII"),
        pytest.param("a%0A", 400, id="line break at the end"),
    ],
)
def test_rules_for_names_are_the_documented_ones(sandbox, name, status):
    answer = send(sandbox, "POST", f"/api/catalogs/{name}")

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "error.catalogs.invalidName"


@pytest.mark.parametrize(
    ("item_id", "status"),
    [
        pytest.param("a" * 255, 202, id="255 characters"),
        pytest.param("a" * 256, 400, id="256 characters"),
        pytest.param("6f0c-A1", 202, id="letters, digits, dashes"),
        pytest.param("a_b", 400, id="underscore"),
        pytest.param("a:b", 400, id="colon"),
        pytest.param("", 400, id="empty"),
        pytest.param("ü", 400, id="letter outside ASCII"),
    ],
)
def test_rules_for_item_ids_are_the_documented_ones_and_refuse_the_whole_request(
    shoes, item_id, status
):
    answer = upload(shoes, {"good": {"a": 1}, item_id: {"a": 1}})

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "error.catalogs.invalidItemId"
        assert answer.json()["data"] == {"args": [item_id]}
        assert ids(shoes) == []
    else:
        assert ids(shoes) == ["good", item_id]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "", None),
        ("GET", "/fieldMappings", None),
        ("PUT", "/fieldMappings", {"mappingsUpdates": []}),
        ("POST", "/items", {"documents": {}, "replaceUploadedFieldsOnly": True}),
        ("GET", "/items", None),
        ("DELETE", "/items", {"itemIds": []}),
        ("GET", "/items/1", None),
        ("PUT", "/items/1", {"value": {}}),
        ("PATCH", "/items/1", {"update": {}}),
        ("DELETE", "/items/1", None),
    ],
)
def test_catalog_that_is_not_there_is_not_found(sandbox, method, path, body):
    answer = send(sandbox, method, f"/api/catalogs/rudder-test{path}", body)

    assert answer.status_code == 404
    assert answer.json() == {
        "error": "NotFound",
        "message": "Catalog not found: rudder-test",
        "code": "error.catalogs.notFound",
        "data": {"args": ["rudder-test"]},
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/catalogs"),
        ("POST", CATALOG),
        ("DELETE", CATALOG),
        ("GET", MAPPINGS),
        ("PUT", MAPPINGS),
        ("POST", ITEMS),
        ("GET", ITEMS),
        ("DELETE", ITEMS),
        ("GET", f"{ITEMS}/1"),
        ("PUT", f"{ITEMS}/1"),
        ("PATCH", f"{ITEMS}/1"),
        ("DELETE", f"{ITEMS}/1"),
    ],
)
@pytest.mark.parametrize(
    ("key", "msg"),
    [
        pytest.param(None, "Invalid API key", id="no key"),
        pytest.param(
            "read-only", "Disabled API key or insufficient privileges", id="read-only key"
        ),
    ],
)
def test_catalogs_need_a_key_that_may_write_even_to_be_read(sandbox, method, path, key, msg):
    headers = {"Api-Key": sandbox.server.app_state.settings.read_only_key} if key else {}

    answer = send(sandbox, method, path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "BadApiKey")
    assert answer.json()["msg"] == msg


def test_uploaded_item_is_read_without_an_envelope(shoes):
    before_ms = time.time() * 1000

    answer = upload(shoes, {"1": {"name": "Clög", "sizes": [36, 37]}})
    item = shoes.get(f"{ITEMS}/1").json()

    assert (answer.status_code, answer.json()) == (
        202,
        {
            "msg": "Request to bulk-upload documents into Shoes processed successfully",
            "code": "Success",
            "params": None,
        },
    )
    assert before_ms - 1 <= item.pop("lastModified") <= time.time() * 1000
    assert item == {
        "catalogName": "Shoes",
        "itemId": "1",
        "size": len('{"name":"Clög","sizes":[36,37]}'.encode()),
        "value": {"name": "Clög", "sizes": [36, 37]},
    }


def test_upload_replaces_an_item_or_only_its_uploaded_fields(shoes):
    for item_id in ("replaced", "updated"):
        upload(shoes, {item_id: {"a": 1, "b": {"c": 1, "d": 2}}})

    upload(shoes, {"replaced": {"b": {"c": 3}}})
    upload(shoes, {"updated": {"b": {"c": 3}}, "new": {"a": 1}}, merge=True)

    assert value_of(shoes, "replaced") == {"b": {"c": 3}}
    assert value_of(shoes, "updated") == {"a": 1, "b": {"c": 3}}
    assert value_of(shoes, "new") == {"a": 1}


def test_put_replaces_and_patch_updates_one_item(shoes):
    put = send(shoes, "PUT", f"{ITEMS}/1", {"value": {"a": 1, "b": 2}})
    patched = send(shoes, "PATCH", f"{ITEMS}/1", {"update": {"b": 3, "c": None}})

    assert (put.status_code, put.json()) == (202, SUCCESS)
    assert (patched.status_code, patched.json()) == (202, SUCCESS)
    assert value_of(shoes, "1") == {"a": 1, "b": 3, "c": None}

    send(shoes, "PUT", f"{ITEMS}/1", {"value": {"d": 4}})
    send(shoes, "PATCH", f"{ITEMS}/new", {"update": {"e": 5}})

    assert value_of(shoes, "1") == {"d": 4}
    assert value_of(shoes, "new") == {"e": 5}


def test_item_ids_differ_by_case(shoes):
    upload(shoes, {"a": {"n": 1}, "A": {"n": 2}})

    assert (value_of(shoes, "a"), value_of(shoes, "A")) == ({"n": 1}, {"n": 2})


def test_deleted_items_are_gone_and_missing_ones_are_accepted(shoes):
    upload(shoes, {item_id: {} for item_id in "abcd"})

    one = send(shoes, "DELETE", f"{ITEMS}/a")
    many = send(shoes, "DELETE", ITEMS, {"itemIds": ["b", "c", "nobody"]})
    again = send(shoes, "DELETE", f"{ITEMS}/a")

    assert [answer.status_code for answer in (one, many, again)] == [202, 202, 202]
    assert one.json() == many.json() == SUCCESS
    assert ids(shoes) == ["d"]


def test_item_that_is_not_there_is_not_found(shoes):
    answer = shoes.get(f"{ITEMS}/1")

    assert answer.status_code == 404
    assert answer.json()["error"] == "NotFound"
    assert answer.json()["data"] == {"args": ["1"]}


@pytest.mark.parametrize("count", [999, 1000, 1001])
def test_request_holds_up_to_1000_documents(shoes, count):
    answer = upload(shoes, {str(number): {} for number in range(count)})
    deleted = send(shoes, "DELETE", ITEMS, {"itemIds": [str(number) for number in range(count)]})

    if count > 1000:
        assert (answer.status_code, answer.json()["code"]) == (400, "BatchTooLarge")
        assert (deleted.status_code, deleted.json()["code"]) == (400, "BatchTooLarge")
    else:
        assert (answer.status_code, deleted.status_code) == (202, 202)


@pytest.mark.parametrize("size", [29_999, 30_000, 30_001])
@pytest.mark.parametrize("way", ["bulk", "put", "patch", "merge"])
def test_item_has_up_to_30_kilobytes(shoes, size, way):
    text = "x" * (size - len('{"a":""}'))
    if way == "bulk":
        answer = upload(shoes, {"1": {"a": text}})
    elif way == "put":
        answer = send(shoes, "PUT", f"{ITEMS}/1", {"value": {"a": text}})
    elif way == "patch":
        answer = send(shoes, "PATCH", f"{ITEMS}/1", {"update": {"a": text}})
    else:
        upload(shoes, {"1": {"b": ""}})
        rest = text[len(',"b":""') :]
        answer = send(shoes, "PATCH", f"{ITEMS}/1", {"update": {"a": rest}})

    if size > 30_000:
        assert answer.status_code == 400
        assert answer.json()["code"] == "error.catalogs.itemTooLarge"
        assert answer.json()["data"] == {"args": ["1"]}
    else:
        assert answer.status_code == 202
        assert shoes.get(f"{ITEMS}/1").json()["size"] == size


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a.b": 1}, id="top"),
        pytest.param({"a": {"b.c": 1}}, id="nested"),
        pytest.param({"a": [{"b.c": 1}]}, id="in an array"),
    ],
)
def test_period_in_a_field_name_refuses_the_request(shoes, value):
    answer = upload(shoes, {"good": {"a": 1}, "bad": value})

    assert answer.status_code == 400
    assert answer.json()["code"] == "error.catalogs.invalidFieldName"
    assert ids(shoes) == []
    assert params(shoes.get(MAPPINGS))["undefinedFields"] == []


def test_catalog_has_up_to_350_unique_fields(shoes):
    upload(shoes, {"1": {f"f{number}": 1 for number in range(348)}})

    full = upload(shoes, {"2": {"nested": {"field": 1}}})
    over = upload(shoes, {"3": {"one-more": 1}})
    defined = send(
        shoes, "PUT", MAPPINGS, {"mappingsUpdates": [{"fieldName": "x", "fieldType": "long"}]}
    )

    assert full.status_code == 202
    for answer in (over, defined):
        assert (answer.status_code, answer.json()["code"]) == (400, "UniqueFieldsLimitExceeded")
    assert ids(shoes) == ["1", "2"]


@pytest.mark.parametrize("depth", [20, 21, 900])
def test_item_nested_too_deeply_is_refused(shoes, depth):
    text = '{"value":' + '{"a":' * depth + "1" + "}" * depth + "}"

    answer = send(
        shoes, "PUT", f"{ITEMS}/1", data=text, headers={**shoes.headers, "Content-Type": "x/json"}
    )

    assert answer.status_code == (202 if depth == 20 else 400)


@pytest.mark.parametrize(
    ("method", "path", "body", "problems"),
    [
        pytest.param("POST", ITEMS, [], {"obj": "error.expected.jsobject"}, id="array"),
        pytest.param("POST", ITEMS, {},
                     {"obj.documents": "error.path.missing",
                      "obj.replaceUploadedFieldsOnly": "error.path.missing"}, id="empty"),
        pytest.param("POST", ITEMS, {"documents": [], "replaceUploadedFieldsOnly": 1},
                     {"obj.documents": "error.expected.jsobject",
                      "obj.replaceUploadedFieldsOnly": "Boolean value expected"},
                     id="members of the wrong type"),
        pytest.param("POST", ITEMS,
                     {"documents": {"1": {}, "2": 3}, "replaceUploadedFieldsOnly": True},
                     {"obj.documents.2": "error.expected.jsobject"}, id="document is no object"),
        pytest.param("PUT", f"{ITEMS}/1", {"update": {}}, {"obj.value": "error.path.missing"},
                     id="no value"),
        pytest.param("PUT", f"{ITEMS}/1", {"value": "x"}, {"obj.value": "error.expected.jsobject"},
                     id="value is no object"),
        pytest.param("PATCH", f"{ITEMS}/1", {"value": {}}, {"obj.update": "error.path.missing"},
                     id="no update"),
        pytest.param("DELETE", ITEMS, {"itemIds": "1"},
                     {"obj.itemIds": "error.expected.jsarray"}, id="ids are no array"),
        pytest.param("DELETE", ITEMS, {"itemIds": ["1", 2]},
                     {"obj.itemIds[1]": "String value expected"}, id="id is no text"),
        pytest.param("PUT", MAPPINGS, {"mappingsUpdates": [{"fieldName": "a"}, 7]},
                     {"obj.mappingsUpdates[1]": "error.expected.jsobject"}, id="mapping is none"),
        pytest.param("PUT", MAPPINGS, {"mappingsUpdates": [{"fieldName": "a"}]},
                     {"obj.mappingsUpdates[0].fieldType": "error.path.missing"},
                     id="mapping without a type"),
        pytest.param("PUT", MAPPINGS,
                     {"mappingsUpdates": [{"fieldName": "a", "fieldType": "object",
                                           "children": [{"fieldName": 1, "fieldType": "long"}]}]},
                     {"obj.mappingsUpdates[0].children[0].fieldName": "String value expected"},
                     id="name of a child is no text"),
    ],
)  # fmt: skip
def test_body_of_the_wrong_shape_is_refused_with_its_path(shoes, method, path, body, problems):
    answer = send(shoes, method, path, body)

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"[{path}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": problems,
    }


def test_fields_without_a_type_are_named_as_undefined(shoes):
    upload(shoes, {"1": {"name": "Clog", "maker": {"city": "Oslo"}, "colours": [{"rgb": "f00"}]}})
    answer = send(
        shoes,
        "PUT",
        MAPPINGS,
        {
            "mappingsUpdates": [
                {"fieldName": "price", "fieldType": "double"},
                {
                    "fieldName": "maker",
                    "fieldType": "object",
                    "children": [{"fieldName": "city", "fieldType": "string"}],
                },
            ]
        },
    )

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert params(shoes.get(MAPPINGS)) == {
        "definedMappings": {"price": "double", "maker": "object", "maker.city": "string"},
        "undefinedFields": ["name", "colours", "colours.rgb"],
    }


@pytest.mark.parametrize(
    "kind", ["boolean", "date", "geo_location", "long", "double", "object", "string"]
)
def test_every_documented_type_can_be_set_once_and_not_changed(shoes, kind):
    def define(field_type):
        update = {"fieldName": "a", "fieldType": field_type}
        return send(shoes, "PUT", MAPPINGS, {"mappingsUpdates": [update]})

    other = "long" if kind != "long" else "string"

    assert define(kind).status_code == 200
    assert define(kind).status_code == 200
    changed = define(other)

    assert changed.status_code == 400
    assert changed.json()["code"] == "error.catalogs.fieldAlreadyDefined"
    assert params(shoes.get(MAPPINGS))["definedMappings"] == {"a": kind}


@pytest.mark.parametrize(
    "update",
    [
        pytest.param({"fieldName": "a", "fieldType": "text"}, id="unknown type"),
        pytest.param({"fieldName": "a.b", "fieldType": "long"}, id="period"),
        pytest.param(
            {
                "fieldName": "a",
                "fieldType": "long",
                "children": [{"fieldName": "b", "fieldType": "long"}],
            },
            id="children of a number",
        ),
        pytest.param({"fieldName": "first", "fieldType": "string"}, id="two types at once"),
    ],
)
def test_refused_mapping_sets_none_of_its_request(shoes, update):
    first = {"fieldName": "first", "fieldType": "long"}

    answer = send(shoes, "PUT", MAPPINGS, {"mappingsUpdates": [first, update]})

    assert (answer.status_code, answer.json()["error"]) == (400, "BadRequest")
    assert params(shoes.get(MAPPINGS))["definedMappings"] == {}


def test_value_of_another_type_than_the_mapping_is_accepted(shoes):
    update = {"fieldName": "age", "fieldType": "long"}
    send(shoes, "PUT", MAPPINGS, {"mappingsUpdates": [update]})

    assert upload(shoes, {"1": {"age": "25"}}).status_code == 202
    assert value_of(shoes, "1") == {"age": "25"}


def test_items_are_given_page_by_page(shoes):
    upload(shoes, {str(number): {"n": number} for number in range(1, 13)})

    first = params(shoes.get(ITEMS))
    second = params(shoes.get(first["nextPageUrl"]))

    assert [row["itemId"] for row in first["catalogItemsWithProperties"]] == [
        str(number) for number in range(1, 11)
    ]
    assert [row["itemId"] for row in second["catalogItemsWithProperties"]] == ["11", "12"]
    assert first["totalItemsCount"] == second["totalItemsCount"] == 12
    assert "previousPageUrl" not in first
    assert "nextPageUrl" not in second
    assert params(shoes.get(second["previousPageUrl"])) == first


def test_catalog_names_are_given_page_by_page(sandbox):
    for number in range(3):
        send(sandbox, "POST", f"/api/catalogs/c{number}")

    last = params(sandbox.get("/api/catalogs", params={"page": 2, "pageSize": 2}))

    assert last == {
        "catalogNames": [{"name": "c2"}],
        "totalCatalogsCount": 3,
        "previousPageUrl": "/api/catalogs?page=1&pageSize=2",
    }


def test_page_that_is_exactly_full_has_no_next_one(shoes):
    upload(shoes, {str(number): {} for number in range(10)})

    assert "nextPageUrl" not in params(shoes.get(ITEMS))


def test_catalog_names_are_in_alphabetical_order_whatever_their_case(sandbox):
    for name in ("bags", "Caps", "Aprons"):
        send(sandbox, "POST", f"/api/catalogs/{name}")

    names = params(sandbox.get("/api/catalogs"))["catalogNames"]

    assert names == [{"name": "Aprons"}, {"name": "bags"}, {"name": "Caps"}]


@pytest.mark.parametrize("path", ["/api/catalogs", ITEMS])
@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "x"},
        {"page": "2147483648"},
        {"page": "1" * 5000},
        {"page": "²"},
        {"pageSize": "0"},
        {"pageSize": "1001"},
        {"pageSize": ""},
    ],
)
def test_page_that_is_no_number_or_out_of_range_is_refused(shoes, path, query):
    answer = shoes.get(path, params=query)

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")


def test_page_behind_the_last_is_empty(shoes):
    upload(shoes, {"1": {}})

    assert params(shoes.get(ITEMS, params={"page": 3, "pageSize": 1})) == {
        "catalogItemsWithProperties": [],
        "totalItemsCount": 1,
    }


@pytest.mark.parametrize(
    ("field", "kind", "expected"),
    [
        pytest.param("price", "double", ["c", "a", "b", "none"], id="numbers"),
        pytest.param("maker.city", "string", ["b", "a", "c", "none"], id="nested text"),
        pytest.param("since", "date", ["b", "c", "a", "none"], id="dates in several forms"),
    ],
)
def test_items_are_ordered_by_a_field_descending_unless_asked(shoes, field, kind, expected):
    upload(
        shoes,
        {
            "none": {},
            "a": {"price": 10, "maker": {"city": "B"}, "since": "2024-01-01T12:00:00.000Z"},
            "b": {"price": 2.5, "maker": {"city": "C"}, "since": "2024-01-02"},
            "c": {"price": 30, "maker": {"city": "A"}, "since": "2024-01-02 01:00:00 +02:00"},
        },
    )
    *parents, name = field.split(".")
    update = {"fieldName": name, "fieldType": kind}
    for parent in parents:
        update = {"fieldName": parent, "fieldType": "object", "children": [update]}
    send(shoes, "PUT", MAPPINGS, {"mappingsUpdates": [update]})

    assert ids(shoes, orderBy=field) == expected
    assert ids(shoes, orderBy=field, sortAscending="false") == expected
    assert ids(shoes, orderBy=field, sortAscending="true") == [*expected[-2::-1], "none"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"orderBy": "a", "sortAscending": "true"}, id="field without a type"),
        pytest.param({"sortAscending": "yes"}, id="no boolean"),
    ],
)
def test_order_that_cannot_be_is_refused(shoes, query):
    upload(shoes, {"1": {"a": 1}})

    answer = shoes.get(ITEMS, params=query)

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
    assert ids(shoes, orderBy="a") == ["1"]


@pytest.mark.parametrize(
    ("method", "path", "body", "most"),
    [
        ("GET", "/api/catalogs", None, 100),
        ("GET", ITEMS, None, 100),
        ("POST", ITEMS, {"documents": {}, "replaceUploadedFieldsOnly": False}, 100),
        ("PUT", f"{ITEMS}/1", {"value": {}}, 1000),
    ],
)
def test_published_limits_are_kept(shoes, method, path, body, most):
    """The clock stands still, so the bucket never fills again."""
    shoes.server.app_state.change({"rate_limits": True})
    shoes.server.app_state.buckets._clock = lambda: 0.0

    statuses = [send(shoes, method, path, body).status_code for _ in range(most + 1)]

    assert 429 not in statuses[:most]
    assert statuses[most] == 429


def test_history_counts_items_and_names_their_ids(shoes):
    upload(shoes, {"1": {}, "2": {}})

    entry = shoes.history()[-1]

    assert (entry["rows"], entry["keys"], entry["counts"]) == (
        2,
        ["1", "2"],
        {"success": 2, "fail": 0},
    )


def test_discarding_sandbox_validates_and_counts_but_keeps_no_values(sandbox):
    sandbox.server.reset(discard=True)
    send(sandbox, "POST", CATALOG)

    good = upload(sandbox, {"1": {"a": 1}, "2": {"a": 2}})
    bad = upload(sandbox, {"3": {"a.b": 1}})
    patched = send(sandbox, "PATCH", f"{ITEMS}/1", {"update": {"b": 1}})
    listed = params(sandbox.get(ITEMS))

    assert (good.status_code, bad.status_code, patched.status_code) == (202, 400, 202)
    assert listed == {"catalogItemsWithProperties": [], "totalItemsCount": 2}
    assert sandbox.get(f"{ITEMS}/1").status_code == 404
    assert params(sandbox.get(MAPPINGS))["undefinedFields"] == ["a", "b"]
    assert sandbox.history(after=1)[0]["rows"] == 2
