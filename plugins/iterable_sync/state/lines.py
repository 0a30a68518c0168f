"""
The lines of orders and carts, folded to one JSON list for each, before anything is compared.

A model may return a row for each line. The columns that are nested under ``items`` (``items__id``,
``items__price``) are the line's, all others those of the whole: they are the same in all of its
lines. What is folded is a column ``items`` like one that a model may deliver itself. A row whose
line columns are all NULL, as a LEFT JOIN makes it, is an order or a cart without lines.

It is done in SQL of the state engine, over the values as the stage has them: a copied model gives
what one gives that is staged in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from iterable_sync.errors import ConfigError, ModelError
from iterable_sync.names import dotted
from iterable_sync.rows import Column, NullPolicy, Role, StateType, WireType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Dialect, Source
    from iterable_sync.sync_object import Shape

ITEMS = "items"
_PREFIX = f"{ITEMS}."
_EXTRAS = "dataFields."
_IDS = ("id", "product_id")
# What a value, @, of a type has to be, and how it is written then.
_FORMS = {
    WireType.BOOLEAN: (("lower(@) IN ('true', 'false')", "lower(@)"),),
    WireType.LONG: (
        ("@ ~ '^-?[0-9]+$'", "@"),
        ("@ ~ '^-?[0-9]+[.]0+$'", "rtrim(rtrim(@, '0'), '.')"),
    ),
    # Without a fraction it would be a long to Iterable.
    WireType.DOUBLE: (
        ("@ ~ '^-?[0-9]+$'", "@ || '.0'"),
        ("@ ~ '^-?[0-9]+[.]0+$'", "rtrim(@, '0') || '0'"),
        ("@ ~ '^-?[0-9]+[.][0-9]+$'", "rtrim(@, '0')"),
        ("@ ~ '^-?[0-9]+([.][0-9]+)?[eE][-+]?[0-9]+$'", "@"),
    ),
    WireType.DATE: (("@ ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'", """'"' || @ || '"'"""),),
    # Iterable reads no fraction of a second after a blank.
    WireType.DATETIME: (
        (
            "@ ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?[+]00:00$'",
            """'"' || substr(@, 1, 19) || ' +00:00"'""",
        ),
    ),
}
# Of a value that has no form of its type: no JSON, so that the row is rejected.
_REFUSED = "'NaN'"


@dataclass(frozen=True, slots=True)
class Lines:
    """
    What a model of lines returns.

    Args:
        columns: all of its columns, in their order; those of the lines have the role *line*.

        order_by: names of the columns by which lines are ordered, the first the most.
    """

    columns: tuple[Column, ...]
    order_by: tuple[str, ...]

    @property
    def of_line(self) -> tuple[Column, ...]:
        """The columns that make an item; one that only orders lines makes none."""
        return tuple(c for c in self.columns if c.role is Role.LINE and _is_sent(c))

    @property
    def of_whole(self) -> tuple[Column, ...]:
        """The columns that are the same in all lines."""
        return tuple(c for c in self.columns if c.role is not Role.LINE)

    @property
    def folded(self) -> tuple[Column, ...]:
        """The columns that are left once the lines are folded."""
        items = Column(
            ITEMS,
            ITEMS,
            StateType.TEXT,
            WireType.JSON,
            position=-1,
            null=NullPolicy.CLEAR,
            role=Role.ITEMS,
        )
        return (*self.of_whole, items)


def line_roles(
    spec: SyncSpec, by_lower: Mapping[str, str], excluded: set[str], shape: Shape
) -> dict[str, Role]:
    """
    Give the columns, by their names in lower case, that belong to a line.

    Raises:
        ConfigError: it is not clear what the items are, or how lines are ordered.
    """
    if Role.ITEMS not in shape.roles:
        return {}
    renamed = {name.lower(): of.name for name, of in spec.fields.items() if of.name}
    roles = {
        lower: Role.LINE
        for lower, name in by_lower.items()
        if lower not in excluded and dotted(renamed.get(lower, name)).startswith(_PREFIX)
    }
    if roles and ITEMS in by_lower.keys() - excluded:
        raise ConfigError(
            f"the model has a column {by_lower[ITEMS]!r} and columns nested under it; leave one "
            "of the two out"
        )
    ordering = [name.lower() for name in spec.line_key]
    if missing := [
        name for name in spec.line_key if name.lower() not in by_lower.keys() - excluded
    ]:
        raise ConfigError(
            f"line_key names columns that the model does not have: {', '.join(missing)}"
        )
    if ordering and not roles:
        raise ConfigError(
            "line_key orders lines, and the model has none: no column is nested under items, as "
            "items__id is"
        )
    if both := sorted(roles.keys() & {name.lower() for name in spec.key}):
        raise ConfigError(f"key column {by_lower[both[0]]!r} belongs to a line; rename it")
    return roles | {name: Role.LINE for name in ordering if name not in _names(spec.key)}


def understand_lines(columns: Sequence[Column], line_key: Sequence[str]) -> Lines | None:
    """
    Give the lines of a model; None where a row is an order or a cart.

    Raises:
        ModelError: two columns are one member of an item, or one is nested too deep.
    """
    if not any(column.role is Role.LINE for column in columns):
        return None
    members: dict[str, str] = {}
    for column in columns:
        if column.role is not Role.LINE or not _is_sent(column):
            continue
        name = _member(column)
        if "." in name:
            raise ModelError(
                f"column {column.name!r} is nested twice within items; give what is in it as one "
                "JSON column"
            )
        if (other := members.setdefault(name, column.name)) != column.name:
            raise ModelError(
                f"columns {other!r} and {column.name!r} are the same member {name!r} of an item"
            )
    wanted = _names(line_key)
    chosen = [column.name for want in wanted for column in columns if column.name.lower() == want]
    return Lines(
        tuple(columns), tuple(chosen or [members[name] for name in _IDS if name in members])
    )


def fold(dialect: Dialect, rows: str, lines: Lines, *, has_newest: bool, has_note: bool) -> str:
    """
    Give the rows of a model with their lines folded, as a table of the FROM clause.

    Lines that differ in a column of the whole stay apart, so that their key comes more than once.

    Args:
        rows: the model's rows, as a table of the FROM clause, with the columns of the stage.

        has_newest, has_note: whether they have the columns ``_newest`` and ``_note``.
    """
    quote = dialect.quote
    whole = [f"f.{quote(c.name)}" for c in lines.of_whole] + ["f._newest"] * has_newest
    order = ", ".join(
        [
            *(
                _ordered(dialect, c)
                for name in lines.order_by
                for c in lines.columns
                if c.name == name
            ),
            'f._line COLLATE "C"',
        ]
    )
    members = " || ".join(_written(dialect, column) for column in lines.of_line)
    note = ", max(f._note) AS _note" if has_note else ""
    return (
        f"(SELECT {', '.join(whole)}, "
        f"COALESCE('[' || string_agg(f._line, ',' ORDER BY {order}) || ']', '[]') "
        f"AS {quote(ITEMS)}{note} FROM (SELECT b.*, "
        f"'{{' || substr(NULLIF({members}, ''), 2) || '}}' AS _line FROM {rows} AS b) AS f "
        f"GROUP BY {', '.join(whole)})"
    )


def differing(sql: str, source: Source, pairs: Sequence[tuple[Column, str]]) -> str:
    """Give the SQL that shows keys whose lines differ in what is the same in all of them."""
    whole = [(c, e) for c, e in pairs if c.role is not Role.LINE]
    named = ", ".join(f"{source.shown(e)} AS {source.quote(c.name)}" for c, e in whole)
    grouped = ", ".join(source.quote(c.name) for c, _ in whole if c.is_key)
    return (
        "-- a row is a line here; its columns outside of items are the same in all lines of a key\n"
        f"SELECT {grouped}, count(*) AS versions FROM (\n"
        f"SELECT DISTINCT {named} FROM (\n{sql}\n) AS q\n) AS d\n"
        f"GROUP BY {grouped} HAVING count(*) > 1"
    )


def _names(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]


def _is_sent(column: Column) -> bool:
    return dotted(column.field).startswith(_PREFIX)


def _member(column: Column) -> str:
    # What is extra goes there by itself.
    return dotted(column.field).removeprefix(_PREFIX).removeprefix(_EXTRAS)


def _ordered(dialect: Dialect, column: Column) -> str:
    collated = ' COLLATE "C"' if column.state is StateType.TEXT else ""
    return f"f.{dialect.quote(column.name)}{collated} NULLS LAST"


def _written(dialect: Dialect, column: Column) -> str:
    """Give a member with a comma before it; nothing where it is NULL."""
    name = dialect.literal(f",{orjson.dumps(_member(column)).decode()}:")
    return f"COALESCE({name} || {_json(f'b.{dialect.quote(column.name)}', column)}, '')"


def _json(value: str, column: Column) -> str:
    """Give a value as JSON, by the type that it is to have."""
    text = f"CAST({value} AS text)"
    if column.wire is WireType.JSON:
        return text
    if (forms := _FORMS.get(column.wire)) is None:
        return f"CAST(to_json({text}) AS text)"
    cases = " ".join(f"WHEN {condition} THEN {form}" for condition, form in forms)
    return f"CASE {cases} WHEN @ IS NOT NULL THEN {_REFUSED} END".replace("@", text)
