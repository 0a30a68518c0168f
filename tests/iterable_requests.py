"""The operations that the sandbox offers, and requests that they accept and refuse: tables."""

from __future__ import annotations

from typing import Any, NamedTuple

# The operations that the sandbox offers; every other one of the API has no route.
OPERATIONS = {
    ("POST", "/api/users/update"),
    ("POST", "/api/users/bulkUpdate"),
    ("POST", "/api/users/updateEmail"),
    ("POST", "/api/users/merge"),
    ("POST", "/api/users/updateSubscriptions"),
    ("POST", "/api/users/bulkUpdateSubscriptions"),
    ("POST", "/api/users/forget"),
    ("POST", "/api/users/unforget"),
    ("GET", "/api/users/forgotten"),
    ("GET", "/api/users/forgottenUserIds"),
    ("GET", "/api/users/getByEmail"),
    ("GET", "/api/users/byUserId"),
    ("GET", "/api/users/byUserId/{}"),
    ("DELETE", "/api/users/byUserId/{}"),
    ("GET", "/api/users/getFields"),
    ("GET", "/api/users/{}"),
    ("DELETE", "/api/users/{}"),
    ("POST", "/api/events/track"),
    ("POST", "/api/events/trackBulk"),
    ("GET", "/api/events/{}"),
    ("GET", "/api/events/byUserId/{}"),
    ("POST", "/api/commerce/trackPurchase"),
    ("POST", "/api/commerce/updateCart"),
    ("GET", "/api/lists"),
    ("POST", "/api/lists"),
    ("POST", "/api/lists/subscribe"),
    ("POST", "/api/lists/unsubscribe"),
    ("GET", "/api/lists/getUsers"),
    ("GET", "/api/lists/previewUsers"),
    ("GET", "/api/lists/{}/size"),
    ("DELETE", "/api/lists/{}"),
    ("GET", "/api/catalogs"),
    ("POST", "/api/catalogs/{}"),
    ("DELETE", "/api/catalogs/{}"),
    ("GET", "/api/catalogs/{}/fieldMappings"),
    ("PUT", "/api/catalogs/{}/fieldMappings"),
    ("GET", "/api/catalogs/{}/items"),
    ("POST", "/api/catalogs/{}/items"),
    ("DELETE", "/api/catalogs/{}/items"),
    ("GET", "/api/catalogs/{}/items/{}"),
    ("PUT", "/api/catalogs/{}/items/{}"),
    ("PATCH", "/api/catalogs/{}/items/{}"),
    ("DELETE", "/api/catalogs/{}/items/{}"),
    ("PUT", "/api/subscriptions/{}/{}"),
    ("PATCH", "/api/subscriptions/{}/{}/user/{}"),
    ("DELETE", "/api/subscriptions/{}/{}/user/{}"),
    ("PATCH", "/api/subscriptions/{}/{}/byUserId/{}"),
    ("DELETE", "/api/subscriptions/{}/{}/byUserId/{}"),
    ("POST", "/api/subscriptions/subscribeToDoubleOptIn"),
    ("GET", "/api/channels"),
    ("GET", "/api/messageTypes"),
    ("GET", "/api/campaigns"),
}

# Operations that cannot fail: they take nothing in.
INFALLIBLE = {
    ("GET", "/api/channels"),
    ("GET", "/api/messageTypes"),
    ("GET", "/api/lists"),
    ("GET", "/api/users/getFields"),
}


class Request(NamedTuple):
    """
    One request to a project with people in it.

    ``{list}`` in a path or body is the number of a list. *status* 207 is a 200 with failures.
    """

    status: int
    method: str
    path: str
    body: Any = None
    project: str = "hybrid"


ADA = {"email": "ada@example.com", "userId": "ada"}
ITEM = {"id": "1", "name": "Tea", "price": 2.5, "quantity": 2}

