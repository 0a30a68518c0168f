"""From the model's columns to columns of state: names, roles, types, NULL policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError, ModelError
from iterable_sync.model import author_names, check_select, match_names
from iterable_sync.naming import declarations, with_image
from iterable_sync.rows import BESIDE, Column, NullPolicy, Role, StateType, WireType
from iterable_sync.sms_consent import with_consent
from iterable_sync.state.column_roles import TIMES, find_roles, time_names
from iterable_sync.state.dialects.base import SourceTime
from iterable_sync.state.field_types import completed, wire_of
from iterable_sync.state.lines import Lines, differing, understand_lines
from iterable_sync.state.zones import check_zone, known_zone
from iterable_sync.sync_object import PLAIN
from iterable_sync.values import can_become

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.spec import FieldSpec, SyncSpec
    from iterable_sync.state.derived import Derived
    from iterable_sync.state.dialects.base import Cast, Dialect, Source, SourceColumn
    from iterable_sync.sync_object import Shape

_FIELD_OF_ROLE = {
    Role.EMAIL: "email",
    Role.USER_ID: "userId",
    Role.CREATED_AT: "createdAt",
    Role.EVENT_NAME: "eventName",
    Role.CAMPAIGN_ID: "campaignId",
    Role.TEMPLATE_ID: "templateId",
    Role.AUDIENCE: "audience",
    Role.PURCHASED_AT: "createdAt",
    Role.TOTAL: "total",
    Role.ITEMS: "items",
    Role.GROUP: "group",
    Role.GROUP_ID: "groupId",
    Role.SUBSCRIBED: "subscribed",
    Role.EMAIL_LISTS: "emailListIds",
    Role.CHANNELS_LEFT: "unsubscribedChannelIds",
    Role.TYPES_LEFT: "unsubscribedMessageTypeIds",
    Role.TYPES_JOINED: "subscribedMessageTypeIds",
}
_WIRE_OF_ROLE = {
    Role.CREATED_AT: WireType.DATETIME,
    Role.PURCHASED_AT: WireType.DATETIME,
    Role.TOTAL: WireType.DOUBLE,
    Role.ITEMS: WireType.JSON,
    Role.CAMPAIGN_ID: WireType.LONG,
    Role.TEMPLATE_ID: WireType.LONG,
    Role.SUBSCRIBED: WireType.BOOLEAN,
    Role.EMAIL_LISTS: WireType.JSON,
    Role.CHANNELS_LEFT: WireType.JSON,
    Role.TYPES_LEFT: WireType.JSON,
    Role.TYPES_JOINED: WireType.JSON,
}
_WHAT_OF_WIRE = {
    WireType.DOUBLE: "a number",
    WireType.BOOLEAN: "a boolean",
    WireType.JSON: "a JSON list",
}
# Columns of the stage and of the tables that the diff makes; those that stay, model.py refuses.
OWN_COLUMNS = frozenset(
    {
        "_changed",
        "_differs",
        "_first",
        "_hash",
        "_known",
        "_newest",
        "_note",
        "_noted",
        "_of_model",
        "_reject",
        "_route",
        "_row",
        "_suspect",
        "_wide",
    }
)
# Who a row is about stays known where a model loses one of the two identifiers.
_NULL_OF_ROLE = {Role.EMAIL: NullPolicy.KEEP, Role.USER_ID: NullPolicy.KEEP}
_KIND_OF_ROLE = {
    Role.EVENT_NAME: "event name",
    Role.AUDIENCE: "audience",
    Role.GROUP: "group",
    Role.GROUP_ID: "group id",
}
_ARRAYS = frozenset(
    {Role.ITEMS, Role.EMAIL_LISTS, Role.CHANNELS_LEFT, Role.TYPES_LEFT, Role.TYPES_JOINED}
)
_ADDRESSES = frozenset({Role.EMAIL, Role.OLD, Role.NEW})
_NAMES = frozenset(
    {
        Role.EMAIL,
        Role.USER_ID,
        Role.OLD,
        Role.NEW,
        Role.EVENT_NAME,
        Role.AUDIENCE,
        Role.GROUP,
        Role.GROUP_ID,
    }
)
_NO_NAME = (WireType.DOUBLE, WireType.BOOLEAN, WireType.JSON, WireType.DATE, WireType.DATETIME)


@dataclass(frozen=True, slots=True)
class Model:
    """
    A model, understood.

    Args:
        sql: one SELECT, fit to stand in ``SELECT * FROM (<sql>) AS q``.

        columns: what is mapped, in the model's order; positions are not yet those of the sync.

        select: for each column the expression over ``q`` that brings it into the stage.

        duplicates: SQL for a person, which shows keys that come more than once.

        newest_by: the expression that orders rows of one identity, or None.

        newest_state: the type of that expression.

        time: where append-only rows have theirs.

        lines: what it returns, where that are lines, which are folded to the *columns*.

        derived: what it returns, where that are users, whose changes are worked out of it.
    """

    sql: str
    columns: tuple[Column, ...]
    select: tuple[str, ...]
    duplicates: str
    newest_by: str | None = None
    newest_state: StateType = StateType.TEXT
    time: SourceTime | None = None
    lines: Lines | None = None
    derived: Derived | None = None

    @property
    def read(self) -> tuple[Column, ...]:
        """The columns that the model returns, one for each expression."""
        if self.derived is not None:
            return self.derived.columns
        return self.columns if self.lines is None else self.lines.columns


def understand(spec: SyncSpec, source: Source, dialect: Dialect, shape: Shape = PLAIN) -> Model:
    """
    Check the model's SQL and give its columns their names, roles and types.

    Args:
        shape: of the sync object, some of whose columns are no data fields.

    Raises:
        ModelError: it is not one SELECT, or a column cannot be synced.

        ConfigError: the declaration names columns that the model does not have.
    """
    sql, described, names = _described(spec, source, dialect)
    spec = with_consent(with_image(spec, names), names)
    by_lower = {name.lower(): name for name in names}
    if taken := sorted(by_lower.keys() & (dialect.own_columns | OWN_COLUMNS)):
        raise ModelError(
            f"the state tables need the column name {by_lower[taken[0]]!r} themselves; write `AS` "
            "and another name"
        )
    wanted = {
        "key": spec.key,
        "exclude": spec.exclude,
        "fields": tuple(spec.fields),
        "newest_by": (spec.newest_by,) if spec.newest_by else (),
        "created_at": time_names(spec, shape) if TIMES & shape.required else (),
    }
    for argument, asked in wanted.items():
        if missing := [name for name in asked if name.lower() not in by_lower]:
            raise ConfigError(
                f"{argument} names columns that the model does not have: {', '.join(missing)}; "
                f"it has {', '.join(names)}"
            )
    zone = known_zone(spec.timezone)
    keys = {name.lower() for name in spec.key}
    excluded = {name.lower() for name in spec.exclude} - keys
    roles = find_roles(spec, by_lower, excluded, shape)
    declared = declarations(spec, (n for n in names if n.lower() not in excluded), roles)
    columns: list[Column] = []
    select: list[str] = []
    newest_by, newest_state = None, StateType.TEXT
    time = None
    for name, column in zip(names, described, strict=True):
        lower = name.lower()
        is_newest = spec.newest_by is not None and lower == spec.newest_by.lower()
        if lower in excluded and not is_newest:
            continue
        role = roles.get(lower, Role.FIELD)
        cast = source.cast(column.type)
        wire = declared[lower].type if lower in declared else None
        if wire is not None and role not in TIMES:
            cast = source.declared(cast, wire)
        cast = _typed(source, cast, role)
        check_zone(cast, name, column.type, zone)
        # The engine's own spelling addresses the column; the author's names the field.
        expression = source.expression(cast, column.name, zone)
        if role in TIMES:
            time = SourceTime(column.name, cast.naive)
        if is_newest:
            newest_by, newest_state = _orderable(source, cast, expression, name)
        if lower in excluded:
            continue
        columns.append(
            _column(spec, name, column.type, cast, role, declared.get(lower), is_key=lower in keys)
        )
        select.append(
            source.text(expression) if columns[-1].state is not cast.state else expression
        )
    order = {name.lower(): i for i, name in enumerate(spec.key)}
    pairs = sorted(
        zip(columns, select, strict=True),
        key=lambda pair: order.get(pair[0].name.lower(), len(order)),
    )
    shown = [(source.shown(e), source.quote(c.name)) for c, e in pairs if c.is_key]
    lines = understand_lines([c for c, _ in pairs], spec.line_key)
    columns = [c for c, _ in pairs] if lines is None else list(lines.folded)
    columns = completed(spec, columns)
    _check_shape(columns, shape)
    return Model(
        sql,
        tuple(columns),
        tuple(s for _, s in pairs),
        _duplicates(sql, shown) if lines is None else differing(sql, source, pairs),
        newest_by,
        newest_state,
        time,
        lines,
    )


def names_of(spec: SyncSpec, source: Source, dialect: Dialect) -> tuple[str, ...]:
    """Give the names of the model's columns; raises as :func:`understand`."""
    return tuple(_described(spec, source, dialect)[2])


