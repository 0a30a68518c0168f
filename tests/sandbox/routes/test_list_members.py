"""Lists and people: who joins, who leaves, who fails, and what a profile shows of it."""

from __future__ import annotations

import pytest

from iterable_sync.sandbox.memberships import ListKind

SUBSCRIBE = "/api/lists/subscribe"
UNSUBSCRIBE = "/api/lists/unsubscribe"
UNKNOWN = 999_999_999
TYPES = ("email", "userId", "hybrid")


def failures(answer):
    return {array: names for array, names in answer["failedUpdates"].items() if names}


def subscribe(sandbox, number, *subscribers, path=SUBSCRIBE, **members):
    body = {"listId": number, "subscribers": list(subscribers), **members}
    answer = sandbox.post(path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def unsubscribe(sandbox, number, *subscribers, **members):
    return subscribe(sandbox, number, *subscribers, path=UNSUBSCRIBE, **members)


def users(sandbox, number, **query):
    answer = sandbox.get("/api/lists/getUsers", params={"listId": number, **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")
    return answer.text


def size(sandbox, number):
    answer = sandbox.get(f"/api/lists/{number}/size")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")
    return int(answer.text)


def new_list(sandbox):
    return sandbox.post("/api/lists", {"name": "A list"}).json()["listId"]


@pytest.fixture
def number(sandbox):
    """Give the id of an empty static list in a hybrid project."""
    return new_list(sandbox)


def in_project(sandbox, project_type):
    """Empty the sandbox into a project of another type; return the id of a list in it."""
    sandbox.server.reset(project_type=project_type)
    return new_list(sandbox)


def test_answer_has_all_the_members_of_a_bulk_update(sandbox, number):
    answer = subscribe(sandbox, number, {"email": "ada@example.com"}, {"email": "User@"})

    assert failures(answer) == {"invalidEmails": ["user@"]}
    assert len(answer.pop("failedUpdates")) == 10
    assert answer == {
        "successCount": 1,
        "failCount": 1,
        "invalidEmails": ["user@"],
        "invalidUserIds": [],
        "filteredOutFields": [],
        "createdFields": [],
        "noOpEmails": [],
        "noOpUserIds": [],
    }


@pytest.mark.parametrize("path", [SUBSCRIBE, UNSUBSCRIBE])
def test_no_subscribers_at_all_are_zeros(sandbox, number, path):
    answer = subscribe(sandbox, number, path=path)

    assert (answer["successCount"], answer["failCount"]) == (0, 0)


@pytest.mark.parametrize(
    ("project_type", "subscriber", "key", "failed"),
    [
        pytest.param("hybrid", {"email": " A@Example.com"}, "a@example.com", {}, id="hybrid email"),
        pytest.param("hybrid", {"userId": "U1"}, "U1", {}, id="hybrid userId"),
        pytest.param("userId", {"userId": "U1"}, "U1", {}, id="userID userId"),
        pytest.param("userId", {"email": "A@example.com"}, None,
                     {"notFoundEmails": ["a@example.com"]}, id="userID email only"),
        pytest.param("email", {"email": "a@example.com"}, "a@example.com", {}, id="email email"),
        pytest.param("email", {"userId": "U1"}, None, {"notFoundUserIds": ["U1"]},
                     id="email userId only"),
        pytest.param("hybrid", {"email": "bad@"}, None, {"invalidEmails": ["bad@"]},
                     id="bad email"),
        pytest.param("hybrid", {"userId": "U1 "}, None, {"invalidUserIds": ["U1 "]},
                     id="bad userId"),
        pytest.param("hybrid", {}, None, {"invalidEmails": [""]}, id="nobody"),
    ],
)  # fmt: skip
def test_subscriber_is_created_and_joins_or_fails_by_its_identifier(
    sandbox, project_type, subscriber, key, failed
):
    number = in_project(sandbox, project_type)

    answer = subscribe(sandbox, number, subscriber)

    assert failures(answer) == failed
    assert size(sandbox, number) == (0 if failed else 1)
    assert list(sandbox.people()) == ([] if failed else [key])


def test_placeholder_of_an_email_project_joins_under_its_address(sandbox):
    number = in_project(sandbox, "email")
    subscribe(sandbox, number, {"userId": "U1", "preferUserId": True})

    assert users(sandbox, number).endswith("@placeholder.email\n")


def test_data_fields_of_a_subscriber_are_written(sandbox, number):
    fields = {"plan": "pro", "address": {"city": "Bern"}}
    subscribe(sandbox, number, {"userId": "U1", "dataFields": fields})
    more = {"userId": "U1", "dataFields": {"address": {"zip": "1"}}, "mergeNestedObjects": True}
    answer = subscribe(sandbox, number, more)

    person = sandbox.people()["U1"]
    assert (person["plan"], person["address"]) == ("pro", {"city": "Bern", "zip": "1"})
    assert answer["createdFields"] == ["address.zip"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"userId": "1"}, {"userId": "1", "dataFields": {"userId": "2"}}),
        (
            {"email": "a@example.com"},
            {"email": "a@example.com", "dataFields": {"email": "b@example.com"}},
        ),
    ],
)
def test_subscriber_who_is_renamed_by_a_later_row_is_one_member(sandbox, number, first, second):
    answer = subscribe(sandbox, number, first, second)

    assert (answer["successCount"], answer["failCount"]) == (2, 0)
    assert sandbox.get(f"/api/lists/{number}/size").text == "1"


