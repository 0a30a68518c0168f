"""The sandbox against a model: random histories of people, lists, events and carts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from iterable_in_process import InProcess
from iterable_model import Failed, Model, Refused
from iterable_sync.sandbox.dump import whole

EMAILS = [f"{name}@example.com" for name in ("a", "b", "c", "d")]
USER_IDS = ["1", "2", "3", "4"]
EMAIL = st.sampled_from(EMAILS)
USER_ID = st.sampled_from(USER_IDS)
ONE = st.fixed_dictionaries({"email": EMAIL}) | st.fixed_dictionaries({"userId": USER_ID})
ANYBODY = ONE | st.fixed_dictionaries({"email": EMAIL, "userId": USER_ID})
# `a` has two types, and the first one that is written stays.
FIELDS = st.fixed_dictionaries(
    {},
    optional={"a": st.sampled_from([1, 2, "text", None]), "b": st.sampled_from(["x", "y", None])},
)
CHANGES = st.fixed_dictionaries({"email": EMAIL})
ITEMS = st.lists(
    st.sampled_from([{"id": name, "name": name, "price": 1.5, "quantity": 1} for name in "xy"]),
    max_size=2,
)
IDS = st.sampled_from([None, "one", "two"])

# Kept by the sandbox itself; none of them is written here.
MANAGED = {
    *("email", "userId", "itblUserId", "itblInternal", "signupDate", "signupSource"),
    *("profileUpdatedAt", "emailListIds", "userListIds", "subscribedMessageTypeIds"),
    *("unsubscribedChannelIds", "unsubscribedMessageTypeIds"),
}


class Project(RuleBasedStateMachine):
    """A project; subclasses give its type."""

    kind = "hybrid"

    @initialize()
    def begin(self) -> None:
        self.sandbox = InProcess(project_type=self.kind)
        self.model = Model(self.kind)
        self.seen: dict[str, str] = {}
        # Somebody to begin with, or most requests would meet nobody.
        people = [{"email": EMAILS[n], "userId": USER_IDS[n]} for n in range(3)]
        self.create_list()
        (number,) = self.model.lists
        self.sandbox.accepted(
            "POST", "/api/lists/subscribe", {"listId": number, "subscribers": people}
        )
        for person in people:
            self.model.subscribe(number, person)
            event = {**person, "eventName": "x"}
            self.sandbox.accepted("POST", "/api/events/track", event)
            self.model.track(person)

    # What people send

    @rule(rows=st.lists(ANYBODY, min_size=1, max_size=3), data=st.data())
    def bulk_update(self, rows: list[dict[str, Any]], data: st.DataObject) -> None:
        for row in rows:
            fields = data.draw(FIELDS)
            # In an email-based project there is an endpoint for it.
            if self.kind != "email" and data.draw(st.booleans()):
                fields |= data.draw(CHANGES)
            if fields:
                row["dataFields"] = fields
            self._assume_one(row)
        reply = self.sandbox.request("POST", "/api/users/bulkUpdate", {"users": rows})
        expected, done = _status(lambda: self.model.bulk_update(rows))
        assert reply.status == expected
        if done:
            self._assert_counts(reply.json(), *done)

    @rule(user=ANYBODY, fields=FIELDS)
    def update(self, user: dict[str, Any], fields: dict[str, Any]) -> None:
        self._assume_one(user)
        row = {**user, "dataFields": fields}
        reply = self.sandbox.request("POST", "/api/users/update", row)
        expected, done = _status(lambda: self.model.bulk_update([row]))
        if done:
            _, failed = done
            self._assert_single(reply.status, failed)
        else:
            assert reply.status == expected

    @rule(current=EMAIL, new=EMAIL)
    def update_email(self, current: str, new: str) -> None:
        self._same_refusal(
            ("POST", "/api/users/updateEmail", {"currentEmail": current, "newEmail": new}),
            lambda: self.model.update_email(current, new),
        )

    @rule(source=ONE, destination=ONE)
    def merge(self, source: dict[str, Any], destination: dict[str, Any]) -> None:
        self._assume_one(source)
        self._assume_one(destination)
        body = {
            f"{side}{name[0].upper()}{name[1:]}": value
            for side, user in (("source", source), ("destination", destination))
            for name, value in user.items()
        }
        self._same_refusal(
            ("POST", "/api/users/merge", body), lambda: self.model.merge(source, destination)
        )

    @rule(email=EMAIL)
    def delete_by_email(self, email: str) -> None:
        reply = self.sandbox.request("DELETE", f"/api/users/{email}")
        if self.kind == "userId":
            assert reply.status == 400
            return
        assert reply.status == 200
        person = self.model.with_email(email)
        self.model.delete([person] if person else [])

    @rule(user_id=USER_ID)
    def delete_by_user_id(self, user_id: str) -> None:
        reply = self.sandbox.request("DELETE", f"/api/users/byUserId/{user_id}")
        people = self.model.with_user_id(user_id)
        assert reply.status == (200 if people else 400)
        self.model.delete(people)

    @rule(user=ONE)
    def forget(self, user: dict[str, Any]) -> None:
        self._same_refusal(
            ("POST", "/api/users/forget", user),
            lambda: self.model.forget(user.get("email"), user.get("userId")),
        )

    @rule(user=ONE)
    def unforget(self, user: dict[str, Any]) -> None:
        self._same_refusal(
            ("POST", "/api/users/unforget", user),
            lambda: self.model.unforget(user.get("email"), user.get("userId")),
        )

    @precondition(lambda self: len(self.model.lists) < 3)
    @rule()
    def create_list(self) -> None:
        answer = self.sandbox.accepted("POST", "/api/lists", {"name": "a list"})
        assert answer["listId"] not in self.model.lists
        self.model.lists.add(answer["listId"])

    @precondition(lambda self: self.model.lists)
    @rule(data=st.data(), rows=st.lists(ANYBODY, max_size=3), joins=st.booleans())
    def subscribe(self, data: st.DataObject, rows: list[dict[str, Any]], joins: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.lists)))
        for row in rows:
            self._assume_one(row)
            # Nothing says which of two people leaves a list when one row names both.
            assume(joins or len(row) == 1)
            assume(joins or not self.model.is_forgotten(row.get("email"), row.get("userId")))
            assume(joins or self.kind != "userId" or "userId" in row)
            if joins and self.kind != "email" and data.draw(st.booleans()):
                row["dataFields"] = data.draw(CHANGES)
        path = f"/api/lists/{'subscribe' if joins else 'unsubscribe'}"
        answer = self.sandbox.accepted("POST", path, {"listId": number, "subscribers": rows})
        change = self.model.subscribe if joins else self.model.unsubscribe
        self._assert_rows(answer, rows, lambda row: change(number, row))

    @precondition(lambda self: self.model.lists)
    @rule(data=st.data())
    def delete_list(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.lists)))
        self.sandbox.accepted("DELETE", f"/api/lists/{number}")
        self.model.lists.remove(number)
        for person in self.model.people:
            person.lists.discard(number)

    @rule(rows=st.lists(ANYBODY, max_size=3), name=st.sampled_from(["x", "y"]), data=st.data())
    def track(self, rows: list[dict[str, Any]], name: str, data: st.DataObject) -> None:
        for row in rows:
            self._assume_one(row)
            event_id = data.draw(IDS)
            if event_id:
                row["id"] = event_id
        # All rows are checked before the first is stored, so an earlier one creates nobody yet.
        events = {"events": [{**row, "eventName": name} for row in rows]}
        answer = self.sandbox.accepted("POST", "/api/events/trackBulk", events)
        self._assert_rows(answer, rows, self.model.track)

    @rule(user=ANYBODY, items=ITEMS)
    def update_cart(self, user: dict[str, Any], items: list[dict[str, Any]]) -> None:
        self._assume_one(user)
        reply = self.sandbox.request(
            "POST", "/api/commerce/updateCart", {"user": user, "items": items}
        )
        failed = _failure(lambda: self.model.update_cart(user, items))
        self._assert_single(reply.status, failed)

    @rule(user=ANYBODY, items=ITEMS, purchase_id=IDS)
    def purchase(
        self, user: dict[str, Any], items: list[dict[str, Any]], purchase_id: str | None
    ) -> None:
        self._assume_one(user)
        body = {"user": user, "items": items, "total": 1.5}
        if purchase_id:
            body["id"] = purchase_id
        reply = self.sandbox.request("POST", "/api/commerce/trackPurchase", body)
        failed = _failure(lambda: self.model.purchase(user, purchase_id))
        self._assert_single(reply.status, failed)

    @rule()
    def go_back_to_a_snapshot(self) -> None:
        saved = self.sandbox.state.saved()
        self.sandbox.request("POST", "/api/users/update", {"userId": "5", "email": "e@example.com"})
        self.sandbox.state.restore(saved)

    # What must hold after each of them

    @invariant()
    def people_are_those_of_the_model(self) -> None:
        shown = whole(self.sandbox.state)
        people = {
            (user.get("email"), user.get("userId")): {
                name: value for name, value in user["dataFields"].items() if name not in MANAGED
            }
            for user in shown["users"]
        }
        assert people == {(one.email, one.user_id): one.fields for one in self.model.people}
        assert shown["count"] == len(shown["users"]) == len(self.model.people)

    @invariant()
    def identifiers_that_must_be_unique_are(self) -> None:
        users = whole(self.sandbox.state)["users"]
        unique = {"email": ["email"], "userId": ["userId"], "hybrid": ["email", "userId"]}
        for name in unique[self.kind]:
            held = [user[name] for user in users if name in user]
            assert len(held) == len(set(held))

    @invariant()
    def reads_find_exactly_whom_the_model_has(self) -> None:
        for user_id in USER_IDS:
            reply = self.sandbox.request("GET", f"/api/users/byUserId/{user_id}")
            assert (reply.status == 200) is bool(self.model.with_user_id(user_id))
            if reply.status == 200:
                assert reply.json()["user"]["userId"] == user_id
        if self.kind != "userId":
            for email in EMAILS:
                answer = self.sandbox.accepted("GET", f"/api/users/{email}")
                assert bool(answer) is bool(self.model.with_email(email))

    @invariant()
    def lists_have_their_living_members(self) -> None:
        numbers = self.sandbox.accepted("GET", "/api/lists")["lists"]
        assert {one["id"] for one in numbers} == self.model.lists
        for number in self.model.lists:
            members = [one for one in self.model.people if number in one.lists]
            assert self.sandbox.accepted("GET", f"/api/lists/{number}/size") == len(members)
            names = self.sandbox.request("GET", f"/api/lists/getUsers?listId={number}").content
            assert names.count(b"\n") == len(members)

    @invariant()
    def profiles_show_their_lists(self) -> None:
        shown_in = "emailListIds" if self.kind == "email" else "userListIds"
        for user in whole(self.sandbox.state)["users"]:
            person = next(
                one
                for one in self.model.people
                if (one.email, one.user_id) == (user.get("email"), user.get("userId"))
            )
            assert sorted(user["dataFields"].get(shown_in, [])) == sorted(person.lists)

    @invariant()
    def everybody_has_their_own_events(self) -> None:
        total = 0
        for person in self.model.people:
            if self.kind == "email" or not person.user_id:
                path = f"/api/events/{person.email}"
            else:
                path = f"/api/events/byUserId/{person.user_id}"
            events = self.sandbox.accepted("GET", f"{path}?limit=200")["events"]
            assert len(events) == min(200, self.model.event_count(person))
            total += self.model.event_count(person)
        assert len(self.sandbox.state.events) == total

    @invariant()
    def types_of_fields_never_change(self) -> None:
        kinds = self.sandbox.accepted("GET", "/api/users/getFields")["fields"]
        assert {name: kinds.get(name) for name in self.seen} == self.seen
        self.seen = kinds
        names = {str: "string", int: "long"}
        assert {name: kinds.get(name) for name in self.model.kinds} == {
            name: names[kind] for name, kind in self.model.kinds.items()
        }

    # How answers are compared

    def _assume_one(self, user: dict[str, Any]) -> None:
        """Skip the row if it names several people by a userId that they share."""
        assume("email" in user or len(self.model.with_user_id(user.get("userId"))) < 2)

    def _same_refusal(self, request: tuple[str, str, Any], change: Any) -> None:
        reply = self.sandbox.request(*request)
        expected, _ = _status(change)
        assert reply.status == expected

    def _assert_rows(self, answer: dict[str, Any], rows: list[Any], change: Any) -> None:
        failed: Counter[tuple[str, str]] = Counter()
        for row in rows:
            failed += _failure(lambda row=row: change(row))
        self._assert_counts(answer, len(rows) - failed.total(), failed)

    def _assert_counts(
        self, answer: dict[str, Any], applied: int, failed: Counter[tuple[str, str]]
    ) -> None:
        arrays = answer["failedUpdates"]
        named = Counter((array, name) for array, names in arrays.items() for name in names)
        assert named == failed
        assert answer["successCount"] == applied
        assert answer["failCount"] == failed.total()

    def _assert_single(self, status: int, failed: Counter[tuple[str, str]]) -> None:
        if not failed:
            assert status == 200
            return
        ((array, _),) = failed
        assert status == (400 if array.startswith("notFound") else 409)


def _status(change: Any) -> tuple[int, Any]:
    try:
        return 200, change()
    except Refused as refusal:
        return refusal.status, None


def _failure(change: Any) -> Counter[tuple[str, str]]:
    try:
        change()
    except Failed as failure:
        return Counter([(failure.array, failure.name)])
    return Counter()


class EmailBased(Project):
    kind = "email"


class UserIdBased(Project):
    kind = "userId"


QUICK = settings(
    deadline=None,
    database=None,
    max_examples=40,
    stateful_step_count=20,
    # Not `explain`, which runs a failing history many times more.
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=200, stateful_step_count=40)


def _case(machine: type[Project], size: settings) -> Any:
    case = machine.TestCase
    case.settings = size
    return case


TestHybrid = _case(type("Hybrid", (Project,), {}), QUICK)
TestEmailBased = _case(EmailBased, QUICK)
TestUserIdBased = _case(UserIdBased, QUICK)
TestHybridAtLength = pytest.mark.all(_case(type("HybridAtLength", (Project,), {}), LONG))
TestEmailBasedAtLength = pytest.mark.all(_case(type("EmailAtLength", (EmailBased,), {}), LONG))
TestUserIdBasedAtLength = pytest.mark.all(_case(type("UserIdAtLength", (UserIdBased,), {}), LONG))
