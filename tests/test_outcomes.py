"""Which rows failed, read from answers that name people and not rows; and the words for why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import row
from iterable_sync.outcomes import Attribution, Reading, attribute
from iterable_sync.reasons import REASONS, Owner, reason_for_refusal, reason_of
from iterable_sync.rows import Payload


def rows(count: int) -> list[Payload]:
    return [row(seq) for seq in range(count)]


def user(seq: int, *identifiers: str) -> Payload:
    return Payload(seq, f"userId:{identifiers[0]}", frozenset(identifiers), b"{}", ())


def reply(succeeded: int, failed: int, **more: Any) -> dict[str, Any]:
    """Give an answer; arrays that start with a failure's name go into ``failedUpdates``."""
    top = {"invalidEmails", "invalidUserIds", "createdFields", "filteredOutFields"}
    outside = {k: v for k, v in more.items() if k in top or k.startswith("noOp")}
    inside = {k.removeprefix("in_"): v for k, v in more.items() if k not in outside}
    return {"successCount": succeeded, "failCount": failed, "failedUpdates": inside, **outside}


ARRAYS = {
    "invalid": ("invalid_email", "invalid_user_id"),
    "notFound": ("not_found", "not_found"),
    "invalidData": ("invalid_data", "invalid_data"),
    "conflict": ("conflict", "conflict"),
    "forgotten": ("forgotten", "forgotten"),
    "failed": ("refused", "refused"),
    "neverSeenBefore": ("refused", "refused"),
}


@pytest.mark.failure("H16")
@pytest.mark.parametrize("array", ARRAYS)
def test_each_array_names_rows_by_either_identifier(array: str) -> None:
    sent = [user(0, "Ana@X.com".lower(), "A1"), user(1, "b@x.com", "B2"), user(2, "c@x.com", "C3")]
    by_email, by_user_id = ARRAYS[array]

    found = attribute(
        sent, reply(1, 2, **{f"in_{array}Emails": ["b@x.com"], f"in_{array}UserIds": ["C3"]})
    )

    assert Attribution(Reading.EXACT, {1: by_email, 2: by_user_id}) == found


@pytest.mark.parametrize("answered", ["u1@example.com", "U1@Example.COM", " u1@example.com "])
def test_emails_match_without_regard_to_case(answered: str) -> None:
    found = attribute(rows(3), reply(2, 1, in_conflictEmails=[answered]))

    assert {1: "conflict"} == found.failed


def test_user_ids_match_exactly() -> None:
    sent = [user(0, "abc"), user(1, "ABC")]

    assert {1: "forgotten"} == attribute(sent, reply(1, 1, in_forgottenUserIds=["ABC"])).failed
    assert attribute(sent, reply(1, 1, in_forgottenUserIds=["Abc"])).reading is Reading.AMBIGUOUS


def test_an_email_inside_the_data_fields_names_its_row() -> None:
    sent = [user(0, "a"), user(1, "b", "new@x.com")]

    assert {1: "invalid_email"} == attribute(
        sent, reply(1, 1, in_invalidEmails=["new@x.com"])
    ).failed


def test_the_deprecated_arrays_count_as_well_and_not_twice() -> None:
    old = attribute(
        rows(2), {"successCount": 1, "failCount": 1, "invalidEmails": ["u0@example.com"]}
    )
    both = attribute(
        rows(2), reply(1, 1, in_invalidEmails=["u0@example.com"], invalidEmails=["u0@example.com"])
    )

    assert {0: "invalid_email"} == old.failed == both.failed


def test_a_row_in_two_arrays_fails_once() -> None:
    found = attribute(
        rows(2),
        reply(1, 1, in_invalidDataEmails=["u0@example.com"], in_forgottenEmails=["u0@example.com"]),
    )

    assert {0: "forgotten"} == found.failed


@pytest.mark.parametrize("succeeded", [3, 2], ids=["counted as success", "counted apart"])
def test_rows_that_change_nothing_are_no_failures(succeeded: int) -> None:
    found = attribute(rows(3), reply(succeeded, 0, noOpEmails=["u1@example.com"]))

    assert Attribution(Reading.EXACT) == found


def test_rows_that_change_nothing_are_no_failures_wherever_they_are_listed() -> None:
    found = attribute(rows(3), reply(3, 0, in_noOpEmails=["u1@example.com"]))

    assert Attribution(Reading.EXACT) == found


