"""Catalogs: named tables of items, and what is known of their fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from .kinds import Kind, normal_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Documented: unique fields of a catalog.
MAX_FIELDS = 350
# Assumed, as for profiles: deeper objects are refused, so that no body exhausts the stack.
MAX_DEPTH = 20


class CatalogProblem(Exception):
    """Something a catalog does not take; *reason* is a short name, *names* are what it is about."""

    def __init__(self, reason: str, *names: str) -> None:
        super().__init__(reason, *names)
        self.reason = reason
        self.names = names


@dataclass(slots=True)
class Item:
    """
    One item of a catalog.

    Args:
        value: its fields, or ``None`` where values are discarded.

        size: bytes of its value as JSON.

        modified_ms: Unix time of its last write.
    """

    value: dict[str, Any] | None
    size: int
    modified_ms: int

    def as_json(self, catalog: str, item_id: str) -> dict[str, Any]:
        """
        Return it as the API shows it.

        Source:
            Swagger ``CatalogItemWithProperties``, documented; ``lastModified`` in milliseconds,
            where the document has a date: Iterable's own client, tested live.
        """
        return {
            "catalogName": catalog,
            "itemId": item_id,
            "lastModified": self.modified_ms,
            "size": self.size,
            "value": self.value,
        }


@dataclass(slots=True)
class Catalog:
    """
    One catalog.

    Args:
        name: as it was created; other spellings in upper and lower case name it too.

        items: by their id, in the order of their first write.

        mappings: the types that were set, by dotted path.

        seen: the fields that items had, by dotted path, in order; they stay when items go.
    """

    name: str
    items: dict[str, Item] = field(default_factory=dict)
    mappings: dict[str, Kind] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)

    def put(
        self,
        documents: Mapping[str, dict[str, Any]],
        now_ms: int,
        *,
        merge: bool,
        max_bytes: int,
        discard: bool,
    ) -> None:
        """
        Write items, all or none.

        The types that were set do not restrict what is written.

        Args:
            documents: fields by item id.

            now_ms: Unix time.

            merge: keep the other fields of items that exist; nested objects are replaced whole.

            max_bytes: the most that one item may have.

            discard: keep no values.

        Raises:
            CatalogProblem: ``tooLarge``, ``period``, ``depth`` or ``fields``, with the id of the
                item and the field.

        Source:
            One known sender says that values of another type are accepted; Swagger names no
            answer for them. That a merge keeps ``null`` as a value is assumed.
        """
        drafts: dict[str, Item] = {}
        paths: dict[str, None] = {}
        for item_id, fields in documents.items():
            old = self.items.get(item_id) if merge else None
            value = {**old.value, **fields} if old is not None and old.value else fields
            paths.update(dict.fromkeys(field_paths(item_id, fields)))
            size = len(orjson.dumps(value))
            if size > max_bytes:
                raise CatalogProblem("tooLarge", item_id)
            drafts[item_id] = Item(None if discard else value, size, now_ms)
        self._limit_fields(paths)
        self.seen.update(paths)
        self.items.update(drafts)

    def define(self, types: Iterable[tuple[str, Kind]]) -> None:
        """
        Set the types of fields, all or none.

        Args:
            types: dotted paths and types.

        Raises:
            CatalogProblem: ``immutable`` for a field that has another type, or ``fields``.

        Source:
            Swagger ``updateFieldTypes``, documented: once set, a type may not change. That the
            same type may be set again is assumed.
        """
        draft = dict(self.mappings)
        for path, kind in types:
            if draft.setdefault(path, kind) is not kind:
                raise CatalogProblem("immutable", path)
        self._limit_fields(draft)
        self.mappings = draft

    def undefined(self) -> list[str]:
        """Return the fields of items that have no type."""
        return [path for path in self.seen if path not in self.mappings]

    def sorted_by(self, path: str, *, ascending: bool) -> list[tuple[str, Item]]:
        """Return the items by the value of one field; those without it come last."""
        is_date = self.mappings.get(path) is Kind.DATE
        keyed, rest = [], []
        for entry in self.items.items():
            key = _sort_key(_value_at(entry[1].value, path), is_date=is_date)
            if key is None:
                rest.append(entry)
            else:
                keyed.append((key, entry))
        keyed.sort(key=lambda pair: pair[0], reverse=not ascending)
        return [entry for _, entry in keyed] + rest

    def _limit_fields(self, paths: Iterable[str]) -> None:
        known = self.seen.keys() | self.mappings.keys() | set(paths)
        if len(known) > MAX_FIELDS:
            raise CatalogProblem("fields", self.name)


class Catalogs:
    """All catalogs of the project; their names are one whatever their case (documented)."""

    def __init__(self) -> None:
        self._catalogs: dict[str, Catalog] = {}

    def __len__(self) -> int:
        return len(self._catalogs)

    def __iter__(self) -> Iterator[Catalog]:
        return iter(self._catalogs.values())

    def find(self, name: str) -> Catalog | None:
        """Return a catalog by its name in any case."""
        return self._catalogs.get(name.lower())

    def create(self, name: str) -> bool:
        """Add an empty catalog; say whether its name was free."""
        if name.lower() in self._catalogs:
            return False
        self._catalogs[name.lower()] = Catalog(name)
        return True

    def drop(self, name: str) -> bool:
        """Remove a catalog with all its items; say whether there was one."""
        return self._catalogs.pop(name.lower(), None) is not None


def field_paths(item_id: str, fields: dict[str, Any]) -> Iterator[str]:
    """
    Give the dotted path of every field of an item, those inside arrays of objects included.

    Raises:
        CatalogProblem: ``period`` in the name of a field (documented), or ``depth``.
    """
    open_values: list[tuple[str, Any, int]] = [("", fields, 1)]
    while open_values:
        path, value, depth = open_values.pop()
        if depth > MAX_DEPTH:
            raise CatalogProblem("depth", item_id)
        if isinstance(value, list):
            open_values += [(path, inner, depth + 1) for inner in value]
        elif isinstance(value, dict):
            for name, inner in value.items():
                if "." in name:
                    raise CatalogProblem("period", item_id, name)
                full = f"{path}.{name}" if path else name
                yield full
                if isinstance(inner, dict | list):
                    open_values.append((full, inner, depth + 1))


def _value_at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _sort_key(value: Any, *, is_date: bool) -> tuple[int, Any] | None:
    # Values of one field may have several types; numbers then stand before texts.
    if isinstance(value, int | float):
        return 0, value
    if isinstance(value, str):
        return 1, (normal_date(value) or value) if is_date else value
    return None
