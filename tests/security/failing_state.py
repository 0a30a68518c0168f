"""State that fails: its database refuses, is full, or is none."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iterable_sync.state.dialects.postgres import PostgresSession
from security import canaries
from security.failure import DONE, EVERYTHING
from security.stage import COLUMNS, people

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_task import Done
    from security.failure import Act
    from security.stage import Stage


def snapshot_refuses(ddl: str) -> Act:
    """Let the database refuse what the second run writes: its message quotes the row."""

    def act(stage: Stage) -> Done:
        assert stage.run().state == DONE
        table = stage.world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
        for one in ddl.split(";"):
            stage.world.write(one.replace("<snapshot>", stage.world.state.table(table)))
        stage.change("UPDATE {users} SET phone = '+41 79 555 01 73', notes = 'none', name = NULL")
        return stage.run(guards={"changed_floor": 1_000})

    return act


def rejections_refuse(stage: Stage) -> Done:
    assert stage.run().state == DONE
    stage.world.write("ALTER TABLE {rejections} ADD CHECK (key = '')")
    stage.put(*people(1, 2), ("u9", canaries.PHONE, canaries.NAME, None, None, 9))
    return stage.run()


def no_database(stage: Stage) -> Done:
    for name in ("warehouse", "state"):
        stage.connections[name] |= {"host": "127.0.0.1", "port": 9, "extra": {}}
    return stage.run()


def wrong_database(stage: Stage) -> Done:
    for name in ("warehouse", "state"):
        stage.connections[name]["schema"] = "nowhere"
    return stage.run()


def no_such_setting(stage: Stage) -> Done:
    stage.connections["state"]["extra"]["passwort"] = canaries.DATABASE_PASSWORD
    return stage.run()


def disk_full(stage: Stage) -> Done:
    """Let no file grow over 2 MB."""
    columns = ", ".join(COLUMNS)
    stage.change(
        f"INSERT INTO {{users}} SELECT 'v' || i, 'v' || i || email, name, phone, "
        "md5('a' || i) || md5('b' || i) || md5('c' || i) || md5('d' || i) || md5('e' || i), i "
        f"FROM (SELECT {columns} FROM {{users}} LIMIT 1), range(40000) AS r (i)"
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    try:
        return stage.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def disk_full_in_postgres(stage: Stage) -> Done:
    """Say what a server says whose disk is full."""
    import psycopg

    run = PostgresSession.execute

    def full(self: PostgresSession, sql: str, params: Sequence[Any] = ()) -> int:
        if "plan_" in sql and sql.startswith("INSERT"):
            raise psycopg.errors.DiskFull(EVERYTHING)
        return run(self, sql, params)

    stage.monkeypatch.setattr(PostgresSession, "execute", full)
    return stage.run()


def no_duckdb(stage: Stage) -> Done:
    """Put a file of people's data where state should be."""
    path = Path(stage.connections["state"]["host"])
    path.write_text(EVERYTHING * 1_000, encoding="utf-8")
    try:
        return stage.run()
    finally:
        path.unlink()