def test_subscriber_is_not_taken_for_whose_user_id_is_the_same_text(sandbox, number):
    sandbox.bulk({"userId": "a@example.com"}, {"email": "a@example.com"})

    subscribe(sandbox, number, {"email": "a@example.com"})

    user = sandbox.get("/api/users/a@example.com").json()["user"]
    assert user["dataFields"]["userListIds"] == [number]


def test_value_of_another_type_refuses_the_whole_request_and_nobody_joins(sandbox, number):
    sandbox.bulk({"userId": "U1", "dataFields": {"age": 1}})
    body = {
        "listId": number,
        "subscribers": [{"userId": "U1"}, {"userId": "U2", "dataFields": {"age": "x"}}],
    }

    answer = sandbox.post(SUBSCRIBE, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "RequestFieldsTypesMismatched")
    assert size(sandbox, number) == 0
    assert sandbox.people().keys() == {"U1"}


def test_conflict_of_a_subscriber_is_named_and_nobody_joins(sandbox, number):
    sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"}, {"userId": "U2", "email": "b@example.com"}
    )

    both = {"userId": "U1", "email": "b@example.com"}
    joined, left = subscribe(sandbox, number, both), unsubscribe(sandbox, number, both)

    assert failures(joined) == failures(left) == {"conflictEmails": ["b@example.com"]}
    assert size(sandbox, number) == 0


@pytest.mark.parametrize("project_type", TYPES)
def test_update_existing_users_only_skips_strangers_but_not_in_an_email_project(
    sandbox, project_type
):
    number = in_project(sandbox, project_type)
    known, stranger = (
        {"email": f"{name}@example.com", **({"userId": name} if project_type != "email" else {})}
        for name in ("known", "stranger")
    )
    sandbox.bulk(known)

    answer = subscribe(sandbox, number, known, stranger, updateExistingUsersOnly=True)

    expected = {
        "email": {},
        "userId": {"notFoundUserIds": ["stranger"]},
        "hybrid": {"notFoundEmails": ["stranger@example.com"]},
    }[project_type]
    assert failures(answer) == expected
    assert (answer["successCount"], answer["failCount"]) == ((1, 1) if expected else (2, 0))
    assert size(sandbox, number) == len(sandbox.people()) == (1 if expected else 2)


def test_malformed_stranger_is_malformed_and_not_unknown(sandbox, number):
    answer = subscribe(sandbox, number, {"email": "bad@"}, updateExistingUsersOnly=True)

    assert failures(answer) == {"invalidEmails": ["bad@"]}


@pytest.mark.parametrize(
    ("project_type", "field"),
    [("email", "emailListIds"), ("userId", "userListIds"), ("hybrid", "userListIds")],
)
def test_profile_shows_its_lists_and_three_empty_arrays(sandbox, project_type, field):
    first = in_project(sandbox, project_type)
    second = new_list(sandbox)
    user = {"email": "a@example.com", "userId": "U1"}
    for number in (first, second, first):
        subscribe(sandbox, number, user)

    (person,) = sandbox.people().values()

    assert person[field] == [first, second]
    empty = ("subscribedMessageTypeIds", "unsubscribedChannelIds", "unsubscribedMessageTypeIds")
    assert [person[name] for name in empty] == [[], [], []]


