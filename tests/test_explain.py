"""Why a row was, or was not, sent: each outcome of a run is explained, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import event_world
import request_world
from crashes import crash
from harness import people
from iterable_sync.errors import ConfigError, IterableSyncError
from iterable_sync.explain import Explanation, explain
from iterable_sync.fates import Fate, Finding
from iterable_sync.identity import hash_of
from iterable_sync.rows import ProjectType
from iterable_sync.state.approvals import approve

if TYPE_CHECKING:
    from harness import World

BAD = ("u2", "no address", "Bern", 1)


def ask(world: World, key: str | None = None, **asked: Any) -> dict[str, Explanation]:
    """Give what each sync knows, by its name."""
    return {one.sync: one for one in explain(world.state, key=key, **asked)}


def fates(explanation: Explanation) -> list[tuple[Fate, str, tuple[str, ...], int]]:
    """Give fate, code, fields and rows of what is known."""
    return [(one.fate, one.code, one.fields, one.rows) for one in explanation.findings]


def the_finding(world: World, key: str, sync: str = "users") -> Finding:
    (found,) = ask(world, key)[sync].findings
    return found


def run_of(world: World, number: int) -> str:
    """Give the id of a run, the first being 0."""
    return str(world.rows("SELECT run_id FROM {runs} ORDER BY token")[number][0])


def is_now(moment: datetime | None) -> bool:
    return moment is not None and abs(datetime.now(UTC) - moment) < timedelta(minutes=5)


@pytest.mark.capability("E40")
def test_an_accepted_row_names_the_run_that_iterable_took_it_from(world: World) -> None:
    """Also after later runs, for which it was unchanged."""
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1), *people(2, city="Chur"))
    world.sync()

    unchanged, changed = the_finding(world, "u1"), the_finding(world, "u2")

    assert (Fate.ACCEPTED, run_of(world, 0)) == (unchanged.fate, unchanged.run_id)
    assert (Fate.ACCEPTED, run_of(world, 1)) == (changed.fate, changed.run_id)
    assert is_now(unchanged.at)
    last = ask(world, "u1")["users"].last_run
    assert last is not None
    assert (run_of(world, 1), "clean", 1, 1) == (
        last.run_id,
        last.end,
        last.counts["unchanged"],
        last.counts["accepted"],
    )


@pytest.mark.capability("E40")
def test_a_rejected_row_has_its_reason_in_words_and_whose_job_it_is(world: World) -> None:
    world.put(*people(1), BAD)
    world.sync()

    found = the_finding(world, "u2")

    assert (Fate.REJECTED, "invalid_email", "warehouse", None) == (
        found.fate,
        found.code,
        found.owner,
        found.next_try_at,
    )
    assert "malformed; it is tried again once the row changes" in found.words
    assert is_now(found.at)


def test_what_iterable_alone_can_mend_says_when_it_is_tried_again(world: World) -> None:
    """A day later; and once it is due, that the next run tries it."""
    world.put(*people(1))
    world.server.fail({"kind": "refuse_rows", "keys": ["u1@example.com"], "reason": "conflict"})
    world.sync()
    world.server.fail()

    waits = the_finding(world, "u1")
    world.write("UPDATE {rejections} SET next_try_at = now()")
    due = the_finding(world, "u1")

    assert ("Iterable", Fate.REJECTED) == (waits.owner, waits.fate)
    assert waits.at is not None
    assert waits.next_try_at is not None
    assert timedelta(hours=23) < waits.next_try_at - waits.at < timedelta(hours=25)
    assert "first run after the time given" in waits.words
    assert "the next run tries it again" in due.words


def test_a_rejected_field_is_named_beside_the_row_that_was_accepted(world: World) -> None:
    """It is in no other doubt: what is rejected is said once."""
    world.put(
        ("u1", "u1@example.com", "12"),
        columns={"user_id": "text", "email": "text", "phone": "text"},
    )
    world.sync(fields={"phone": {"type": "phone"}}, sql=world.sql())

    assert {
        (Fate.REJECTED, "invalid_phone", ("phone",), 1),
        (Fate.ACCEPTED, "", (), 1),
    } == set(fates(ask(world, "u1")["users"]))


@pytest.mark.capability("E40")
def test_a_held_change_names_the_guard_and_who_lets_it_go(world: World) -> None:
    """Approved it says so, and once it was sent it is accepted."""
    world.put(*people(1, 2))
    world.sync(first_sync=1)

    held = ask(world, "u1")["users"]
    approve(world.state, "1.us", "users", by="ann")
    approved = the_finding(world, "u1")
    world.sync(first_sync=1)

    assert [(Fate.HELD, "first_sync", (), 1)] == fates(held)
    assert "IterableReleaseOperator" in held.findings[0].words
    assert is_now(held.findings[0].at)
    assert held.last_run is not None
    assert "held" == held.last_run.end
    assert "the next run sends it" in approved.words
    assert Fate.ACCEPTED is the_finding(world, "u1").fate


@pytest.mark.capability("E40")
def test_after_a_killed_run_it_says_what_is_in_doubt_and_what_was_not_sent(world: World) -> None:
    """By the dead run's journal: on its way, answered, not sent yet, and never to be sent."""
    world.put(*people(1, 2, 3), ("u9", None, "Bern", 1))
    crash(world, at=1, applied=True, batch_rows=1, threads=1)
    # Whatever else had been opened by then: the second was answered, the third not begun.
    world.write("DELETE FROM {batches} WHERE seq_lo > 1")
    world.write(
        "INSERT INTO {batches} (run_id, token, number, seq_lo, seq_hi, state, opened_at) "
        "SELECT run_id, token, 2, 2, 2, 'settled', opened_at FROM {batches}"
    )

    open_, answered, unsent, never = (ask(world, f"u{n}")["users"] for n in (1, 2, 3, 9))

    assert [Fate.IN_DOUBT] == [one.fate for one in open_.findings]
    assert "when its run died" in open_.findings[0].words
    assert [Fate.ON_ITS_WAY] == [one.fate for one in answered.findings]
    assert "its answer was read (accepted)" in answered.findings[0].words
    assert [Fate.TO_SEND] == [one.fate for one in unsent.findings]
    assert "died before its turn came" in unsent.findings[0].words
    assert not never.is_known
    assert "the last run died" in never.verdict
    assert open_.last_run is not None
    assert ("died", None) == (open_.last_run.end, open_.last_run.ended_at)


