"""commerce/trackPurchase and commerce/updateCart: profile, cart and event."""

from __future__ import annotations

import pytest

PURCHASE = "/api/commerce/trackPurchase"
CART = "/api/commerce/updateCart"
BOTH = [PURCHASE, CART]
ITEM = {"id": "i-1", "name": "Sample Item", "price": 100.0, "quantity": 1}
ADA = {"email": "ada@example.com"}


def send(sandbox, path, user=ADA, items=(ITEM,), **members):
    body = {"user": user, "items": list(items), **members}
    if path == PURCHASE:
        body.setdefault("total", 100.0)
    return sandbox.post(path, body)


def events(sandbox, email="ada@example.com"):
    return sandbox.get(f"/api/events/{email}").json()["events"]


def profile(sandbox, key="ada@example.com"):
    return sandbox.people()[key]


def test_purchase_is_answered_with_its_id(sandbox):
    answer = send(sandbox, PURCHASE, id="order_1")

    assert answer.status_code == 200
    assert answer.json() == {"msg": "", "code": "Success", "params": {"id": "order_1"}}


def test_cart_is_answered_as_recorded(sandbox):
    answer = send(sandbox, CART)

    assert answer.status_code == 200
    assert answer.json() == {"msg": "", "code": "Success", "params": None}


def test_purchase_is_read_with_its_parts_at_the_top(sandbox):
    send(
        sandbox,
        PURCHASE,
        createdAt=1506620711000,
        campaignId=12,
        templateId=34,
        total=100,
        dataFields={"coupon": "X"},
    )

    (event,) = events(sandbox)
    del event["eventUpdatedAt"], event["itblInternal"]
    assert event == {
        "email": "ada@example.com",
        "eventType": "purchase",
        "createdAt": "2017-09-28 17:45:11 +00:00",
        "campaignId": 12,
        "templateId": 34,
        "total": 100.0,
        "shoppingCartItems": [ITEM],
        "dataFields": {"coupon": "X"},
    }


def test_cart_is_kept_in_the_profile_and_each_change_is_an_event(sandbox):
    other = {**ITEM, "id": "i-2", "sku": "s", "categories": ["a", "b"], "dataFields": {"size": 9}}
    send(sandbox, CART)
    send(sandbox, CART, items=[other])

    assert profile(sandbox)["shoppingCartItems"] == [other]
    assert [
        (event["eventType"], event["eventName"], event["dataFields"]) for event in events(sandbox)
    ] == [
        ("customEvent", "updateCart", {"updatedShoppingCartItems": [other]}),
        ("customEvent", "updateCart", {"updatedShoppingCartItems": [ITEM]}),
    ]


def test_same_cart_again_is_another_event(sandbox):
    send(sandbox, CART)
    send(sandbox, CART)

    assert len(events(sandbox)) == 2


def test_cart_can_be_emptied(sandbox):
    send(sandbox, CART)

    assert send(sandbox, CART, items=[]).status_code == 200
    assert profile(sandbox)["shoppingCartItems"] == []


def test_purchase_clears_the_cart(sandbox):
    send(sandbox, CART)
    send(sandbox, PURCHASE)

    assert profile(sandbox)["shoppingCartItems"] == []
    assert [event["eventType"] for event in events(sandbox)] == ["purchase", "customEvent"]


def test_purchase_with_a_known_id_is_replaced(sandbox):
    send(sandbox, PURCHASE, id="1", dataFields={"coupon": "X"})
    send(sandbox, PURCHASE, id="1", total=5.5)

    (event,) = events(sandbox)
    assert event["total"] == 5.5
    assert "dataFields" not in event


def test_purchases_without_an_id_add_up(sandbox):
    answers = [send(sandbox, PURCHASE).json()["params"]["id"] for _ in range(2)]

    assert len(set(answers)) == 2
    assert len(events(sandbox)) == 2


def test_ids_of_purchases_and_events_are_apart(sandbox):
    sandbox.post("/api/events/track", {**ADA, "eventName": "x", "id": "1"})
    send(sandbox, PURCHASE, id="1")

    assert len(events(sandbox)) == 2


