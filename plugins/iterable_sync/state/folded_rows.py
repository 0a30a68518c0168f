"""What the snapshot says of a row once its outcome is known: an expression for each column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Op
from iterable_sync.state import append_only

if TYPE_CHECKING:
    from iterable_sync.rows import Column
    from iterable_sync.state.dialects.base import StateEngine
    from iterable_sync.state.registry import Registered


class FoldedRows:
    """
    The columns of the snapshot, and what becomes of them; SQL over the plan ``p`` and the old row
    ``t``, which may be absent.

    Args:
        run: id of the run, quoted.
    """

    def __init__(self, engine: StateEngine, registered: Registered, run: str) -> None:
        self._engine = engine
        self._registered = registered
        self._run = run

    def sent(self, refused: set[str]) -> dict[str, str]:
        """
        Give the same of an accepted row.

        Args:
            refused: columns of which some row of the run lost its value.
        """
        if self._registered.is_append_only:
            return append_only.accepted(self._engine, self._registered, self._run)
        new = {}
        bits = ["'0'"] * self._registered.width
        for column in self._registered.columns:
            name, place = self._q(column), column.position + 1
            is_sent = f"substr(p._mask, {place}, 1) = '1'"
            is_refused = self._is_refused(column) if column.name in refused else "FALSE"
            acknowledged = f"{is_sent} AND NOT {is_refused}" if is_refused != "FALSE" else is_sent
            new[name] = (
                f"p.{name}"
                if column.is_key
                else f"CASE WHEN {acknowledged} THEN p.{name} ELSE t.{name} END"
            )
            version = self._registered.version_of(column)
            # A field that was left out, and that an older mapping left to be sent, still is.
            still = (
                f"t._dirty = '*' OR substr(t._dirty, {place}, 1) = '1' OR t._mapping < {version}"
            )
            bits[column.position] = (
                f"CASE WHEN {is_refused} THEN '1' WHEN {is_sent} THEN '0' "
                f"WHEN {still} THEN '1' ELSE '0' END"
            )
        clean = "0" * self._registered.width
        dirty = f"NULLIF({' || '.join(bits)}, '{clean}')"
        if not refused:
            newest = max(self._registered.version_of(c) for c in self._registered.columns)
            dirty = f"CASE WHEN t._dirty IS NOT NULL OR t._mapping < {newest} THEN {dirty} END"
        return {
            **new,
            "_identity": "p._identity",
            "_status": "'live'",
            "_dirty": dirty,
            "_mapping": str(self._registered.mapping_version),
            "_episode": "p._episode",
            "_origin": "'sent'",
            "_accepted_at": "now()",
            "_run": self._run,
        }

    def gone(self) -> dict[str, str]:
        """Give the same of a key that was removed."""
        values = {
            self._q(c): f"p.{self._q(c)}"
            if c.is_key
            else f"CAST(NULL AS {self._engine.dialect.type_name(c)})"
            for c in self._registered.columns
        }
        return {
            **values,
            "_identity": "p._identity",
            "_status": "'gone'",
            "_dirty": "NULL",
            "_mapping": str(self._registered.mapping_version),
            "_episode": "p._episode",
            "_origin": "t._origin",
            "_accepted_at": "now()",
            "_run": self._run,
        }

    def doubted(self) -> dict[str, str]:
        """Give the same of a row that Iterable may or may not have."""
        if self._registered.is_append_only:
            return append_only.doubted(self._engine, self._registered, self._run)
        bits = ["'0'"] * self._registered.width
        # A plan may be older than the mapping: a column that was dropped since is in no doubt.
        for i in (column.position for column in self._registered.columns):
            bits[i] = (
                f"CASE WHEN substr(p._mask, {i + 1}, 1) = '1' "
                f"OR substr(COALESCE(t._dirty, ''), {i + 1}, 1) = '1' THEN '1' ELSE '0' END"
            )
        some = f"NULLIF({' || '.join(bits)}, '{'0' * self._registered.width}')"
        # What is unknown as a whole: a key that Iterable may or may not have, or may have lost.
        whole = (
            f"t._dirty = '*' OR t._status IS NULL OR t._status = 'gone' OR p._op <> '{Op.CHANGED}'"
        )
        values = {
            self._q(c): f"p.{self._q(c)}" if c.is_key else f"t.{self._q(c)}"
            for c in self._registered.columns
        }
        return {
            **values,
            # Of a key that returned Iterable may have got the new person and holds no other.
            "_identity": "CASE WHEN t._status IN ('live', 'leaving') "
            "THEN COALESCE(t._identity, p._identity) ELSE p._identity END",
            "_status": self._status_in_doubt(),
            "_dirty": f"CASE WHEN {whole} THEN '*' ELSE {some} END",
            "_mapping": "COALESCE(t._mapping, 0)",
            "_episode": "GREATEST(p._episode, t._episode)",
            "_origin": "COALESCE(t._origin, 'sent')",
            "_accepted_at": "t._accepted_at",
            "_run": self._run,
        }

    def _status_in_doubt(self) -> str:
        """
        Give the status of a row in doubt: live, or on its way out.

        Of a row that is no person each episode has a beginning and an end, which may be things of
        their own in Iterable. Where the end is in doubt, a return is the next episode.
        """
        if not self._registered.shape.shares_identity:
            return "'live'"
        return (
            f"CASE WHEN p._op = '{Op.REMOVED}' AND COALESCE(t._episode, 0) <= p._episode "
            "OR t._status = 'leaving' AND t._episode >= p._episode THEN 'leaving' ELSE 'live' END"
        )

    def _is_refused(self, column: Column) -> str:
        return (
            f"p._seq IN (SELECT e.seq FROM {self._engine.table('batch_exceptions')} e "
            f"WHERE e.run_id = {self._run} "
            f"AND e.field = {self._engine.dialect.literal(column.name)})"
        )

    def _q(self, column: Column) -> str:
        return self._engine.dialect.quote(column.name)
