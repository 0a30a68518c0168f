"""The tables of the state, and their version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine

SCHEMA_VERSION = 1

_TABLES = {
    "syncs": (
        "sync_id integer PRIMARY KEY, project text NOT NULL, sync text NOT NULL, "
        "object text NOT NULL, fields_of text, key_columns text NOT NULL, fields text NOT NULL, "
        "mapping_version integer NOT NULL, sql_hash text NOT NULL, snapshot_table text NOT NULL, "
        "as_of timestamptz, cursor_at text, unresolved_since text, low_water text, "
        "snapshot_run text, pruned_at timestamptz, created_at timestamptz NOT NULL, "
        "UNIQUE (project, sync)"
    ),
    "projects": (
        "project text PRIMARY KEY, channels text NOT NULL, first_seen timestamptz NOT NULL"
    ),
    "leases": (
        "scope text PRIMARY KEY, token bigint NOT NULL, holder text NOT NULL, "
        "held_until timestamptz NOT NULL, wanted_until timestamptz"
    ),
    "runs": (
        "run_id text PRIMARY KEY, sync_id integer NOT NULL, token bigint NOT NULL, "
        "state text NOT NULL, plan_table text, mapping_version integer, as_of timestamptz, "
        "started_at timestamptz NOT NULL, ended_at timestamptz, counts text, "
        "late_table text, second_fold_at timestamptz, woke_at timestamptz, "
        "batches integer, requests bigint, bytes_sent bigint, request_seconds double precision"
    ),
    "batches": (
        "run_id text NOT NULL, token bigint NOT NULL, number integer NOT NULL, "
        "seq_lo bigint NOT NULL, seq_hi bigint NOT NULL, state text NOT NULL, "
        "opened_at timestamptz NOT NULL, settled_at timestamptz, http_status integer, "
        "attempts integer, requests integer, bytes_sent bigint, request_id text, "
        "seconds double precision"
    ),
    "batch_exceptions": (
        "run_id text NOT NULL, seq bigint NOT NULL, field text NOT NULL, outcome text NOT NULL, "
        "reason text, retry_after_s double precision"
    ),
    "rejections": (
        "sync_id integer NOT NULL, key text NOT NULL, field text NOT NULL, reason text NOT NULL, "
        "value_hash text NOT NULL, attempts integer NOT NULL, first_seen timestamptz NOT NULL, "
        "last_seen timestamptz NOT NULL, next_try_at timestamptz, run_id text NOT NULL"
    ),
    "marks": (
        "sync_id integer NOT NULL, number bigint NOT NULL, kind text NOT NULL, "
        "identity text NOT NULL, value text"
    ),
    "forgotten": (
        "project text NOT NULL, hash text NOT NULL, person text NOT NULL, "
        "forgotten_at timestamptz NOT NULL"
    ),
    "quota": (
        "project text NOT NULL, name text NOT NULL, minute bigint NOT NULL, "
        "requests integer NOT NULL, PRIMARY KEY (project, name, minute)"
    ),
    "held_keys": (
        "sync_id integer NOT NULL, op text NOT NULL, key text NOT NULL, guard text NOT NULL, "
        "held_at timestamptz NOT NULL, approved_by text, approved_until timestamptz, "
        "run_id text NOT NULL"
    ),
    "lists": (
        "project text NOT NULL, name text NOT NULL, list_id bigint, created boolean, "
        "intent_at timestamptz, pinned_at timestamptz, compared_at timestamptz, "
        "PRIMARY KEY (project, name)"
    ),
    "claims": (
        "project text NOT NULL, kind text NOT NULL, name text NOT NULL, raw text NOT NULL, "
        "sync_id integer NOT NULL, list_id bigint, PRIMARY KEY (project, kind, name)"
    ),
}


def install(engine: StateEngine, session: Session) -> None:
    """
    Create the state tables, or upgrade them, in one transaction.

    Raises:
        ConfigError: the schema is of a newer version than this package knows.
    """
    meta = engine.table("meta")
    if not engine.columns_of(session, "meta"):
        with session.transaction():
            if engine.dialect.name == "postgres":
                # IF NOT EXISTS does not wait: of two first runs at a time one would fail.
                session.rows("SELECT pg_advisory_xact_lock(hashtext('iterable_sync'))")
            engine.prepare(session)
            session.execute(f"CREATE TABLE IF NOT EXISTS {meta} (schema_version integer NOT NULL)")
            for name, columns in _TABLES.items():
                session.execute(f"CREATE TABLE IF NOT EXISTS {engine.table(name)} ({columns})")
            if not session.rows(f"SELECT 1 FROM {meta}"):
                session.execute(f"INSERT INTO {meta} VALUES ({SCHEMA_VERSION})")
        return
    check_version(engine, session)


def check_version(engine: StateEngine, session: Session) -> None:
    """
    Refuse tables that a newer package has upgraded.

    Raises:
        ConfigError: upgrade this one.
    """
    version = session.rows(f"SELECT max(schema_version) FROM {engine.table('meta')}")[0][0]
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"the state schema has version {version}, this package knows {SCHEMA_VERSION}; "
            "upgrade airflow-provider-iterable"
        )
