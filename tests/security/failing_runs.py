"""Runs that fail: guards, leases, bugs, and events of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.client import IterableClient
from iterable_sync.operators.events import IterableEventsOperator
from security import canaries
from security.failure import DONE, EVERYTHING, TRACK
from security.stage import COLUMNS, people

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_task import Done
    from security.failure import Act
    from security.stage import Stage


def guarded(**guards: Any) -> Act:
    """Change everything after a first run, under limits that hold it."""

    def act(stage: Stage) -> Done:
        stage.put(*people(*range(100)))
        assert stage.run().state == DONE
        stage.change("UPDATE {users} SET name = name || ' ' || phone, email = 'x' || email")
        if "max_removed" in guards:
            stage.change("DELETE FROM {users} WHERE points > 10")
        floors = dict.fromkeys(("removed_floor", "changed_floor"), 0)
        return stage.run(guards={**floors, **guards}, options={"on_identity_change": "full_row"})

    return act


def first_sync_held(stage: Stage) -> Done:
    return stage.run(first_sync=2)


def running_already(stage: Stage) -> Done:
    assert stage.run().state == DONE
    stage.world.write("UPDATE {leases} SET held_until = now() + INTERVAL '1 hour'")
    return stage.run()


def while_posting(stage: Stage, meddle: Callable[[], Any]) -> None:
    """Do something right before a write goes out."""
    send = IterableClient.send

    def meddled(self: IterableClient, method: str, path: str, body: bytes) -> Any:
        meddle()
        return send(self, method, path, body)

    stage.monkeypatch.setattr(IterableClient, "send", meddled)


def lease_lost(stage: Stage) -> Done:
    while_posting(
        stage, lambda: stage.world.write("UPDATE {leases} SET token = token + 1, holder = 'other'")
    )
    return stage.run()


def database_gone(stage: Stage) -> Done:
    """End all connections of the state in the middle of a push."""
    while_posting(
        stage,
        lambda: stage.world.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        ),
    )
    return stage.run()


def bug(stage: Stage) -> Done:
    """Raise an error of nobody, whose text and cause hold rows."""

    def meddle() -> None:
        raise KeyError(EVERYTHING, people(1)) from ValueError(EVERYTHING)

    while_posting(stage, meddle)
    return stage.run()


def events(*more: str, name: str = "'Bought'", **fault: Any) -> Act:
    """Send an event of each person, under a fault of the first request."""

    def act(stage: Stage) -> Done:
        stage.operator = IterableEventsOperator
        if fault:
            stage.server.fail({"endpoint": TRACK, "first": 1, **fault})
        columns = ", ".join(["user_id AS event_id", *list(COLUMNS)[1:], *more])
        return stage.run(
            f"SELECT {columns}, {name} AS event_name, "
            f"CAST('2026-01-01 00:00:00+00' AS timestamptz) AS created_at "
            f"FROM {stage.world.prefix}users",
            key="event_id",
            sync="shop.events",
            thresholds={"rejected_floor": 0},
            guards={"min_rows": 0},
        )

    return act


def events_of_known_people(**settings: Any) -> Act:
    """Send events of people whom the project knows, under settings."""

    def act(stage: Stage) -> Done:
        assert stage.run().state == DONE
        stage.world.change(**settings)
        return events(name="email")(stage)

    return act


def events_of_the_wrong_type(stage: Stage) -> Done:
    assert stage.run().state == DONE
    stage.server.seed(
        {
            "events": [
                {"email": canaries.email(1), "eventName": "Bought", "dataFields": {"notes": 7}}
            ]
        }
    )
    return events()(stage)
