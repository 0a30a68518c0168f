"""A worker that freezes within a transaction."""

from __future__ import annotations

import pytest

from iterable_sync.errors import StateLost
from iterable_sync.state import PostgresState


@pytest.mark.failure("P4")
def test_the_locks_of_a_frozen_worker_end_without_it(postgres_db: str) -> None:
    """Otherwise nobody could take its lease over as long as it stays frozen."""
    frozen, taker = PostgresState(postgres_db), PostgresState(postgres_db)
    frozen.idle_in_transaction_s = 0.2
    with taker.session() as session:
        session.execute("CREATE TABLE leases (scope text, token bigint)")
        session.execute("INSERT INTO leases VALUES ('sync', 1)")

    with pytest.raises(StateLost):
        _freeze(frozen, taker)
    taker.close()


def _freeze(frozen: PostgresState, taker: PostgresState) -> None:
    with frozen.session() as session, session.transaction():
        session.rows("SELECT 1 FROM leases FOR SHARE")
        with taker.session() as other:
            # Where the lock stayed, this would fail and not hang.
            other.execute("SET lock_timeout = '20s'")
            assert 1 == other.execute("UPDATE leases SET token = 2")
        session.rows("SELECT 1")
