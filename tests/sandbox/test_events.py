"""The store of events and purchases."""

from __future__ import annotations

import pickle
import tracemalloc

import pytest

from iterable_sync.sandbox.events import Events, EventType, Tracked, shown_date
from iterable_sync.sandbox.profiles import Profile


def tracked(event_id=None, name="x", *, at=None, kind=EventType.CUSTOM, **fields):
    return Tracked(event_id, name, at, fields, None, None, kind)


def person(number, email):
    profile = Profile(number, "2020-01-01 00:00:00 +00:00")
    profile.email = email
    return email, profile


def names(events, number):
    return [event.name for event in events.newest(number, 10)]


def test_replaced_event_takes_no_more_room():
    events = Events()
    for size in range(100):
        events.put(tracked("1", a=size), person=1, now_s=0)

    assert (len(events), events.count_of(1)) == (1, 1)


def test_event_that_moves_to_another_person_leaves_the_first():
    events = Events()
    events.put(tracked("1"), person=1, now_s=0)
    events.put(tracked("1"), person=2, now_s=0)

    assert (len(events), events.count_of(1), events.count_of(2)) == (1, 0, 1)


def test_dropped_person_frees_the_ids():
    events = Events()
    events.put(tracked("1"), person=1, now_s=0)
    events.put(tracked("1", kind=EventType.PURCHASE), person=1, now_s=0)
    events.put(tracked("2"), person=2, now_s=0)
    events.drop_person(1)
    events.put(tracked("1", "new"), person=3, now_s=0)

    assert (len(events), names(events, 1), names(events, 3)) == (2, [], ["new"])


def test_moved_person_brings_the_events_and_their_ids():
    events = Events()
    events.put(tracked("1", "old", at=1), person=1, now_s=0)
    events.put(tracked("2", "own", at=2), person=2, now_s=0)
    events.move_person(1, 2)
    events.put(tracked("1", "new", at=1), person=2, now_s=0)

    assert names(events, 2) == ["own", "new"]
    assert events.count_of(1) == 0


def test_person_without_events_can_be_dropped_and_moved():
    events = Events()
    events.drop_person(1)
    events.move_person(1, 2)

    assert (len(events), events.count_of(2)) == (0, 0)


@pytest.mark.parametrize(
    ("now", "shown"), [(9.9, []), (10.0, ["first"]), (20.0, ["second", "first"])]
)
def test_accepted_events_are_put_when_they_are_due_in_their_order(now, shown):
    events = Events()
    events.accept(10.0, tracked(None, "first"), person=1, now_s=0)
    events.accept(20.0, tracked(None, "second"), person=1, now_s=0)
    events.advance(now)

    assert names(events, 1) == shown


def test_accepted_events_go_with_their_person():
    events = Events()
    events.accept(1.0, tracked(None, "dropped"), person=1, now_s=0)
    events.accept(1.0, tracked(None, "moved"), person=2, now_s=0)
    events.accept(1.0, tracked(None, "own"), person=3, now_s=0)
    events.drop_person(1)
    events.move_person(2, 3)
    events.advance(1.0)

    assert (names(events, 1), names(events, 2), names(events, 3)) == ([], [], ["own", "moved"])


def test_dump_has_every_event_with_its_person_and_id():
    events = Events()
    events.put(tracked("1", a=1), person=1, now_s=0)
    events.put(tracked(None, "", kind=EventType.PURCHASE, total=2.5), person=2, now_s=0)

    rows = list(events.as_rows([person(1, "a@x.com"), person(2, "b@x.com"), person(3, "c@x.com")]))

    assert [(row["key"], row["id"], row["eventType"]) for row in rows] == [
        ("a@x.com", "1", "customEvent"),
        ("b@x.com", None, "purchase"),
    ]
    assert (rows[0]["dataFields"], rows[1]["total"]) == ({"a": 1}, 2.5)


def test_noted_events_are_counted_once_per_id_and_type():
    events = Events()
    for digest in (1, 2):
        events.note(tracked("1"), digest)
        events.note(tracked("1", kind=EventType.PURCHASE), digest)
        events.note(tracked(), digest)

    assert len(events) == 4
    assert list(events.digests()) == [("1", f"{2:016x}")]
    assert list(events.digests(EventType.PURCHASE)) == [("1", f"{2:016x}")]


def test_store_survives_a_snapshot():
    events = Events()
    events.put(tracked("1", "old"), person=1, now_s=0)
    events.accept(5.0, tracked("2", "due"), person=1, now_s=0)
    again = pickle.loads(pickle.dumps(events))  # noqa: S301 -- bytes of our own
    again.put(tracked("1", "new"), person=1, now_s=0)
    again.advance(5.0)

    assert names(again, 1) == ["due", "new"]
    assert names(events, 1) == ["old"]


def test_event_costs_less_memory_than_its_fields_as_python_objects():
    events = Events()
    tracemalloc.start()
    try:
        for number in range(1000):
            events.put(tracked(None, a=number, b=f"text {number}", d=True), person=1, now_s=0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held / 1000 < 350


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        pytest.param(-62_135_596_800, "0001-01-01 00:00:00 +00:00", id="first"),
        pytest.param(0, "1970-01-01 00:00:00 +00:00", id="epoch"),
        pytest.param(253_402_300_799, "9999-12-31 23:59:59 +00:00", id="last"),
    ],
)
def test_all_dates_have_the_same_form(seconds, shown):
    assert shown_date(seconds) == shown


def test_generated_ids_look_like_the_documented_one_and_differ():
    events = Events()
    ids = {events.new_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(len(each) == 30 and int(each, 16) >= 0 for each in ids)