def test_who_leaves_a_list_is_out_of_it_and_of_no_other(sandbox, number):
    other = new_list(sandbox)
    for each in (number, other):
        subscribe(sandbox, each, {"userId": "U1"}, {"userId": "U2"})

    answer = unsubscribe(sandbox, number, {"userId": "U1"})

    assert (answer["successCount"], answer["failCount"]) == (1, 0)
    assert (users(sandbox, number), users(sandbox, other)) == ("U2\n", "U1\nU2\n")
    assert sandbox.people()["U1"]["userListIds"] == [other]


def test_who_is_no_member_leaves_with_success_and_an_unchanged_profile(sandbox, number):
    sandbox.bulk({"userId": "U1"})

    answer = unsubscribe(sandbox, number, {"userId": "U1"})

    assert (answer["successCount"], failures(answer)) == (1, {})
    assert "userListIds" not in sandbox.people()["U1"]


@pytest.mark.parametrize(
    ("project_type", "subscriber", "failed"),
    [
        ("hybrid", {"email": "No@example.com"}, {"notFoundEmails": ["no@example.com"]}),
        ("hybrid", {"userId": "no"}, {"notFoundUserIds": ["no"]}),
        ("email", {"userId": "no"}, {"notFoundUserIds": ["no"]}),
        ("userId", {"email": "known@example.com"}, {"notFoundEmails": ["known@example.com"]}),
        ("hybrid", {"email": "user@"}, {"invalidEmails": ["user@"]}),
        ("hybrid", {"userId": "ü"}, {"invalidUserIds": ["ü"]}),
        ("hybrid", {}, {"invalidEmails": [""]}),
        ("userId", {}, {"invalidUserIds": [""]}),
    ],
)
def test_stranger_who_leaves_is_named_and_not_created(sandbox, project_type, subscriber, failed):
    number = in_project(sandbox, project_type)
    sandbox.bulk({"email": "known@example.com", "userId": "known"})

    answer = unsubscribe(sandbox, number, subscriber)

    assert failures(answer) == failed
    assert len(sandbox.people()) == 1


@pytest.mark.parametrize(
    ("project_type", "leaver"),
    [
        ("hybrid", {"email": "A@example.com"}),
        ("hybrid", {"userId": "U1"}),
        ("hybrid", {"email": "a@example.com", "userId": ""}),
        ("email", {"userId": "U1"}),
        ("email", {"email": "a@example.com", "userId": "other"}),
        ("userId", {"userId": "U1", "email": "other@example.com"}),
    ],
)
def test_member_leaves_by_each_identifier_of_its_project(sandbox, project_type, leaver):
    number = in_project(sandbox, project_type)
    subscribe(sandbox, number, {"email": "a@example.com", "userId": "U1"})

    unsubscribe(sandbox, number, leaver)

    assert size(sandbox, number) == 0


@pytest.mark.parametrize(("flag", "left"), [(True, [1]), (False, []), (None, [])])
def test_channel_unsubscribe_leaves_the_marketing_channel_only_where_asked(
    sandbox, number, flag, left
):
    subscribe(sandbox, number, {"userId": "U1"})

    unsubscribe(sandbox, number, {"userId": "U1"}, channelUnsubscribe=flag, campaignId=1001)

    assert sandbox.people()["U1"]["unsubscribedChannelIds"] == left


