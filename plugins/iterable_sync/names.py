"""
Names of Iterable fields: how they nest, which may not be written, and rows built from them.

A dot or ``__`` nests: ``address.city`` and ``address__city`` are both the ``city`` of ``address``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import orjson

from iterable_sync.errors import ConfigError
from iterable_sync.rows import Role

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    import pyarrow as pa

    from iterable_sync.rows import Column

Tree: TypeAlias = "dict[str, int | Tree]"

# Source: Swagger, 1,000 unique fields of users per project, parts of objects among them, and soft:
# support can raise it; documented.
MOST_FIELDS = 1_000
_MANY_FIELDS = 900

_SUBSCRIPTIONS = "a sync of lists or subscriptions sets it without overwriting the others"
_OWN = "Iterable sets it itself; exclude the column, or give the field another name"

# Source: https://support.iterable.com/hc/en-us/articles/217744303, documented. The list there also
# has signupDate, which a recorded update did write, and phoneNumber, timeZone, ip, city, region and
# country, which are the usual fields for what they say: all of these may be written.
MANAGED = {
    "itblUserId": _OWN,
    "itblInternal": _OWN,
    "itblDS": _OWN,
    "profileUpdatedAt": _OWN,
    "signupSource": _OWN,
    "devices": _OWN,
    "browserTokens": _OWN,
    "receivedSMSDisclaimer": _OWN,
    "shoppingCartItems": "a sync of carts sets it",
    "emailListIds": _SUBSCRIPTIONS,
    "userListIds": _SUBSCRIPTIONS,
    "subscribedMessageTypeIds": _SUBSCRIPTIONS,
    "unsubscribedChannelIds": _SUBSCRIPTIONS,
    "unsubscribedMessageTypeIds": _SUBSCRIPTIONS,
    "email": "it identifies people; name its column with `email=`",
    "userId": "it identifies people; name its column with `user_id=`",
}


def split_name(field: str) -> tuple[str, ...]:
    """
    Give the path of a field, e.g. ``('address', 'city')``.

    Raises:
        ConfigError: a part of the name is empty.
    """
    path = tuple(field.replace("__", ".").split("."))
    if not all(path):
        raise ConfigError(
            f"field {field!r} has an empty part: a dot or '__' nests; rename the column in the SQL"
        )
    return path


def dotted(field: str) -> str:
    """Give the name under which ``users/getFields`` lists a field, e.g. ``address.city``."""
    return ".".join(split_name(field))


def is_location(field: str) -> bool:
    """Tell whether a field, dotted, is a place: by its name, as Iterable does."""
    return field.endswith("_geo_location")


def half_of(field: str) -> tuple[str, str] | None:
    """Give the place, dotted, of which a field is the ``lat`` or the ``lon``, and which it is."""
    whole, _, part = dotted(field).rpartition(".")
    return (whole, part) if is_location(whole) else None


def sent_fields(columns: Iterable[Column]) -> dict[str, str]:
    """Give the data fields as they are sent, dotted, and a column of each; a place is one field."""
    fields: dict[str, str] = {}
    for column in columns:
        if column.role is Role.FIELD:
            half = half_of(column.field)
            fields.setdefault(half[0] if half else dotted(column.field), column.name)
    return fields


def field_limit_notes(fields: int) -> list[str]:
    """Give a note where the fields of a project, with new ones, come near to their limit."""
    if fields < _MANY_FIELDS:
        return []
    return [
        f"the project has {fields} fields, with new ones, of {MOST_FIELDS} that Iterable allows; "
        "beyond, it creates none (field_not_created), or refuses the row (field_limit): leave "
        "columns out, or ask Iterable's support for more"
    ]


def shown(fields: Iterable[str], mapped: Container[str]) -> list[str]:
    """
    Give names of fields as they may be shown; what lies inside of a mapped field is a star.

    Keys of a JSON value are data, and may be people's addresses.

    Args:
        fields: dotted names.

        mapped: dotted names of the fields of columns.
    """
    return sorted({_shown(field, mapped) for field in fields})


def _shown(field: str, mapped: Container[str]) -> str:
    if field in mapped:
        return field
    parts = field.split(".")
    parents = (".".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))
    return next((f"{parent}.*" for parent in parents if parent in mapped), "*")


def check(
    columns: Iterable[Column], *, merge_nested_objects: bool, is_profile: bool = True
) -> None:
    """
    Check that the fields of a sync can live side by side in one object, and may be written.

    Args:
        is_profile: the fields are those of a user, some of which Iterable manages, and may be
            sent one without the other.

    Raises:
        ConfigError: two columns want one field, or one wants a field and another a part of it; a
            field is managed by Iterable; or sending one of them alone would erase its neighbours.

    Source:
        https://support.iterable.com/hc/en-us/articles/360035402611: ``mergeNestedObjects`` merges
        one level and replaces what lies deeper, documented.
    """
    seen: dict[str, Column] = {}
    replaced: dict[tuple[str, ...], str] = {}
    halves: dict[str, list[str]] = {}
    for column in columns:
        if column.role is not Role.FIELD:
            continue
        path = split_name(column.field)
        if is_profile and (why := MANAGED.get(path[0])) is not None:
            raise ConfigError(f"field {column.field!r} cannot be written: {why}")
        # Iterable tells `City` from `city`, and whoever maps both has made a mistake.
        name = ".".join(path).lower()
        if (other := seen.get(name)) is not None:
            raise ConfigError(
                f"fields {other.field!r} and {column.field!r} are the same field, of the columns "
                f"{other.name!r} and {column.name!r}; declare another name for one of them"
            )
        seen[name] = column
        sent = column.field
        if (half := half_of(sent)) is not None:
            # Sent together always.
            sent, path = half[0], path[:-1]
            halves.setdefault(half[0], []).append(half[1])
        whole = path[: 2 if merge_nested_objects else 1]
        is_replaced = is_profile and len(path) > len(whole)
        if is_replaced and replaced.setdefault(whole, sent) != sent:
            raise ConfigError(
                f"fields {replaced[whole]!r} and {sent!r} cannot be sent apart: Iterable "
                f"replaces {'.'.join(whole)!r} as a whole; give it as one JSON column instead"
            )
    for name, column in seen.items():
        parts = name.split(".")
        for depth in range(1, len(parts)):
            if (parent := seen.get(".".join(parts[:depth]))) is not None:
                raise ConfigError(
                    f"field {parent.field!r} is mapped, and {column.field!r} as a part of it"
                )
    _check_places(halves)


def _check_places(halves: dict[str, list[str]]) -> None:
    for place, parts in halves.items():
        if sorted(parts) != ["lat", "lon"]:
            raise ConfigError(
                f"field {place!r} is a place, and has exactly the parts 'lat' and 'lon'; the model "
                f"gives {', '.join(sorted(parts))}; give both, or one JSON column"
            )


@dataclass(frozen=True, slots=True)
class Written:
    """
    JSON objects, one per row, not yet joined.

    Args:
        pieces: what makes them, side by side; a null counts as nothing.

        is_empty: which of them have no member; None if each has one.
    """

    pieces: list[str | pa.Array]
    is_empty: pa.Array | None = None


class Template:
    """
    JSON objects, one per row, out of columns of JSON texts.

    Args:
        fields: names, nested by dots or ``__``; none is a part of another.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self._tree: Tree = {}
        for index, field in enumerate(fields):
            *parents, leaf = split_name(field)
            node = self._tree
            for parent in parents:
                child = node.setdefault(parent, {})
                if isinstance(child, int):
                    raise ConfigError(f"field {fields[child]!r} is mapped, and {field!r} in it")
                node = child
            if leaf in node:
                raise ConfigError(f"field {field!r} is mapped twice, or another is a part of it")
            node[leaf] = index

    def write(self, columns: Sequence[pa.Array], strings: Container[int] = ()) -> Written:
        """
        Write the objects.

        Args:
            columns: JSON texts (``large_string``), one column per field; null: no such member.

            strings: places of the columns whose texts lack the quotes around them.
        """
        return _write(self._tree, columns, strings)


