from __future__ import annotations

import pytest

from iterable_sync.sandbox.memberships import ContactList, ListKind, Lists


@pytest.fixture
def lists():
    """Give two static lists and a dynamic one, in each of them the people 1 and 2."""
    made = Lists()
    kinds = (ListKind.STANDARD, ListKind.STANDARD, ListKind.DYNAMIC)
    for index, kind in enumerate(kinds):
        made.create(f"List {index}", index, kind=kind).members.update((1, 2))
    return made


def members(lists):
    return [one.members for one in reversed(lists.newest_first())]


def test_deleted_person_is_out_of_all_lists(lists):
    lists.drop_person(1)

    assert members(lists) == [{2}, {2}, {2}]


def test_merged_person_is_in_the_lists_of_both(lists):
    first, *_ = reversed(lists.newest_first())
    first.members.remove(2)
    lists.move_person(1, 2)

    assert members(lists) == [{2}, {2}, {2}]


def test_assigned_person_is_in_these_static_lists_only(lists):
    first, second, dynamic = reversed(lists.newest_first())
    lists.assign(1, [second.id])
    lists.assign(3, [first.id, dynamic.id])

    assert members(lists) == [{2, 3}, {1, 2}, {1, 2}]
    assert lists.of(1) == [second.id, dynamic.id]


def test_list_put_under_an_id_keeps_it_and_later_ones_get_higher(lists):
    lists.put(ContactList(200_000, "Planted", 9))

    assert lists.get(200_000).name == "Planted"
    assert lists.create("Next", 10).id == 200_001
    assert len(lists) == 5