def _described(
    spec: SyncSpec, source: Source, dialect: Dialect
) -> tuple[str, list[SourceColumn], list[str]]:
    """Give the SQL of the model, its columns as the warehouse has them, and their names."""
    sql = check_select(spec.sql, dialect=source.dialect).text
    described = source.columns(sql)
    names = match_names(
        author_names(sql, dialect=source.dialect),
        [c.name for c in described],
        max_identifier_bytes=min(source.max_identifier_bytes, dialect.max_identifier_bytes),
    )
    return sql, described, names


def _check_shape(columns: Sequence[Column], shape: Shape) -> None:
    """Check what the rows of a sync object may have, and which of it says what a row is."""
    for column in columns:
        if column.role is Role.AUDIENCE and not column.is_key:
            raise ConfigError(
                f"column {column.name!r} has the name of the audience and is not in the key: a "
                f"row is somebody's membership in it, so write e.g. key=('user_id', "
                f"{column.name!r})"
            )
        if column.role in BESIDE and not column.is_key:
            raise ConfigError(
                f"column {column.name!r} says which group a row is about and is not in the key; "
                "write e.g. key=('user_id', 'subscription_group', 'group_id')"
            )
    addresses = [c.name for c in columns if c.is_key and c.role in _ADDRESSES]
    if addresses and shape.is_final:
        raise ConfigError(
            f"key: {shape.name} are requests, each with a key of its own that stays in the state "
            f"when the person is long gone; {addresses[0]!r} is an identifier of a person, so give "
            "the model another key"
        )
    fields = [c.name for c in columns if c.role is Role.FIELD and not c.is_key]
    if fields and not shape.has_fields:
        raise ConfigError(
            f"{shape.name} have no data fields, and the model has {', '.join(fields)}; leave them "
            "out of the SQL, or name them in exclude="
        )