def test_what_a_killed_run_left_is_in_doubt_until_a_run_has_sent_it(world: World) -> None:
    """The next run writes it down, and dies as well; the one after that sends it."""
    world.put(*people(1))
    crash(world, at=1, applied=True)
    crash(world, at=1, applied=False)

    folded = ask(world, "u1")["users"]
    world.sync()

    assert {Fate.IN_DOUBT} == {one.fate for one in folded.findings}
    assert any("for the first time" in one.words for one in folded.findings)
    assert [(Fate.ACCEPTED, "", (), 1)] == fates(ask(world, "u1")["users"])


def test_a_changed_field_that_is_in_doubt_is_named(world: World) -> None:
    """The rest of the row stays accepted."""
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="Chur"))
    crash(world, at=1, applied=True)
    world.put(*people(1, city="Chur"), *people(2))
    crash(world, at=1, applied=False)

    found = ask(world, "u1")["users"]

    assert {(Fate.ACCEPTED, "", (), 1), (Fate.IN_DOUBT, "", ("city",), 1)} <= set(fates(found))


@pytest.mark.capability("E40")
def test_a_row_that_waits_for_its_person_says_so(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.put(*people(1, 2), table="traits")
    traits = {
        "sync": "traits",
        "object": "traits",
        "sql": world.sql("user_id", "email", "points AS visits", table="traits"),
        "requires": "users",
    }
    world.sync(**traits)

    waits = ask(world, "u2")

    assert [(Fate.WAITING, "waiting_for_user", (), 1)] == fates(waits["traits"])
    assert "goes by itself" in waits["traits"].findings[0].words
    assert not waits["users"].is_known
    assert ["traits"] == list(ask(world, "u2", sync="traits"))
    assert [Fate.ACCEPTED] == [one.fate for one in ask(world, "u1")["traits"].findings]


@pytest.mark.capability("E40")
def test_a_forgotten_person_is_found_by_the_hash_alone(world: World) -> None:
    """In each sync that would send them; and the request itself is known as done."""
    request_world.with_people(world, ProjectType.HYBRID, 1, 2)
    request_world.put_requests(world, (1, 1, "forget", 1))
    request_world.delete(world)

    by_email = ask(world, email=request_world.email(1))
    by_user_id = ask(world, user_id=request_world.user_id(1))
    by_key = ask(world, request_world.user_id(1))
    other = ask(world, email=request_world.email(2))

    assert [Fate.FORGOTTEN] == [one.fate for one in by_key["users"].findings]
    for found in (by_email, by_user_id):
        for name in request_world.TABLES:
            assert Fate.FORGOTTEN is found[name].findings[0].fate
        assert [Fate.ACCEPTED] == [one.fate for one in found["deletions"].findings]
    assert not any(Fate.FORGOTTEN in [of.fate for of in one.findings] for one in other.values())
    assert all(one.is_known for name, one in other.items() if name != "deletions")


def test_the_key_of_an_event_that_reads_like_a_forgotten_user_id_is_not_theirs(
    world: World,
) -> None:
    event_world.with_events(world, event_world.event(7))
    event_world.sync(world)
    hashed = hash_of("7")
    world.write(f"INSERT INTO {{forgotten}} VALUES ('1.us', '{hashed}', '{hashed}', now())")

    assert [(Fate.ACCEPTED, "", (), 1)] == fates(ask(world, "7")["events"])
    assert [Fate.FORGOTTEN] == [one.fate for one in ask(world, user_id="7")["events"].findings]


def test_a_row_that_left_the_model_is_removed(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1))
    world.sync()

    found = ask(world, "u2")["users"]

    assert [Fate.REMOVED] == [one.fate for one in found.findings]
    assert "on_remove" in found.findings[0].words