REQUESTS = [
    # users
    Request(200, "POST", "/api/users/update", {**ADA, "dataFields": {"plan": "a", "n": 1}}),
    Request(400, "POST", "/api/users/update", {"email": "bad@"}),
    Request(400, "POST", "/api/users/update", {}),
    Request(400, "POST", "/api/users/update", {"userId": "x" * 53}),
    Request(400, "POST", "/api/users/update", {"userId": "ada", "dataFields": {"age": "old"}}),
    Request(409, "POST", "/api/users/update", {"userId": "ada", "email": "bob@example.com"}),
    Request(400, "POST", "/api/users/update", {"email": 1}),
    Request(200, "POST", "/api/users/bulkUpdate", {"users": [ADA, {"userId": "new"}]}),
    Request(207, "POST", "/api/users/bulkUpdate", {"users": [{"email": "bad@"}, {"userId": ""}]}),
    Request(
        207,
        "POST",
        "/api/users/bulkUpdate",
        {"users": [{"userId": "ada", "email": "bob@example.com"}, {"email": "gone@example.com"}]},
    ),
    Request(400, "POST", "/api/users/bulkUpdate", {"users": []}),
    Request(400, "POST", "/api/users/bulkUpdate", {"users": [{"preferUserId": "yes"}]}),
    Request(400, "POST", "/api/users/bulkUpdate", {}),
    Request(
        200,
        "POST",
        "/api/users/updateEmail",
        {"currentEmail": "ada@example.com", "newEmail": "lady@example.com"},
        "email",
    ),
    Request(
        400,
        "POST",
        "/api/users/updateEmail",
        {"currentEmail": "nobody@example.com", "newEmail": "lady@example.com"},
        "email",
    ),
    Request(
        400,
        "POST",
        "/api/users/updateEmail",
        {"currentEmail": "ada@example.com", "newEmail": "bob@example.com"},
        "email",
    ),
    Request(400, "POST", "/api/users/updateEmail", {"currentEmail": "a@", "newEmail": "b@"}),
    Request(400, "POST", "/api/users/updateEmail", {"currentEmail": "ada@example.com"}, "email"),
    Request(
        200,
        "POST",
        "/api/users/merge",
        {"sourceEmail": "ada@example.com", "destinationEmail": "bob@example.com"},
    ),
    Request(
        400,
        "POST",
        "/api/users/merge",
        {"sourceEmail": "nobody@example.com", "destinationEmail": "bob@example.com"},
    ),
    Request(400, "POST", "/api/users/merge", {"arrayMerge": "x"}),
    Request(200, "POST", "/api/users/forget", {"email": "bob@example.com"}),
    Request(400, "POST", "/api/users/forget", {"email": "bad@"}),
    Request(400, "POST", "/api/users/forget", {}),
    Request(200, "POST", "/api/users/unforget", {"email": "gone@example.com"}),
    Request(400, "POST", "/api/users/unforget", {"email": "bad@"}),
    Request(200, "GET", "/api/users/forgotten"),
    Request(400, "GET", "/api/users/forgotten", project="userId"),
    Request(200, "GET", "/api/users/forgottenUserIds"),
    Request(400, "GET", "/api/users/forgottenUserIds", project="email"),
    Request(200, "GET", "/api/users/getByEmail?email=ada@example.com"),
    Request(200, "GET", "/api/users/getByEmail?email=nobody@example.com"),
    Request(400, "GET", "/api/users/getByEmail?email=bad@"),
    Request(200, "GET", "/api/users/ada@example.com"),
    Request(400, "GET", "/api/users/bad@"),
    Request(200, "GET", "/api/users/byUserId?userId=ada"),
    Request(400, "GET", "/api/users/byUserId?userId=nobody"),
    Request(200, "GET", "/api/users/byUserId/ada"),
    Request(200, "GET", "/api/users/byUserId/without-email", project="userId"),
    Request(400, "GET", "/api/users/byUserId/nobody"),
    Request(200, "DELETE", "/api/users/byUserId/ada"),
    Request(400, "DELETE", "/api/users/byUserId/nobody"),
    Request(200, "DELETE", "/api/users/ada@example.com"),
    Request(200, "DELETE", "/api/users/nobody@example.com"),
    Request(400, "DELETE", "/api/users/bad@"),
    Request(200, "GET", "/api/users/getFields"),
    # events
    Request(200, "POST", "/api/events/track", {"userId": "ada", "eventName": "seen", "id": "e-1"}),
    Request(
        200,
        "POST",
        "/api/events/track",
        {"userId": "ada", "eventName": "seen", "createdAt": 1700000000, "dataFields": {"a": 1}},
    ),
    Request(400, "POST", "/api/events/track", {"userId": "ada"}),
    Request(400, "POST", "/api/events/track", {"email": "bad@", "eventName": "seen"}),
    Request(400, "POST", "/api/events/track", {"eventName": "seen"}),
    Request(
        400,
        "POST",
        "/api/events/track",
        {"userId": "ada", "eventName": "bought", "dataFields": {"sum": "much"}},
    ),
    Request(
        200, "POST", "/api/events/trackBulk", {"events": [{"userId": "ada", "eventName": "seen"}]}
    ),
    Request(200, "POST", "/api/events/trackBulk", {"events": []}),
    Request(
        207,
        "POST",
        "/api/events/trackBulk",
        {
            "events": [
                {"email": "bad@", "eventName": "seen"},
                {"email": "gone@example.com", "eventName": "seen"},
            ]
        },
    ),
    Request(
        400, "POST", "/api/events/trackBulk", {"events": [{"userId": "ada", "eventName": None}]}
    ),
    Request(200, "GET", "/api/events/ada@example.com"),
    Request(200, "GET", "/api/events/ada@example.com?limit=1"),
    Request(200, "GET", "/api/events/nobody@example.com"),
    Request(400, "GET", "/api/events/bad@"),
    Request(200, "GET", "/api/events/byUserId/ada?limit=200"),
    Request(400, "GET", "/api/events/byUserId/ada?limit=0"),
    # commerce
    Request(
        200, "POST", "/api/commerce/trackPurchase", {"user": ADA, "items": [ITEM], "total": 5.0}
    ),
    Request(
        200,
        "POST",
        "/api/commerce/trackPurchase",
        {"user": ADA, "items": [ITEM], "total": 5, "id": "p-1", "dataFields": {"shop": "a"}},
    ),
    Request(400, "POST", "/api/commerce/trackPurchase", {"user": ADA, "items": [], "total": ""}),
    Request(400, "POST", "/api/commerce/trackPurchase", {"user": {}, "items": [], "total": 1}),
    Request(
        400,
        "POST",
        "/api/commerce/trackPurchase",
        {"user": ADA, "items": [{"id": "1"}], "total": 1.5},
    ),
    Request(
        409,
        "POST",
        "/api/commerce/trackPurchase",
        {"user": {"userId": "ada", "email": "bob@example.com"}, "items": [ITEM], "total": 1.5},
    ),
    Request(200, "POST", "/api/commerce/updateCart", {"user": ADA, "items": [ITEM]}),
    Request(400, "POST", "/api/commerce/updateCart", {"user": {}, "items": []}),
    Request(400, "POST", "/api/commerce/updateCart", {"user": ADA, "items": "none"}),
    # lists
    Request(200, "GET", "/api/lists"),
    Request(200, "POST", "/api/lists", {"name": "a list", "description": "of people"}),
    Request(400, "POST", "/api/lists", {}),
    Request(200, "POST", "/api/lists/subscribe", {"listId": "{list}", "subscribers": [ADA]}),
    Request(200, "POST", "/api/lists/subscribe", {"listId": "{list}", "subscribers": []}),
    Request(
        207,
        "POST",
        "/api/lists/subscribe",
        {"listId": "{list}", "subscribers": [{"email": "bad@"}, {"email": "gone@example.com"}]},
    ),
    Request(400, "POST", "/api/lists/subscribe", {"listId": 99, "subscribers": [ADA]}),
    Request(400, "POST", "/api/lists/subscribe", {"listId": "{list}", "subscribers": [1]}),
    Request(200, "POST", "/api/lists/unsubscribe", {"listId": "{list}", "subscribers": [ADA]}),
    Request(
        207,
        "POST",
        "/api/lists/unsubscribe",
        {"listId": "{list}", "subscribers": [{"email": "nobody@example.com"}]},
    ),
    Request(400, "POST", "/api/lists/unsubscribe", {"listId": 99, "subscribers": [ADA]}),
    Request(200, "GET", "/api/lists/getUsers?listId={list}"),
    Request(200, "GET", "/api/lists/getUsers?listId={list}&preferUserId=true"),
    Request(400, "GET", "/api/lists/getUsers?listId=99"),
    Request(400, "GET", "/api/lists/getUsers"),
    Request(200, "GET", "/api/lists/previewUsers?listId={list}&size=1"),
    Request(400, "GET", "/api/lists/previewUsers?listId=99"),
    Request(200, "GET", "/api/lists/{list}/size"),
    Request(400, "GET", "/api/lists/99/size"),
    Request(400, "GET", "/api/lists/many/size"),
    Request(200, "DELETE", "/api/lists/{list}"),
    Request(400, "DELETE", "/api/lists/99"),
    # catalogs
    Request(200, "GET", "/api/catalogs"),
    Request(200, "GET", "/api/catalogs?page=1&pageSize=1"),
    Request(400, "GET", "/api/catalogs?pageSize=x"),
    Request(201, "POST", "/api/catalogs/another"),
    Request(400, "POST", "/api/catalogs/not_a_name"),
    Request(400, "POST", "/api/catalogs/SHOP"),
    Request(200, "DELETE", "/api/catalogs/shop"),
    Request(404, "DELETE", "/api/catalogs/nowhere"),
    Request(200, "GET", "/api/catalogs/shop/fieldMappings"),
    Request(404, "GET", "/api/catalogs/nowhere/fieldMappings"),
    Request(
        200,
        "PUT",
        "/api/catalogs/shop/fieldMappings",
        {"mappingsUpdates": [{"fieldName": "price", "fieldType": "double"}]},
    ),
    Request(400, "PUT", "/api/catalogs/shop/fieldMappings", {"mappingsUpdates": 1}),
    Request(200, "GET", "/api/catalogs/shop/items"),
    Request(200, "GET", "/api/catalogs/shop/items?page=1&pageSize=1&orderBy=price"),
    Request(404, "GET", "/api/catalogs/nowhere/items"),
    Request(
        202,
        "POST",
        "/api/catalogs/shop/items",
        {"documents": {"two": {"price": 3.5}}, "replaceUploadedFieldsOnly": True},
    ),
    Request(
        400,
        "POST",
        "/api/catalogs/shop/items",
        {"documents": {"no id": {"price": 3.5}}, "replaceUploadedFieldsOnly": True},
    ),
    Request(
        404,
        "POST",
        "/api/catalogs/nowhere/items",
        {"documents": {"two": {"price": 3.5}}, "replaceUploadedFieldsOnly": True},
    ),
    Request(202, "DELETE", "/api/catalogs/shop/items", {"itemIds": ["one", "nothing"]}),
    Request(400, "DELETE", "/api/catalogs/shop/items", {"itemIds": [1]}),
    Request(200, "GET", "/api/catalogs/shop/items/one"),
    Request(404, "GET", "/api/catalogs/shop/items/nothing"),
    Request(404, "GET", "/api/catalogs/nowhere/items/one"),
    Request(202, "PUT", "/api/catalogs/shop/items/one", {"value": {"price": 1.5}}),
    Request(400, "PUT", "/api/catalogs/shop/items/one", {"value": {"a.b": 1}}),
    Request(404, "PUT", "/api/catalogs/nowhere/items/one", {"value": {"price": 1.5}}),
    Request(202, "PATCH", "/api/catalogs/shop/items/one", {"update": {"price": 1.5}}),
    Request(400, "PATCH", "/api/catalogs/shop/items/one", {"update": []}),
    Request(202, "DELETE", "/api/catalogs/shop/items/one"),
    Request(404, "DELETE", "/api/catalogs/nowhere/items/one"),
    # subscriptions
    Request(200, "POST", "/api/users/updateSubscriptions", {**ADA, "unsubscribedChannelIds": []}),
    Request(400, "POST", "/api/users/updateSubscriptions", {"email": "bad@"}),
    Request(400, "POST", "/api/users/updateSubscriptions", {**ADA, "emailListIds": "all"}),
    Request(
        200,
        "POST",
        "/api/users/bulkUpdateSubscriptions",
        {"updateSubscriptionsRequests": [{"userId": "ada"}]},
    ),
    Request(
        207,
        "POST",
        "/api/users/bulkUpdateSubscriptions",
        {"updateSubscriptionsRequests": [{"email": "bad@"}]},
    ),
    Request(400, "POST", "/api/users/bulkUpdateSubscriptions", {}),
    Request(
        202,
        "PUT",
        "/api/subscriptions/emailList/{list}?action=subscribe",
        {"users": ["ada@example.com"], "usersByUserId": ["bob"]},
    ),
    Request(
        400,
        "PUT",
        "/api/subscriptions/emailList/{list}?action=love",
        {"users": ["ada@example.com"]},
    ),
    Request(400, "PUT", "/api/subscriptions/emailList/{list}?action=subscribe", {"users": [1]}),
    *(
        Request(status, method, f"/api/subscriptions/{group}/{person}")
        for method in ("PATCH", "DELETE")
        for status, group, person in [
            (202, "emailList/{list}", "user/ada@example.com"),
            (202, "emaillist/{list}", "byUserId/ada"),
            (400, "emailList/{list}", "user/bad@"),
            (400, "nothing/{list}", "byUserId/ada"),
        ]
    ),
    Request(
        202,
        "POST",
        "/api/subscriptions/subscribeToDoubleOptIn",
        {"userId": "ada", "phoneNumber": "+14155550100", "messageTypeIds": [105]},
    ),
    Request(
        400,
        "POST",
        "/api/subscriptions/subscribeToDoubleOptIn",
        {"userId": "ada", "messageTypeIds": [101]},
    ),
    Request(
        400,
        "POST",
        "/api/subscriptions/subscribeToDoubleOptIn",
        {"userId": "ada", "messageTypeIds": "all"},
    ),
    # reads
    Request(200, "GET", "/api/channels"),
    Request(200, "GET", "/api/messageTypes"),
    Request(200, "GET", "/api/campaigns"),
    Request(200, "GET", "/api/campaigns?page=1&pageSize=1&sort=-id"),
    Request(400, "GET", "/api/campaigns?pageSize=1001"),
]