@pytest.mark.parametrize("path", [SUBSCRIBE, UNSUBSCRIBE])
def test_unknown_list_is_a_400_with_the_code_of_a_success(sandbox, path):
    answer = sandbox.post(path, {"listId": UNKNOWN, "subscribers": [{"userId": "U1"}]})

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": "error.lists.invalidListId(999999999)",
        "code": "Success",
        "params": {"projectId": 1, "listId": UNKNOWN},
    }
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("path", "body", "params"),
    [
        (SUBSCRIBE, {"subscribers": []}, {"obj.listId": "error.path.missing"}),
        (SUBSCRIBE, {"listId": None, "subscribers": []}, {"obj.listId": "Number value expected"}),
        (SUBSCRIBE, {"listId": "1", "subscribers": []}, {"obj.listId": "Number value expected"}),
        (SUBSCRIBE, {"listId": True, "subscribers": []}, {"obj.listId": "Number value expected"}),
        (SUBSCRIBE, {"listId": 1}, {"obj.subscribers": "error.path.missing"}),
        (
            SUBSCRIBE,
            {"listId": 1, "subscribers": {}},
            {"obj.subscribers": "error.expected.jsarray"},
        ),
        (
            SUBSCRIBE,
            {"listId": 1, "subscribers": [{"userId": "U1"}, {"userId": "U2", "dataFields": ""}]},
            {"obj.subscribers[1].dataFields": "error.expected.jsobject"},
        ),
        (
            SUBSCRIBE,
            {"listId": 1, "subscribers": [], "updateExistingUsersOnly": "no"},
            {"obj.updateExistingUsersOnly": "Boolean value expected"},
        ),
        (
            UNSUBSCRIBE,
            {"listId": 1, "subscribers": [{"email": 5}]},
            {"obj.subscribers[0].email": "String value expected"},
        ),
        (
            UNSUBSCRIBE,
            {"listId": 1, "subscribers": [], "channelUnsubscribe": 1},
            {"obj.channelUnsubscribe": "Boolean value expected"},
        ),
        (
            UNSUBSCRIBE,
            {"listId": 1, "subscribers": [], "campaignId": "1"},
            {"obj.campaignId": "Number value expected"},
        ),
    ],
)
def test_wrong_json_type_refuses_the_whole_request_with_its_path(sandbox, path, body, params):
    answer = sandbox.post(path, body)

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"[{path}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": params,
    }
    assert sandbox.people() == {}


def test_dynamic_list_counts_who_joins_and_leaves_and_keeps_its_members(sandbox):
    sandbox.bulk({"userId": "U1"}, {"userId": "U2"})
    state = sandbox.server.app_state
    dynamic = state.lists.create("All", 1, kind=ListKind.DYNAMIC)
    dynamic.members.add(state.people.by_user_id("U1").number)

    left = unsubscribe(sandbox, dynamic.id, {"userId": "U1"})
    joined = subscribe(sandbox, dynamic.id, {"userId": "U2"})

    assert (left["successCount"], joined["successCount"]) == (1, 1)
    assert users(sandbox, dynamic.id) == "U1\n"


@pytest.mark.parametrize("path", [SUBSCRIBE, UNSUBSCRIBE])
def test_dynamic_list_is_refused_where_switched(sandbox, path):
    sandbox.server.reset(dynamic_lists="refuse")
    dynamic = sandbox.server.app_state.lists.create("All", 1, kind=ListKind.DYNAMIC)

    answer = sandbox.post(path, {"listId": dynamic.id, "subscribers": []})

    assert answer.status_code == 400
    assert answer.json()["msg"] == f"error.lists.invalidListId({dynamic.id})"


MEMBERS = (
    {"email": "both@example.com", "userId": "both"},
    {"userId": "only-id"},
    {"email": "only@example.com"},
)


@pytest.mark.parametrize("read", ["getUsers", "previewUsers"])
@pytest.mark.parametrize(
    ("project_type", "query", "lines"),
    [
        ("hybrid", {}, ["both@example.com", "only-id", "only@example.com"]),
        ("hybrid", {"preferUserId": "false"}, ["both@example.com", "only-id", "only@example.com"]),
        ("hybrid", {"preferUserId": "true"}, ["both", "only-id", "only@example.com"]),
        ("userId", {}, ["both", "only-id"]),
        ("email", {}, ["both@example.com", "only@example.com"]),
        ("email", {"preferUserId": "true"}, ["both@example.com", "only@example.com"]),
    ],
)
def test_members_are_lines_of_the_identifier_of_the_project(
    sandbox, read, project_type, query, lines
):
    number = in_project(sandbox, project_type)
    subscribe(sandbox, number, *MEMBERS)

    answer = sandbox.get(f"/api/lists/{read}", params={"listId": number, **query})

    assert answer.text == "".join(f"{line}\n" for line in sorted(lines, key=answer.text.index))
    assert sorted(answer.text.split()) == sorted(lines)