@pytest.mark.capability("E40")
def test_what_is_nowhere_says_what_that_means(world: World) -> None:
    """Not in the model; never run, or off; or the last run failed before it came to it."""
    world.put(*people(1))
    world.sync()

    absent = ask(world, "u9")["users"]
    unknown = ask(world, "u9", sync="shop.events")["shop.events"]
    world.put(*people(1), *people(9), *people(9))
    with pytest.raises(IterableSyncError):
        world.sync()
    failed = ask(world, "u9")["users"]

    assert [False] * 3 == [one.is_known for one in (absent, unknown, failed)]
    assert "the model did not have it when the last run looked" in absent.verdict
    assert "never run with this state, its stream is off" in unknown.verdict
    assert "Known: users" in unknown.verdict
    assert unknown.last_run is None
    assert "ended failed" in failed.verdict


def test_rows_that_are_still_to_be_sent_may_be_the_one(world: World) -> None:
    """Of a run that ended pending no plan is left."""
    world.put(*people(1))
    world.answer_next(*[{"status": 503}] * 30)
    world.sync(options={"should_stop": lambda: True})

    found = ask(world, "u1")["users"]

    assert not found.is_known
    assert "1 rows are still to be sent" in found.verdict


@pytest.mark.capability("E40")
def test_an_event_is_known_by_its_key_once_it_was_sent(world: World) -> None:
    """And by its person, where a profile or the event itself says who that is."""
    event_world.with_events(world, event_world.event(1), event_world.event(2, who="u2"))
    event_world.sync(world)

    sent = ask(world, "1")["events"]
    theirs = ask(world, user_id="u2")["events"]
    never = ask(world, "7")["events"]

    assert [(Fate.ACCEPTED, "", (), 1)] == fates(sent) == fates(theirs)
    assert "an event is sent once" in sent.findings[0].words
    assert "nothing is kept beyond retention_s" in never.verdict


def test_an_event_that_is_given_up_says_so(world: World) -> None:
    """It waited for its person for longer than the sync lets it."""
    world.put(*people(1))
    world.sync()
    columns = {"id": "bigint", "email": "text", "created_at": "timestamptz"}
    world.put((7, "u2@example.com", event_world.ago(1)), columns=columns, table="events")
    world.columns = columns
    events = event_world.spec(world, requires="users")
    world.sync(events)
    world.write("UPDATE {held_keys} SET held_at = now() - INTERVAL '30 days'")
    world.sync(events)

    found = the_finding(world, "7", "events")

    assert (Fate.REJECTED, "expired") == (found.fate, found.code)
    assert "is not tried again by itself" in found.words


def test_events_without_consent_are_not_remembered_and_that_is_said(world: World) -> None:
    event_world.with_events(world)
    columns = {
        "id": "bigint",
        "user_id": "text",
        "created_at": "timestamptz",
        "phone_number": "text",
        "sms_opt_in": "boolean",
    }
    event_world.put(world, (1, "u1", event_world.ago(), "+14158675309", False), columns=columns)
    event_world.sync(world, sms_consent=True)

    found = ask(world, "1")["events"]

    assert not found.is_known
    assert "1 have no consent to text messages" in found.verdict


