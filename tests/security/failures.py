"""Ways for a run to fail while drivers, servers and rows hold canaries: a table of scenarios."""

from __future__ import annotations

from security import canaries, failing_models, failing_requests, failing_runs, failing_state
from security.failure import (
    BOTH,
    DONE,
    DUCKDB,
    EVERYTHING,
    FAILED,
    POSTGRES,
    RETRIED,
    SKIPPED,
    Failure,
)

FAILURES = [
    # Iterable refuses the key
    Failure("wrong key", failing_requests.with_key("wrong"), FAILED, "HTTP 401"),
    Failure("read-only key", failing_requests.with_key("read_only_key"), FAILED, "read-only"),
    Failure("disabled key", failing_requests.with_key("disabled_key"), FAILED, "disabled"),
    Failure("403 that quotes", failing_requests.refused("Forbidden", 403), FAILED, "HTTP 403"),
    # Iterable refuses a request, and quotes it
    Failure("echo of headers and body", failing_requests.always(kind="echo"), DONE, "HTTP 400"),
    Failure(
        "RequestFieldsTypesMismatched", failing_requests.wrong_type, DONE, "fields_rejected", BOTH
    ),
    Failure("bad JSON body", failing_requests.refused("BadJsonBody"), DONE, "BadJsonBody"),
    Failure("bad parameters", failing_requests.refused("BadParams"), DONE, "BadParams"),
    Failure(
        "paths that quote",
        failing_requests.refused(
            "InvalidJsonBody", **{f"obj.users[0].dataFields.{canaries.email(1)}": "x"}
        ),
        DONE,
        "InvalidJsonBody",
    ),
    Failure(
        "too large", failing_requests.always(kind="too_large", above_bytes=100), DONE, "too_large"
    ),
    Failure(
        "413 that quotes", failing_requests.refused("RequestEntityTooLarge", 413), DONE, "HTTP 413"
    ),
    Failure(
        "429 that quotes",
        failing_requests.always(kind="rate_limit", retry_after=f"soon, {canaries.email(1)}"),
        RETRIED,
        "HTTP 429",
    ),
    Failure(
        "forgotten people", failing_requests.people_refused("forgotten"), FAILED, "forgotten", BOTH
    ),
    Failure("conflicting people", failing_requests.people_refused("conflict"), FAILED, "conflict"),
    Failure(
        "invalid people", failing_requests.people_refused("invalidData"), FAILED, "invalid_data"
    ),
    # Iterable fails
    Failure(
        "500 with a page",
        failing_requests.always(kind="answer", status=500, body=f"<html>{EVERYTHING}</html>"),
        RETRIED,
        "HTTP 500",
    ),
    Failure("503", failing_requests.always(kind="error", status=503), RETRIED, "HTTP 503"),
    Failure(
        "reset after it was applied",
        failing_requests.answered(kind="reset", at="handled"),
        DONE,
        "no complete",
    ),
    Failure(
        "reset in the upload",
        failing_requests.answered(kind="reset", at="upload"),
        DONE,
        "no complete",
    ),
    Failure("truncated", failing_requests.answered(kind="truncate"), DONE, "breaks off"),
    Failure("short length", failing_requests.answered(kind="short_length"), DONE, "unreadable"),
    Failure("half of the JSON", failing_requests.answered(kind="bad_json"), DONE, "unreadable"),
    Failure(
        "JSON of another shape",
        failing_requests.answered(kind="wrong_shape", body=[EVERYTHING]),
        DONE,
        "unreadable",
    ),
    Failure(
        "gzip bomb",
        failing_requests.answered(kind="gzip_bomb", megabytes=20),
        DONE,
        "more than 10000000 bytes",
    ),
    Failure(
        "failures of strangers",
        failing_requests.answered(
            kind="answer",
            status=200,
            body={
                "successCount": 0,
                "failCount": 1,
                "failedUpdates": {"invalidEmails": ["canary.quartz99@example.com"]},
            },
        ),
        DONE,
        "accepted",
    ),
    Failure(
        "fields of strangers",
        failing_requests.taken(createdFields=[EVERYTHING], filteredOutFields=[EVERYTHING]),
        DONE,
        "dropped 1 fields",
    ),
    Failure(
        "redirect",
        failing_requests.always(
            kind="redirect", location=f"http://{canaries.email(1)}/{canaries.API_KEY}", status=307
        ),
        FAILED,
        "a redirect",
    ),
    Failure("nobody listens", failing_requests.unplugged, RETRIED, "not connected"),
    Failure("407 of a proxy", failing_requests.refused_by_a_proxy, RETRIED, "not connected"),
    Failure("reset by a proxy", failing_requests.reset_by_a_proxy, RETRIED, "not connected"),
    Failure("TLS opened by a proxy", failing_requests.opened_by_a_proxy, FAILED, "certificate"),
    # the model
    Failure(
        "text as a number",
        failing_models.model("CAST(email AS integer) AS n"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "text as a date",
        failing_models.model("CAST(name AS date) AS d"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "text as JSON", failing_models.model("CAST(phone AS json) AS j"), FAILED, "ModelError", BOTH
    ),
    Failure(
        "text as a UUID",
        failing_models.model("CAST(notes AS uuid) AS u"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "text as a boolean",
        failing_models.model("CAST(name AS boolean) AS b"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "number too large",
        failing_models.model("CAST(phone AS smallint) AS s"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "division by zero",
        failing_models.model("1 / CAST(length(email) * 0 AS integer) AS z"),
        FAILED,
        "DivisionByZero",
        POSTGRES,
    ),
    Failure(
        "a regular expression",
        failing_models.model("regexp_replace('x', name || '(', '') AS r"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "two rows for one",
        failing_models.statement(
            "SELECT user_id, email, (SELECT name FROM {users}) AS n FROM {users}"
        ),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "error() of a row",
        failing_models.model("error(email || name || phone) AS e"),
        FAILED,
        "ModelError",
    ),
    Failure(
        "exception of a function",
        failing_models.raising("EXCEPTION"),
        FAILED,
        "ModelError",
        POSTGRES,
    ),
    Failure("warning of a function", failing_models.raising("WARNING"), DONE, "accepted", POSTGRES),
    Failure("notice of a function", failing_models.raising("NOTICE"), DONE, "accepted", POSTGRES),
    Failure(
        "exception while it is planned",
        failing_models.raising("EXCEPTION", "STABLE", "WHERE points > complain()"),
        FAILED,
        "ModelError",
        POSTGRES,
    ),
    Failure("unknown column", failing_models.model("fone"), FAILED, "fone", BOTH),
    Failure(
        "no SQL",
        failing_models.statement("SELECT user_id, FROM FROM {users}"),
        FAILED,
        "ModelError",
        BOTH,
    ),
    Failure(
        "connection ended by the model",
        failing_models.model("CAST(pg_terminate_backend(pg_backend_pid()) AS text) AS x"),
        RETRIED,
        "57P01",
        POSTGRES,
    ),
    Failure("duplicate keys", failing_models.duplicate_keys, FAILED, "DuplicateKeys", BOTH),
    Failure(
        "duplicate identities",
        failing_models.duplicate_identities,
        FAILED,
        "duplicate_identity",
        BOTH,
    ),
    Failure("rows of nobody", failing_models.strange_rows, FAILED, "missing_key", BOTH),
    Failure("too long keys", failing_models.too_long_keys, FAILED, "too_long", POSTGRES),
    Failure(
        "NUL and surrogates",
        failing_models.strange_values(
            "name || chr(0) || phone AS nul",
            """CAST('{"a": "\\ud800' || name || '"}' AS JSON) AS half""",
        ),
        FAILED,
        "rejected",
    ),
    Failure(
        "numbers and times without end",
        failing_models.strange_values(
            "CAST('Infinity' AS double precision) AS n", "CAST('infinity' AS timestamptz) AS t"
        ),
        DONE,
        "fields_rejected",
        BOTH,
    ),
    Failure("e-mails as names of fields", failing_models.people_as_names, DONE, "accepted", BOTH),
    Failure("e-mails as dropped fields", failing_models.people_as_dropped_names, DONE, "friends.*"),
    Failure(
        "e-mails as fields of another type",
        failing_models.people_as_names_of_the_wrong_type,
        DONE,
        "fields_rejected",
        BOTH,
    ),
    Failure("columns that drifted", failing_models.drifted, FAILED, "ConfigError", BOTH),
    # the run
    Failure("max_changed", failing_runs.guarded(max_changed=0.1), FAILED, "max_changed", BOTH),
    Failure("max_removed", failing_runs.guarded(max_removed=0.1), FAILED, "max_removed"),
    Failure("min_rows", failing_runs.guarded(min_rows=1_000), FAILED, "min_rows"),
    Failure("first_sync", failing_runs.first_sync_held, FAILED, "first_sync", BOTH),
    Failure("another run", failing_runs.running_already, SKIPPED, "held"),
    Failure("lease lost", failing_runs.lease_lost, FAILED, "lease", POSTGRES),
    Failure("database gone", failing_runs.database_gone, DONE, "57P01", POSTGRES),
    Failure("a bug", failing_runs.bug, RETRIED, "KeyError", BOTH),
    # the state
    Failure(
        "CHECK of the snapshot",
        failing_state.snapshot_refuses("ALTER TABLE <snapshot> ADD CHECK (notes <> 'none')"),
        RETRIED,
        "CheckViolation",
        POSTGRES,
    ),
    Failure(
        "NOT NULL of the snapshot",
        failing_state.snapshot_refuses("ALTER TABLE <snapshot> ALTER COLUMN name SET NOT NULL"),
        RETRIED,
        "NotNullViolation",
        POSTGRES,
    ),
    Failure(
        "NOT NULL of the snapshot in DuckDB",
        failing_state.snapshot_refuses("ALTER TABLE <snapshot> ALTER COLUMN name SET NOT NULL"),
        RETRIED,
        "ConstraintException",
    ),
    Failure(
        "UNIQUE of the snapshot",
        failing_state.snapshot_refuses(
            "UPDATE <snapshot> SET phone = user_id; CREATE UNIQUE INDEX once ON <snapshot> (phone)"
        ),
        RETRIED,
        "UniqueViolation",
        POSTGRES,
    ),
    Failure(
        "UNIQUE of the snapshot in DuckDB",
        failing_state.snapshot_refuses(
            "UPDATE <snapshot> SET phone = user_id; CREATE UNIQUE INDEX once ON <snapshot> (phone)"
        ),
        RETRIED,
        "ConstraintException",
    ),
    Failure(
        "CHECK of the rejections",
        failing_state.rejections_refuse,
        RETRIED,
        "CheckViolation",
        POSTGRES,
    ),
    Failure("no database", failing_state.no_database, RETRIED, "cannot connect", POSTGRES),
    Failure("wrong database", failing_state.wrong_database, RETRIED, "cannot connect", POSTGRES),
    Failure("no such setting", failing_state.no_such_setting, FAILED, "does not know", POSTGRES),
    Failure(
        "disk full",
        failing_state.disk_full,
        RETRIED,
        "make room",
        DUCKDB,
        in_airflow=False,
    ),
    Failure(
        "disk full on the server", failing_state.disk_full_in_postgres, RETRIED, "53100", POSTGRES
    ),
    Failure("no DuckDB file", failing_state.no_duckdb, FAILED, "cannot open"),
    # events
    Failure("events of strangers", failing_runs.events(), FAILED, "not_found", BOTH),
    Failure(
        "events whose answer is cut", failing_runs.events(kind="truncate"), FAILED, "breaks off"
    ),
    Failure(
        "events that are refused",
        failing_runs.events(
            kind="answer", status=400, body={"code": "BadJsonBody", "msg": EVERYTHING}
        ),
        FAILED,
        "BadJsonBody",
    ),
    Failure(
        "text as a number of an event",
        failing_runs.events("CAST(email AS integer) AS n"),
        FAILED,
        "Model",
    ),
    Failure(
        "e-mails as names of events that are not allowed",
        failing_runs.events_of_known_people(
            disallowed_event_names=[canaries.email(n) for n in (1, 2)]
        ),
        FAILED,
        "disallowed_event_name",
        BOTH,
    ),
    Failure(
        "events of the wrong type",
        failing_runs.events_of_the_wrong_type,
        DONE,
        "fields_rejected",
        BOTH,
    ),
]