def test_list_without_members_is_an_empty_text(sandbox, number):
    assert users(sandbox, number) == ""
    assert size(sandbox, number) == 0


@pytest.mark.parametrize("asked", [1, 2, 5000])
def test_preview_gives_as_many_as_asked(sandbox, number, asked):
    subscribe(sandbox, number, *({"userId": f"U{index}"} for index in range(3)))

    answer = sandbox.get("/api/lists/previewUsers", params={"listId": number, "size": asked})

    assert len(answer.text.splitlines()) == min(asked, 3)


def test_preview_gives_a_thousand_by_default(sandbox, number):
    subscribe(sandbox, number, *({"userId": f"U{index}"} for index in range(1001)))

    answer = sandbox.get("/api/lists/previewUsers", params={"listId": number})

    assert len(answer.text.splitlines()) == 1000
    assert size(sandbox, number) == 1001


@pytest.mark.parametrize("asked", ["0", "5001", "many", "-1"])
def test_preview_of_another_size_is_refused(sandbox, number, asked):
    answer = sandbox.get("/api/lists/previewUsers", params={"listId": number, "size": asked})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")


@pytest.mark.parametrize("path", ["getUsers?listId={}", "previewUsers?listId={}", "{}/size"])
@pytest.mark.parametrize("given", ["42", "x", "9" * 40])
def test_read_of_an_unknown_list_is_refused_with_texts_for_ids(sandbox, path, given):
    answer = sandbox.get(f"/api/lists/{path.format(given)}")

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": "Invalid email list id",
        "code": "BadParams",
        "params": {"projectId": "1", "listId": given},
    }


def test_membership_survives_a_change_of_email(sandbox, number):
    subscribe(sandbox, number, {"userId": "U1", "email": "old@example.com"})
    sandbox.bulk({"userId": "U1", "dataFields": {"email": "new@example.com"}})

    assert users(sandbox, number) == "new@example.com\n"


def test_identity_given_inside_the_fields_joins_under_its_new_name(sandbox, number):
    sandbox.bulk({"userId": "U1", "email": "old@example.com"})
    subscribe(
        sandbox,
        number,
        {"email": "old@example.com", "dataFields": {"email": "new@example.com"}},
    )

    assert users(sandbox, number) == "new@example.com\n"


@pytest.mark.parametrize("project_type", TYPES)
def test_discarded_profiles_are_validated_and_counted_all_the_same(sandbox, project_type):
    sandbox.server.reset(project_type=project_type, discard=True)
    number = new_list(sandbox)
    user = {"email": "a@example.com", "userId": "U1"}

    joined = subscribe(sandbox, number, user, user, {"email": "bad@", "userId": "U2"})
    sizes = [size(sandbox, number)]
    left = unsubscribe(sandbox, number, user, channelUnsubscribe=True)
    sizes.append(size(sandbox, number))

    assert (joined["successCount"], failures(joined)) == (2, {"invalidEmails": ["bad@"]})
    assert (left["successCount"], sizes) == (1, [1, 0])
    assert users(sandbox, number) == ""


def test_history_names_the_people_and_counts(sandbox, number):
    subscribe(sandbox, number, {"userId": "U1"}, {"email": "bad@"})
    unsubscribe(sandbox, number, {"userId": "U1"})

    joined, left = sandbox.history()[-2:]

    assert (joined["rows"], joined["keys"]) == (2, ["U1"])
    assert joined["counts"] == {"success": 1, "fail": 1}
    assert (left["rows"], left["keys"], left["applied"]) == (1, ["U1"], True)


def test_deleted_person_is_out_of_the_lists_of_the_project(sandbox, number):
    subscribe(sandbox, number, {"userId": "U1"}, {"userId": "U2"})
    state = sandbox.server.app_state

    state.forget_person(state.people.by_user_id("U1").number)

    assert size(sandbox, number) == 1