# Who is created, and who is refused, in an empty project.
@pytest.mark.parametrize(
    ("project_type", "user", "key", "code"),
    [
        pytest.param("hybrid", {"email": "A@example.com"}, "a@example.com", None,
                     id="hybrid email"),
        pytest.param("hybrid", {"userId": "U1"}, "U1", None, id="hybrid userId"),
        pytest.param("hybrid", {"email": "a@example.com", "userId": "U1"}, "U1", None,
                     id="hybrid both"),
        pytest.param("userId", {"userId": "U1"}, "U1", None, id="userID"),
        pytest.param("userId", {"email": "a@example.com"}, None, "UnknownEmailError",
                     id="userID email only"),
        pytest.param("email", {"email": "a@example.com"}, "a@example.com", None, id="email"),
        pytest.param("email", {"userId": "U1"}, None, "UnknownUserIdError",
                     id="email userId only"),
        pytest.param("hybrid", {"email": "bad@"}, None, "InvalidEmailAddressError",
                     id="bad email"),
        pytest.param("hybrid", {"userId": "U1 "}, None, "InvalidUserIdError", id="bad userId"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", BOTH)
def test_unknown_people_are_created_or_refused(sandbox, path, project_type, user, key, code):
    sandbox.server.reset(project_type=project_type)

    answer = send(sandbox, path, user=user)

    assert answer.status_code == (200 if code is None else 400)
    assert answer.json()["code"] == (code or "Success")
    assert list(sandbox.people()) == ([] if key is None else [key])
    assert len(sandbox.server.app_state.events) == (code is None)


@pytest.mark.parametrize("path", BOTH)
def test_prefer_user_id_creates_a_placeholder_in_an_email_project(sandbox, path):
    sandbox.server.reset(project_type="email")
    send(sandbox, path, user={"userId": "U1", "preferUserId": True})

    (email,) = sandbox.people()
    assert email.endswith("@placeholder.email")
    assert len(events(sandbox, email)) == 1


@pytest.mark.parametrize("path", BOTH)
def test_profile_is_written_like_any_user(sandbox, path):
    sandbox.bulk({**ADA, "dataFields": {"keep": 1, "o": {"a": 1}}})
    send(
        sandbox,
        path,
        user={**ADA, "dataFields": {"new": 2, "o": {"b": 2}}, "mergeNestedObjects": True},
    )

    person = profile(sandbox)
    assert (person["keep"], person["new"], person["o"]) == (1, 2, {"a": 1, "b": 2})


@pytest.mark.parametrize("path", BOTH)
def test_user_block_decides_on_new_user_fields(sandbox, path):
    send(sandbox, path, user={**ADA, "dataFields": {"new": 2}, "createNewFields": False})

    person = profile(sandbox)
    assert "new" not in person
    assert person["shoppingCartItems"] == ([ITEM] if path == CART else [])


@pytest.mark.parametrize("path", BOTH)
def test_user_without_identifiers_is_refused_as_recorded(sandbox, path):
    answer = send(sandbox, path, user={}, items=[])

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": "Either email or userId must be set: ApiUserUpdateRequest(None,None,None,None)",
        "code": "BadParams",
        "params": None,
    }


@pytest.mark.parametrize("path", BOTH)
def test_identifiers_of_two_people_are_a_conflict(sandbox, path):
    sandbox.bulk(ADA, {"userId": "U1"})

    answer = send(sandbox, path, user={**ADA, "userId": "U1"})

    assert answer.status_code == 409
    assert len(sandbox.server.app_state.events) == 0


@pytest.mark.parametrize("path", BOTH)
def test_somebody_forgotten_is_refused(sandbox, path):
    sandbox.server.app_state.forgotten.add("ada@example.com", None)

    answer = send(sandbox, path)

    assert answer.status_code in {400, 409}
    assert answer.json()["code"] == "ForgottenUserError"
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("item", "problems"),
    [
        pytest.param({}, dict.fromkeys(["id", "name", "price", "quantity"], "error.path.missing"),
                     id="empty"),
        pytest.param({**ITEM, "id": 1}, {"id": "String value expected"}, id="id"),
        pytest.param({**ITEM, "name": None}, {"name": "String value expected"}, id="name"),
        pytest.param({**ITEM, "price": "1"}, {"price": "Number value expected"}, id="price"),
        pytest.param({**ITEM, "price": True}, {"price": "Number value expected"},
                     id="price as boolean"),
        pytest.param({**ITEM, "quantity": 1.5}, {"quantity": "Number value expected"},
                     id="quantity as a fraction"),
        pytest.param({**ITEM, "quantity": 2**63}, {"quantity": "Number value expected"},
                     id="quantity above 64 bits"),
        pytest.param({**ITEM, "sku": 1}, {"sku": "String value expected"}, id="sku"),
        pytest.param({**ITEM, "description": 1}, {"description": "String value expected"},
                     id="description"),
        pytest.param({**ITEM, "url": 1}, {"url": "String value expected"}, id="url"),
        pytest.param({**ITEM, "imageUrl": 1}, {"imageUrl": "String value expected"},
                     id="imageUrl"),
        pytest.param({**ITEM, "categories": "a"}, {"categories": "error.expected.jsarray"},
                     id="categories"),
        pytest.param({**ITEM, "categories": ["a", 1]}, {"categories[1]": "String value expected"},
                     id="category"),
        pytest.param({**ITEM, "dataFields": []}, {"dataFields": "error.expected.jsobject"},
                     id="dataFields"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", BOTH)
def test_wrong_item_refuses_the_request_by_its_path(sandbox, path, item, problems):
    answer = send(sandbox, path, items=[ITEM, item])

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"[{path}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": {f"obj.items[1].{name}": text for name, text in problems.items()},
    }
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("path", "members", "params"),
    [
        pytest.param(PURCHASE, {"total": "", "items": []}, {"obj.total": "Number value expected"},
                     id="recorded total"),
        pytest.param(PURCHASE, {"total": None}, {"obj.total": "Number value expected"},
                     id="no total"),
        pytest.param(PURCHASE, {"id": 1}, {"obj.id": "String value expected"}, id="id"),
        pytest.param(PURCHASE, {"createdAt": "x"}, {"obj.createdAt": "Number value expected"},
                     id="createdAt"),
        pytest.param(PURCHASE, {"dataFields": []}, {"obj.dataFields": "error.expected.jsobject"},
                     id="dataFields"),
        pytest.param(PURCHASE, {"campaignId": 2**31}, {"obj.campaignId": "Number value expected"},
                     id="campaignId above 32 bits"),
        pytest.param(PURCHASE, {"templateId": "1"}, {"obj.templateId": "Number value expected"},
                     id="templateId"),
        *[
            pytest.param(path, members, params, id=f"{name} {path.rpartition('/')[2]}")
            for path in BOTH
            for name, members, params in [
                ("user", {"user": None}, {"obj.user": "error.expected.jsobject"}),
                ("user type", {"user": "x"}, {"obj.user": "error.expected.jsobject"}),
                ("email", {"user": {"email": 1}}, {"obj.user.email": "String value expected"}),
                ("flag", {"user": {**ADA, "createNewFields": 1}},
                 {"obj.user.createNewFields": "Boolean value expected"}),
                ("items type", {"items": {}}, {"obj.items": "error.expected.jsarray"}),
                ("item type", {"items": [1]}, {"obj.items[0]": "error.expected.jsobject"}),
            ]
        ],
    ],
)  # fmt: skip
def test_wrong_json_type_is_refused_by_its_path(sandbox, path, members, params):
    answer = sandbox.post(path, {"user": ADA, "items": [ITEM], "total": 1, **members})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")
    assert answer.json()["params"] == params
    assert sandbox.people() == {}


@pytest.mark.parametrize(("size", "status"), [(512, 200), (513, 400)])
def test_purchase_id_has_at_most_512_bytes(sandbox, size, status):
    assert send(sandbox, PURCHASE, id="x" * size).status_code == status


def test_unknown_members_of_an_item_are_dropped(sandbox):
    send(sandbox, CART, items=[{**ITEM, "colour": "red", "sku": None}])

    assert profile(sandbox)["shoppingCartItems"] == [ITEM]


def test_whole_price_and_total_are_doubles(sandbox):
    answers = [
        *(send(sandbox, CART, items=[{**ITEM, "price": price}]) for price in (1, 1.5)),
        *(send(sandbox, PURCHASE, total=total) for total in (1, 1.5)),
    ]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_item_name_that_looks_like_a_date_is_a_text(sandbox):
    for name in ("2024-01-01", "Sample Item"):
        assert send(sandbox, CART, items=[{**ITEM, "name": name}]).status_code == 200

    assert profile(sandbox)["shoppingCartItems"][0]["name"] == "Sample Item"


@pytest.mark.parametrize(
    ("path", "first", "second", "field", "category"),
    [
        pytest.param(PURCHASE, {"dataFields": {"coupon": 1}}, {"dataFields": {"coupon": "x"}},
                     "coupon", "purchase", id="field of a purchase"),
        pytest.param(PURCHASE, {"items": [{**ITEM, "dataFields": {"size": 1}}]},
                     {"items": [{**ITEM, "dataFields": {"size": "x"}}]},
                     "shoppingCartItems.dataFields.size", "purchase", id="field of an item"),
        pytest.param(CART, {"items": [{**ITEM, "dataFields": {"size": 1}}]},
                     {"items": [{**ITEM, "dataFields": {"size": "x"}}]},
                     "updatedShoppingCartItems.dataFields.size", "customEvent", id="cart"),
        pytest.param(PURCHASE, {"user": {**ADA, "dataFields": {"age": 1}}},
                     {"user": {**ADA, "dataFields": {"age": "x"}}, "dataFields": {"new": 1}},
                     "age", "user", id="field of the user"),
    ],
)  # fmt: skip
def test_value_of_another_type_refuses_the_request_and_changes_nothing(
    sandbox, path, first, second, field, category
):
    assert send(sandbox, path, **first).status_code == 200
    state = sandbox.server.app_state
    people, fields = sandbox.people(), state.event_fields.as_json()

    answer = send(sandbox, path, **second)

    assert (answer.status_code, answer.json()["code"]) == (400, "RequestFieldsTypesMismatched")
    (wrong,) = answer.json()["params"]["validationErrors"].items()
    assert (wrong[0], wrong[1]["category"]) == (field, category)
    assert (sandbox.people(), state.event_fields.as_json()) == (people, fields)
    assert len(events(sandbox)) == 1


@pytest.mark.parametrize("path", BOTH)
def test_first_request_makes_the_cart_a_user_field_unless_it_is_refused(sandbox, path):
    def fields():
        return sandbox.get("/api/users/getFields").json()["fields"]

    before = fields()
    send(sandbox, path, user={"email": "bad@"})
    refused = fields()
    send(sandbox, path)

    assert refused == before
    assert (fields()["shoppingCartItems"], fields()["shoppingCartItems.price"]) == (
        "object",
        "double",
    )


def test_purchase_fields_are_apart_from_those_of_events(sandbox):
    track = {**ADA, "eventName": "x", "dataFields": {"coupon": 1}}
    assert sandbox.post("/api/events/track", track).status_code == 200

    assert send(sandbox, PURCHASE, dataFields={"coupon": "x"}).status_code == 200


def test_new_purchase_fields_are_filtered_out_where_the_project_says_so(sandbox):
    sandbox.server.reset(create_new_fields=False)
    send(sandbox, PURCHASE, dataFields={"coupon": 1})

    (event,) = events(sandbox)
    assert "dataFields" not in event
    assert (event["total"], event["shoppingCartItems"]) == (100.0, [ITEM])


@pytest.mark.parametrize("path", BOTH)
def test_wrong_and_read_only_keys_are_refused(sandbox, path):
    for key in ("wrong", sandbox.server.app_state.settings.read_only_key):
        answer = sandbox.post(path, {}, headers={"Api-Key": key})

        assert (answer.status_code, answer.json()["code"]) == (401, "BadApiKey")


@pytest.mark.parametrize("path", BOTH)
def test_history_says_who_bought(sandbox, path):
    send(sandbox, path)

    (entry,) = sandbox.history()
    assert (entry["rows"], entry["keys"]) == (1, ["ada@example.com"])


@pytest.mark.parametrize("path", BOTH)
def test_discarded_purchases_and_carts_are_counted(sandbox, path):
    sandbox.server.reset(discard=True)
    ids = {"id": "1"} if path == PURCHASE else {}

    assert [send(sandbox, path, **ids).status_code for _ in range(2)] == [200, 200]
    assert len(sandbox.server.app_state.events) == (1 if path == PURCHASE else 2)