@pytest.mark.failure("H7")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(3, 0), id="a row is missing"),
        pytest.param(reply(4, 1), id="a row too many"),
        pytest.param(reply(3, 1), id="a failure without a name"),
        pytest.param(reply(3, 1, in_invalidEmails=["x@y.z"]), id="a name of no row"),
        pytest.param(
            reply(3, 1, in_invalidEmails=["u0@example.com", "x@y.z"]), id="one name of no row"
        ),
        pytest.param(reply(4, 0, in_invalidEmails=["u0@example.com"]), id="named and not counted"),
        pytest.param(
            reply(3, 1, in_invalidEmails=["u0@example.com", "u1@example.com"]), id="two for one"
        ),
        pytest.param(reply(0, 4), id="all, and none named"),
    ],
)
def test_an_answer_that_does_not_add_up_is_ambiguous_and_never_a_success(answer: Any) -> None:
    assert Attribution(Reading.AMBIGUOUS) == attribute(rows(4), answer)


@pytest.mark.failure("H16")
def test_two_rows_of_one_identifier_and_one_failure_is_ambiguous() -> None:
    sent = [user(0, "shared", "a@x"), user(1, "shared", "b@x"), user(2, "c")]

    assert attribute(sent, reply(2, 1, in_notFoundUserIds=["shared"])).reading is Reading.AMBIGUOUS
    assert {0: "not_found", 1: "not_found"} == attribute(
        sent, reply(1, 2, in_notFoundUserIds=["shared"])
    ).failed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(1, 0), Attribution(Reading.EXACT), id="accepted"),
        pytest.param(reply(0, 1), Attribution(Reading.EXACT, {7: "refused"}), id="no name"),
        pytest.param(
            reply(0, 1, in_conflictEmails=["else@x.com"]),
            Attribution(Reading.EXACT, {7: "conflict"}),
            id="name of nobody",
        ),
        pytest.param(
            reply(1, 0, in_conflictEmails=["u7@example.com"]),
            Attribution(Reading.EXACT, {7: "conflict"}),
            id="named and counted as success",
        ),
        pytest.param(
            reply(0, 0, noOpEmails=["u7@example.com"]), Attribution(Reading.EXACT), id="no change"
        ),
        pytest.param(reply(0, 0), Attribution(Reading.UNREADABLE), id="neither"),
        pytest.param(reply(2, 0), Attribution(Reading.UNREADABLE), id="two of one"),
    ],
)
def test_a_request_of_one_row_attributes_by_elimination(answer: Any, expected: Attribution) -> None:
    assert expected == attribute([row(7)], answer)


@pytest.mark.failure("H7")
@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "ok",
        {},
        {"code": "Success", "msg": "", "params": None},
        {"successCount": 2},
        {"successCount": "2", "failCount": 0},
        {"successCount": True, "failCount": 1},
        {"successCount": 2.0, "failCount": 0},
        {"successCount": 3, "failCount": -1},
        {"successCount": 2, "failCount": 0, "failedUpdates": []},
        {"successCount": 2, "failCount": 0, "failedUpdates": {"invalidEmails": "x"}},
        {"successCount": 2, "failCount": 0, "failedUpdates": {"invalidEmails": [1]}},
        {"successCount": 2, "failCount": 0, "invalidEmails": {}},
    ],
)
def test_a_2xx_of_another_shape_is_an_unknown_outcome(answer: Any) -> None:
    """H7."""
    assert attribute(rows(2), answer).reading is Reading.UNREADABLE


def test_dropped_fields_are_of_the_rows_that_have_them() -> None:
    sent = [
        row(0, plan="a", city="b"),
        row(1, city="c"),
        row(2, city=None, plan="d"),
        row(3, address={"zip": 1}),
        Payload(4, "e", frozenset({"u4@example.com"}), b"{}", ("box.a", "box.b", "city")),
    ]

    found = attribute(
        sent,
        reply(
            4,
            1,
            in_invalidEmails=["u1@example.com"],
            filteredOutFields=[
                "city",
                "dataFields.address.zip",
                "box",
                "ghost",
            ],
        ),
    )

    assert {0: ("city",), 3: ("address",), 4: ("city", "box.a", "box.b")} == found.uncreated
    assert ("ghost",) == found.unplaced


