"""Which of the model's columns has which part in a row: identity, name, time, lists, lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError, ModelError
from iterable_sync.rows import Role
from iterable_sync.state.lines import line_roles

if TYPE_CHECKING:
    from collections.abc import Set

    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import Shape

TIMES = frozenset({Role.CREATED_AT, Role.PURCHASED_AT})
"""The roles of the column that says when a row happened."""


def find_roles(
    spec: SyncSpec, by_lower: dict[str, str], excluded: set[str], shape: Shape
) -> dict[str, Role]:
    """
    Give the columns that are no data fields.

    Args:
        by_lower: name in lower case -> name of a column of the model.

        excluded: names in lower case that are not synced.

    Returns:
        name in lower case -> role.

    Raises:
        ModelError, ConfigError: a column is missing, or two say the same.
    """
    roles = {}
    if shape.of_people:
        roles = _identifiers(spec, by_lower, shape)
    else:
        _check_items(spec, by_lower.keys() - excluded)
    of_lines = line_roles(spec, by_lower, excluded, shape)
    of_object = _object_roles(spec, by_lower, excluded, shape, has_lines=bool(of_lines))
    return roles | of_lines | of_object


def _check_items(spec: SyncSpec, names: Set[str]) -> None:
    """Check the columns of rows that are items: one is the key, and no name has a period."""
    if len(spec.key) != 1:
        raise ConfigError(
            f"{spec.object}: an item has one key, and {', '.join(spec.key)} are {len(spec.key)}; "
            "join them in the SQL, e.g. shop || '-' || sku AS item"
        )
    if named := [of.name for of in spec.fields.values() if of.name and "." in of.name]:
        raise ConfigError(
            f"fields names {named[0]!r}, and Iterable takes no period in a field of a catalog; "
            f"write {named[0].replace('.', '__')!r} for a part of an object, or another name"
        )
    if not names - {name.lower() for name in spec.key}:
        raise ConfigError(f"{spec.object}: the model has no column beside the key")


def time_names(spec: SyncSpec, shape: Shape) -> tuple[str, ...]:
    """Give the name of the column that says when a row happened."""
    known = next((names for role, names in shape.roles.items() if role in TIMES), ())
    return known if known and "created_at" not in spec.model_fields_set else (spec.created_at,)


def _identifiers(spec: SyncSpec, by_lower: dict[str, str], shape: Shape) -> dict[str, Role]:
    roles = {}
    if spec.email.lower() in by_lower:
        roles[spec.email.lower()] = Role.EMAIL
    candidates = (spec.user_id,) if spec.user_id else ("user_id", "userId")
    for name in candidates:
        if name.lower() in by_lower:
            roles[name.lower()] = Role.USER_ID
            break
    else:
        if spec.user_id:
            raise ConfigError(
                f"user_id names a column that the model does not have: {spec.user_id}"
            )
    if not roles and Role.OLD not in shape.roles:
        raise ModelError(
            f"the model has no identity: neither a column {spec.email!r} nor "
            f"{' or '.join(repr(c) for c in candidates)}; name them with email= and user_id="
        )
    return roles


def _object_roles(
    spec: SyncSpec, by_lower: dict[str, str], excluded: set[str], shape: Shape, *, has_lines: bool
) -> dict[str, Role]:
    """Give the columns that are a part of the row beside its identity and its data fields."""
    roles: dict[str, Role] = {}
    named_by_spec = dict.fromkeys(TIMES, time_names(spec, shape)) | {
        Role.AUDIENCE: (spec.audience,)
    }
    for role, known in shape.roles.items():
        candidates = named_by_spec.get(role, known)
        for name in candidates:
            if name.lower() in by_lower and name.lower() not in excluded:
                roles[name.lower()] = role
                break
        else:
            if role in shape.required and not (role is Role.ITEMS and has_lines):
                if left_out := sorted(excluded & {name.lower() for name in candidates}):
                    raise ConfigError(f"exclude: {shape.name} need the column {left_out[0]!r}")
                raise ConfigError(
                    f"{shape.name} need a column {' or '.join(map(repr, candidates))}, which the "
                    "model does not have"
                )
    if shape.one_of and not shape.one_of.intersection(roles.values()):
        wanted = [names[0] for role, names in shape.roles.items() if role in shape.one_of]
        raise ConfigError(f"{shape.name} need one of the columns {', '.join(wanted)} at least")
    if Role.EVENT_NAME in shape.roles:
        _check_event_name(spec, by_lower, roles)
    if shape.needs_lists:
        _check_list(spec, by_lower, roles)
    return roles


def _check_event_name(spec: SyncSpec, by_lower: dict[str, str], roles: dict[str, Role]) -> None:
    named = [by_lower[name] for name, role in roles.items() if role is Role.EVENT_NAME]
    if named and spec.event_name is not None:
        raise ConfigError(
            f"event_name={spec.event_name!r} is given, and the model has a column {named[0]!r}; "
            "leave one of them out"
        )
    if not named and spec.event_name is None:
        raise ModelError(
            "the events have no name: the model has no column 'event_name' or 'eventName'; give it "
            "one, or a name for all rows with event_name="
        )


def _check_list(spec: SyncSpec, by_lower: dict[str, str], roles: dict[str, Role]) -> None:
    named = {f"a column {by_lower[name]!r}": True for name in roles if roles[name] is Role.AUDIENCE}
    named |= {"list_name": spec.list_name is not None, "list_id": spec.list_id is not None}
    given = [what for what, is_given in named.items() if is_given]
    if len(given) != 1:
        raise ConfigError(
            "which list the rows go into is said by list_name, by list_id or by a column "
            f"{spec.audience!r}, and by one of them; here it is {' and '.join(given) or 'none'}"
        )