def _write(tree: Tree, columns: Sequence[pa.Array], strings: Container[int]) -> Written:
    import pyarrow as pa
    import pyarrow.compute as pc

    always: list[str | pa.Array] = []
    sometimes: list[pa.Array] = []
    for name, node in tree.items():
        member = orjson.dumps(name).decode() + ":"
        if isinstance(node, int):
            quote = '"' if node in strings else ""
            value = [quote, columns[node], quote]
            is_sure = not columns[node].null_count
        else:
            inner = _write(node, columns, strings)
            value = inner.pieces
            is_sure = inner.is_empty is None
            if inner.is_empty is not None:
                texts = join(*inner.pieces, null="")
                value = [pc.if_else(inner.is_empty, pa.scalar(None, texts.type), texts)]
        if is_sure:
            # A member that every row has can stand first, where no comma goes.
            always += ["," if always else "{", member, *value]
        else:
            sometimes.append(join(",", member, *value))
    if always:
        return Written([*always, *sometimes, "}"])
    members = join(*sometimes, null="")
    is_empty = pc.equal(members, "")
    return Written(["{", pc.utf8_slice_codeunits(members, 1), "}"], is_empty)


def join(*pieces: str | pa.Array, null: str | None = None) -> pa.Array:
    """Concatenate texts row by row; a null piece makes the row null, or counts as *null*."""
    import pyarrow as pa
    import pyarrow.compute as pc

    large = pa.large_string()
    # Each piece is a copy per row, so what is the same for all rows is one.
    merged: list[str | pa.Array] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    texts = [pa.scalar(piece, large) if isinstance(piece, str) else piece for piece in merged]
    handling = {"null_handling": "emit_null"} if null is None else {"null_replacement": null}
    if null is not None:
        handling["null_handling"] = "replace"
    return pc.binary_join_element_wise(*texts, pa.scalar("", large), **handling)