def test_merged_person_takes_the_memberships_over(sandbox, number):
    subscribe(sandbox, number, {"userId": "U1"})
    sandbox.bulk({"userId": "U2"})
    state = sandbox.server.app_state

    state.move_person(*(state.people.by_user_id(name).number for name in ("U1", "U2")))

    assert users(sandbox, number) == "U2\n"


def test_members_come_back_with_a_snapshot(sandbox, number):
    subscribe(sandbox, number, {"userId": "U1"})
    saved = sandbox.server.app_state.saved()
    unsubscribe(sandbox, number, {"userId": "U1"})

    sandbox.server.app_state.restore(saved)

    assert users(sandbox, number) == "U1\n"


def test_membership_shows_once_the_visibility_delay_is_over(sandbox, number):
    state = sandbox.server.app_state
    sandbox.bulk({"userId": "U1"})
    state.change({"visibility_delay_s": 60})
    subscribe(sandbox, number, {"userId": "U1"}, {"userId": "U2"})

    before = (size(sandbox, number), users(sandbox, number))
    state.lagging.advance(state.clock() + 61)
    after = (size(sandbox, number), users(sandbox, number))

    assert (before, after) == ((0, ""), (2, "U1\nU2\n"))


def test_leaving_shows_once_the_visibility_delay_is_over(sandbox, number):
    state = sandbox.server.app_state
    subscribe(sandbox, number, {"userId": "U1"})
    state.change({"visibility_delay_s": 60})
    unsubscribe(sandbox, number, {"userId": "U1"})

    before = size(sandbox, number)
    state.lagging.advance(state.clock() + 61)

    assert (before, size(sandbox, number)) == (1, 0)


@pytest.mark.parametrize(
    ("project_type", "field"),
    [("email", "emailListIds"), ("userId", "userListIds"), ("hybrid", "userListIds")],
)
def test_lists_written_through_the_fields_of_an_update_are_joined_and_left(
    sandbox, project_type, field
):
    first = in_project(sandbox, project_type)
    second = new_list(sandbox)
    user = {"email": "a@example.com", "userId": "U1"}
    subscribe(sandbox, first, user)

    sandbox.bulk({**user, "dataFields": {field: [second]}})
    moved = [size(sandbox, number) for number in (first, second)]
    sandbox.bulk({**user, "dataFields": {field: None}})

    assert moved == [0, 1]
    assert size(sandbox, second) == 0


def test_lone_number_in_the_list_field_is_one_list(sandbox, number):
    other = new_list(sandbox)
    sandbox.bulk({"userId": "U1", "dataFields": {"userListIds": other}})
    subscribe(sandbox, number, {"userId": "U1"})

    assert (size(sandbox, other), size(sandbox, number)) == (1, 1)
    assert sandbox.people()["U1"]["userListIds"] == [other, number]


@pytest.mark.parametrize(
    ("only_existing", "path"), [(False, SUBSCRIBE), (True, SUBSCRIBE), (None, UNSUBSCRIBE)]
)
def test_forgotten_person_is_named_as_such(sandbox, number, only_existing, path):
    sandbox.bulk({"email": "a@example.com"})
    assert sandbox.post("/api/users/forget", {"email": "a@example.com"}).status_code == 200
    flag = {} if only_existing is None else {"updateExistingUsersOnly": only_existing}

    answer = subscribe(sandbox, number, {"email": "A@example.com"}, path=path, **flag)

    assert failures(answer) == {"forgottenEmails": ["a@example.com"]}


@pytest.mark.parametrize("path", [SUBSCRIBE, UNSUBSCRIBE])
@pytest.mark.parametrize(
    ("switch", "echoed"),
    [("folded", ["bad@", "no@example.com"]), ("sent", ["Bad@", "No@example.com"])],
)
def test_failed_address_is_echoed_as_switched(sandbox, path, switch, echoed):
    sandbox.server.reset(echoed_emails=switch)
    number = new_list(sandbox)
    flag = {"updateExistingUsersOnly": True} if path == SUBSCRIBE else {}

    answer = subscribe(
        sandbox, number, {"email": "Bad@"}, {"email": "No@example.com"}, path=path, **flag
    )

    bad, unknown = echoed
    assert failures(answer) == {"invalidEmails": [bad], "notFoundEmails": [unknown]}
