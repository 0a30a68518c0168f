"""Models that fail, and rows that cannot be sent: drivers and servers quote rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from security import canaries
from security.failure import BULK, DONE
from security.stage import people

if TYPE_CHECKING:
    from airflow_task import Done
    from security.failure import Act
    from security.stage import Stage


def model(*more: str, where: str = "") -> Act:
    """Run a model with more expressions."""
    return lambda stage: stage.run(stage.model(*more, where=where))


def statement(sql: str) -> Act:
    """Run another model; ``{users}`` is the table."""
    return lambda stage: stage.run(sql.replace("{users}", f"{stage.world.prefix}users"))


def raising(level: str, volatility: str = "VOLATILE", where: str = "") -> Act:
    """Call a function of the warehouse that complains about a row, in all parts of a message."""

    def act(stage: Stage) -> Done:
        name = f"{stage.world.prefix}complain"
        stage.world.execute(
            f"CREATE FUNCTION {name}() RETURNS bigint LANGUAGE plpgsql {volatility} AS $$ "
            f"DECLARE who text; BEGIN SELECT email || ' ' || name || ' ' || phone INTO who "
            f"FROM {stage.world.prefix}users LIMIT 1; "
            f"RAISE {level} USING MESSAGE = who, DETAIL = who, HINT = who; RETURN 1; END $$"
        )
        if where:
            return stage.run(stage.model(where=where.replace("complain", name)))
        return stage.run(stage.model(f"{name}() AS complaint"))

    return act


def duplicate_keys(stage: Stage) -> Done:
    stage.put(*people(1, 2), *people(1))
    return stage.run()


def duplicate_identities(stage: Stage) -> Done:
    _, *rest = people(1)[0]
    stage.put(("u1", *rest), ("u2", *rest))
    return stage.run(thresholds={"rejected_floor": 0})


def strange_rows(stage: Stage) -> Done:
    """Put e-mails that are none, a key that is NULL, and nobody at all."""
    rows = [
        ("u1", canaries.PHONE, canaries.NAME, canaries.PHONE, canaries.email(1), 1),
        ("u2", f"{canaries.email(2)} {canaries.email(3)}", canaries.NAME, None, None, 2),
        (None, canaries.email(4), canaries.NAME, None, None, 3),
        ("u5", None, canaries.NAME, canaries.PHONE, None, 4),
    ]
    stage.put(*rows)
    return stage.run(thresholds={"rejected_floor": 0})


def strange_values(*expressions: str) -> Act:
    """Put rows whose values cannot be sent."""

    def act(stage: Stage) -> Done:
        return stage.run(stage.model(*expressions), thresholds={"rejected_floor": 0})

    return act


def people_as_names(stage: Stage) -> Done:
    """Put e-mails as keys into a column of JSON: they become names of fields."""
    kind = "JSON" if stage.world.engine == "duckdb" else "jsonb"
    return stage.run(
        stage.model(f"""CAST('{{"' || email || '": "' || phone || '"}}' AS {kind}) AS friends""")
    )


def people_as_dropped_names(stage: Stage) -> Done:
    """Do the same in a project that takes no new fields."""
    friends = """CAST('{"' || email || '": {"' || phone || '": 1}}' AS JSON) AS friends"""
    stage.server.fail(
        {
            "kind": "answer",
            "endpoint": BULK,
            "status": 200,
            "body": {
                "successCount": 5,
                "failCount": 0,
                "filteredOutFields": [f"friends.{canaries.email(1)}", canaries.email(2)],
                "createdFields": [f"friends.{canaries.email(3)}", canaries.NAME],
            },
        }
    )
    return stage.run(stage.model(friends))


def people_as_names_of_the_wrong_type(stage: Stage) -> Done:
    """Give a field below an e-mail another type in the project."""
    stage.put(*people(1))
    kind = "JSON" if stage.world.engine == "duckdb" else "jsonb"
    friends = f"""CAST('{{"' || notes || '": "' || phone || '"}}' AS {kind}) AS friends"""
    stage.server.seed(
        {"users": [{"email": "a@b.cc", "dataFields": {"friends": {canaries.email(1): 7}}}]}
    )
    return stage.run(stage.model(friends), thresholds={"rejected_floor": 0})


def too_long_keys(stage: Stage) -> Done:
    _, *rest = people(1)[0]
    stage.put(("k" * 3_000, *rest), *people(2))
    return stage.run(thresholds={"rejected_floor": 0})


def drifted(stage: Stage) -> Done:
    """Let a column that held numbers hold phones."""
    sql = f"SELECT user_id, email, points FROM {stage.world.prefix}users"
    assert stage.run(sql).state == DONE
    stage.change("DROP TABLE {users}")
    stage.change("CREATE TABLE {users} AS SELECT 'u1' AS user_id, " + _literals())
    return stage.run(sql)


def _literals() -> str:
    return f"'{canaries.email(1)}' AS email, '{canaries.PHONE}' AS points"
