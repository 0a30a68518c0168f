"""What Iterable holds, read out of the sandbox, in the form in which it is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]

_MANAGED = {
    "emailListIds",
    "itblUserId",
    "itblInternal",
    "profileUpdatedAt",
    "shoppingCartItems",
    "signupDate",
    "signupSource",
    "subscribedMessageTypeIds",
    "userListIds",
}
_LEFT = ("unsubscribedChannelIds", "unsubscribedMessageTypeIds")
_KEYS = {"event_id": "events", "view_id": "page_views"}


def held(dump: Mapping[str, Any]) -> Row:
    """Give the people of a dump, each with all that hangs on it, and the items."""
    people = {user["key"]: _person(user["dataFields"]) for user in dump["users"]}
    for one in dump["lists"]:
        for member in one["members"]:
            people[member]["lists"].append(one["name"])
    for event in dump["events"]:
        if event["eventName"] == "updateCart":
            continue
        data, person = dict(event["dataFields"]), people[event["key"]]
        if "audience_name" in data:
            told = (event["createdAt"], event["eventName"], data["audience_name"])
            person["told"].append(told)
            continue
        (key,) = _KEYS.keys() & data.keys()
        name = f"{_KEYS[key]} {data.pop(key)}"
        # Two of one number are two events, whatever their ids are.
        name = name if name not in person["events"] else f"{name} {event['id']}"
        said = {"name": event["eventName"], "createdAt": event["createdAt"]}
        person["events"][name] = said | data
    for one in dump["purchases"]:
        number = one["dataFields"]["order_id"]
        purchases = people[one["key"]]["purchases"]
        purchases[number if number not in purchases else f"{number} {one['id']}"] = {
            "total": one["total"],
            "createdAt": one["createdAt"],
            "items": one["shoppingCartItems"],
            "data": one["dataFields"],
        }
    for person in people.values():
        person["lists"].sort()
        person["told"].sort()
    return {
        "people": people,
        # Whether a field without a value is null there or not there is no difference.
        "items": {
            item: {name: value for name, value in fields.items() if value is not None}
            for one in dump["catalogs"]
            for item, fields in one["items"].items()
        },
    }


def _person(fields: Mapping[str, Any]) -> Row:
    said = {name: value for name, value in fields.items() if name not in (*_MANAGED, *_LEFT)}
    for name in [name for name, value in said.items() if isinstance(value, dict)]:
        said |= {f"{name}.{inner}": value for inner, value in said.pop(name).items()}
    return {
        "fields": said,
        "lists": [],
        "told": [],
        "events": {},
        "purchases": {},
        "cart": fields.get("shoppingCartItems", []),
        "left": sorted((name, number) for name in _LEFT for number in fields.get(name, [])),
    }