def test_created_fields_are_reported() -> None:
    assert ("a", "b") == attribute(rows(2), reply(2, 0, createdFields=["a", "b"])).created


@pytest.mark.failure("H16", "O6")
@given(
    data=st.data(),
    count=st.integers(2, 60),
    deprecated=st.booleans(),
)
def test_whoever_failed_is_found_and_nobody_else(
    data: st.DataObject, count: int, deprecated: bool
) -> None:
    """O6, for any set of failures, arrays, kinds of identifier and spelling."""
    sent = [user(seq, f"user{seq}@mail.example", f"Id-{seq}") for seq in range(count)]
    failing = data.draw(st.lists(st.integers(0, count - 1), unique=True))
    arrays: dict[str, list[str]] = {}
    expected = {}
    for seq in failing:
        stem = data.draw(st.sampled_from(sorted(ARRAYS)))
        is_email = data.draw(st.booleans())
        name = f"{stem}{'Emails' if is_email else 'UserIds'}"
        email = data.draw(st.sampled_from([str.upper, str.lower, str.title]))(
            f"user{seq}@mail.example"
        )
        arrays.setdefault(name, []).append(email if is_email else f"Id-{seq}")
        expected[seq] = ARRAYS[stem][0 if is_email else 1]
    answer = reply(count - len(failing), len(failing), **{f"in_{k}": v for k, v in arrays.items()})
    if deprecated:
        answer |= {k: v for k, v in arrays.items() if k in {"invalidEmails", "invalidUserIds"}}

    assert Attribution(Reading.EXACT, expected) == attribute(sent, answer)


@given(
    count=st.integers(2, 20),
    succeeded=st.integers(0, 25),
    failed=st.integers(0, 25),
    named=st.lists(st.integers(0, 30), max_size=25),
)
def test_no_row_is_accepted_on_counts_that_do_not_meet(
    count: int, succeeded: int, failed: int, named: list[int]
) -> None:
    answer = reply(succeeded, failed, in_conflictEmails=[f"u{seq}@example.com" for seq in named])

    found = attribute(rows(count), answer)

    adds_up = (
        succeeded + failed == count
        and len(set(named)) == failed
        and all(seq < count for seq in named)
    )
    assert adds_up == (found.reading is Reading.EXACT)
    if adds_up:
        assert set(named) == found.failed.keys()


# -- reasons ----------------------------------------------------------------------------------

MAPPING_CODES = [
    "not_finite",
    "out_of_range_long",
    "out_of_range_double",
    "invalid_date",
    "invalid_datetime",
    "invalid_json",
    "invalid_number",
    "invalid_boolean",
    "wrong_type",
    "not_text",
    "too_long",
    "too_large",
    "missing_identifier",
    "invalid_email",
    "invalid_user_id",
    "duplicate_identity",
    "field_not_created",
    "missing_key",
    "nul_character",
]


@pytest.mark.parametrize("code", MAPPING_CODES)
def test_each_reason_of_the_mapping_has_words_and_an_owner(code: str) -> None:
    assert code in REASONS
    assert REASONS[code].words
    assert REASONS[code].owner in Owner


def test_reasons_that_the_mapping_knows_are_in_the_table() -> None:
    values = pytest.importorskip("iterable_sync.values")

    assert {str(reason) for reason in values.Reason} <= REASONS.keys()


def test_an_unknown_reason_does_not_crash_and_is_tried_again() -> None:
    reason = reason_of("of_a_later_version")

    assert reason.retry_after_s is not None
    assert reason.words


def test_what_only_a_new_value_mends_is_not_tried_again() -> None:
    waiting = {code for code, reason in REASONS.items() if reason.retry_after_s is None}

    assert {"invalid_email", "wrong_type", "forgotten", "not_finite"} <= waiting
    assert not {"not_found", "conflict", "refused", "field_not_created"} & waiting


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("BadJsonBody", "malformed"),
        ("InvalidEmailAddressError", "invalid_email"),
        ("ForgottenUserError", "forgotten"),
        ("RequestFieldsTypesMismatched", "wrong_type"),
        ("Success", "refused"),
        ("NeverSeenBefore", "refused"),
        (None, "refused"),
    ],
)
def test_a_refusal_of_one_row_has_a_reason(code: str | None, expected: str) -> None:
    assert expected == reason_for_refusal(code)
    assert expected in REASONS