def _duplicates(sql: str, keys: Sequence[tuple[str, str]]) -> str:
    """Give the SQL that shows keys which come more than once, compared as the stage does."""
    named = ", ".join(f"{expression} AS {name}" for expression, name in keys)
    grouped = ", ".join(expression for expression, _ in keys)
    return (
        f"SELECT {named}, count(*) AS copies FROM (\n{sql}\n) AS q\n"
        f"GROUP BY {grouped} HAVING count(*) > 1"
    )


def _typed(source: Source, cast: Cast, role: Role) -> Cast:
    """Say what a column of a role holds where the source has no types, and no values to tell."""
    wire = _WIRE_OF_ROLE.get(role)
    if wire is None or cast.wire is not WireType.STRING:
        return cast
    declared = source.declared(cast, wire)
    return cast if declared == cast else replace(declared, wire=wire)


def _orderable(source: Source, cast: Cast, expression: str, name: str) -> tuple[str, StateType]:
    if cast.wire in (WireType.JSON, WireType.BOOLEAN):
        raise ConfigError(f"newest_by: column {name!r} has no order of time or number")
    if cast.state is StateType.BIGINT:
        return expression, StateType.BIGINT
    if cast.wire in (WireType.LONG, WireType.DOUBLE):
        return source.double(expression), StateType.DOUBLE
    return expression, StateType.TEXT


def _column(
    spec: SyncSpec,
    name: str,
    type_name: str,
    cast: Cast,
    role: Role,
    declared: FieldSpec | None,
    *,
    is_key: bool,
) -> Column:
    state, wire = cast.state, cast.wire
    field = _FIELD_OF_ROLE.get(role) or (declared.name if declared else None) or name
    if is_key and (state is StateType.DOUBLE or wire is WireType.JSON):
        raise ConfigError(
            f"key column {name!r} is a {type_name}, which is not compared exactly; "
            "cast it to text or an integer in the SQL"
        )
    if declared and declared.type and role in (Role.CAMPAIGN_ID, Role.TEMPLATE_ID):
        wire = declared.type
    if role in _NAMES:
        if wire in _NO_NAME:
            kind = _KIND_OF_ROLE.get(role, "identity")
            raise ModelError(f"{kind} column {name!r} is a {type_name}; cast it to text in the SQL")
        state, wire = StateType.TEXT, WireType.STRING
    elif role in TIMES:
        # The warehouse is asked for what is newer than a time: a text is not in its order.
        if wire is not WireType.DATETIME:
            raise ModelError(
                f"created_at column {name!r} is a {type_name}, and has to be a time; cast it to a "
                "timestamp in the SQL"
            )
    elif role in (Role.CAMPAIGN_ID, Role.TEMPLATE_ID):
        if wire is not WireType.LONG or not can_become(state, wire):
            raise ModelError(
                f"column {name!r} is a {type_name}, and Iterable's {_FIELD_OF_ROLE[role]} is an "
                "integer; cast it to bigint in the SQL, or give the column another name"
            )
    elif role in _ARRAYS or role in (Role.TOTAL, Role.SUBSCRIBED):
        # Text from a warehouse without types of its own is read when the row is mapped.
        wire = _WIRE_OF_ROLE[role]
        if not can_become(state, wire):
            what = _WHAT_OF_WIRE[wire]
            raise ModelError(
                f"column {name!r} is a {type_name}, and Iterable's {_FIELD_OF_ROLE[role]} is "
                f"{what}; cast it in the SQL, or give the column another name"
            )
    else:
        wire = wire_of(name, field, type_name, cast, declared.type if declared else None)
    null = (declared.null if declared else None) or spec.null
    return Column(
        name=name,
        field=field,
        state=state,
        wire=wire,
        position=-1,
        scale=cast.scale if state is StateType.DECIMAL else 0,
        null=_NULL_OF_ROLE.get(role, NullPolicy.CLEAR) if role is not Role.FIELD else null,
        role=role,
        is_key=is_key,
        region=spec.phone_region if wire is WireType.PHONE else None,
    )