def test_a_mark_of_another_sync_says_that_the_row_goes_again(world: World) -> None:
    """An order empties the cart in Iterable; until the cart's next run that is a mark."""
    request_world.with_people(world, ProjectType.USER_ID, 1)

    before = ask(world, request_world.user_id(1))["carts"]
    request_world.sync_one(world, "carts")
    after = ask(world, request_world.user_id(1))["carts"]

    assert (Fate.MARKED, "doubt", (), 1) in fates(before)
    assert [(Fate.ACCEPTED, "", (), 1)] == fates(after)


def test_a_person_is_found_by_all_that_their_profile_knows_them_by(world: World) -> None:
    """By e-mail alone: the other syncs have the userId, and one has refused it."""
    world.with_project(ProjectType.HYBRID)
    world.put(*people(1))
    world.sync()
    world.put(("u1", "12", 1), columns={"user_id": "text", "tel": "text", "n": "bigint"}, table="t")
    world.sync(
        sync="traits",
        object="traits",
        sql=world.sql("user_id", "tel", "n", table="t"),
        fields={"tel": {"type": "phone"}},
    )

    found = ask(world, email=" U1@Example.com ")

    assert [(Fate.ACCEPTED, "", (), 1)] == fates(found["users"])
    assert (Fate.REJECTED, "invalid_phone", ("tel",), 1) in fates(found["traits"])
    assert not any(one.is_known for one in ask(world, email="u2@example.com").values())
    assert "ask by key as well" in ask(world, email="u2@example.com")["users"].verdict


def test_a_key_of_several_columns_is_a_list_or_one_part_of_it(world: World) -> None:
    """Rows of which the same is known are one finding, and are counted."""
    world.put(*people(1, 2), ("u1", "other@example.com", "Bern", 1))
    world.server.seed({"users": [{"email": f"{who}@example.com"} for who in ("u1", "u2", "other")]})
    world.sync(
        sync="list",
        object="lists",
        sql=world.sql("user_id", "email"),
        key=["user_id", "email"],
        list_name="Good",
    )

    whole = ask(world, '["u1", "u1@example.com"]')["list"]
    part = ask(world, "u1")["list"]
    none = ask(world, '["u2", "u1@example.com"]')["list"]

    assert [(Fate.ACCEPTED, "", (), 1)] == fates(whole)
    assert [(Fate.ACCEPTED, "", (), 2)] == fates(part)
    assert [] == fates(none)


def test_held_and_rejected_keys_of_several_columns_are_found_by_a_part(world: World) -> None:
    """But not by a text that is within a part."""
    world.put(*people(1, 11))
    world.sync(
        sync="list",
        object="lists",
        sql=world.sql("user_id", "email"),
        key=["user_id", "email"],
        list_name="Good",
        first_sync=1,
    )

    assert [(Fate.HELD, "first_sync", (), 1)] == fates(ask(world, "u1")["list"])
    assert [(Fate.HELD, "first_sync", (), 1)] == fates(ask(world, email="U1@example.com")["list"])
    assert not ask(world, "1")["list"].is_known


def test_a_column_that_is_mapped_since_then_is_still_to_be_sent(world: World) -> None:
    """Held back here, so that the next run is the one that sends it."""
    world.put(*people(1))
    world.sync(sql=world.sql("user_id", "email"))
    world.sync(guards={"max_changed": 0, "changed_floor": 0})

    assert (Fate.TO_SEND, "", ("city", "points"), 1) in fates(ask(world, "u1")["users"])


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"key": "u1", "email": "u1@example.com"}, id="two"),
        pytest.param({"email": " "}, id="blank"),
        pytest.param({"key": "a\0b"}, id="a character that no key has"),
    ],
)
def test_one_thing_is_asked_for(duckdb_world: World, asked: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="say one of key, email and user_id"):
        explain(duckdb_world.state, **asked)


def test_quotes_and_percent_signs_in_what_is_asked_for_are_text(world: World) -> None:
    """A key with a quote is found, and is no SQL."""
    world.put(("o'1%s?", "o@example.com", "Bern", 1))
    world.sync()

    assert [(Fate.ACCEPTED, "", (), 1)] == fates(ask(world, "o'1%s?")["users"])
    assert not ask(world, "x' OR '1'='1")["users"].is_known


def test_each_project_is_explained_apart(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.sync(client=world.connect(project_id="2"))

    both = explain(world.state, key="u1")
    one = explain(world.state, key="u1", project="2.us")

    assert ["1.us", "2.us"] == [of.project for of in both]
    assert ["2.us"] == [of.project for of in one]
    assert all(of.is_known for of in both)
