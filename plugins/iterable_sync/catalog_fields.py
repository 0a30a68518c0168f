"""
The catalog of a sync, before its items: it is there, and its fields have the types of the model.

A field without a type can be shown and not searched, and a type that was set stays for ever. So the
types of new fields are set before the first item, from the columns; and where a field has another
type already, nothing is sent until a person has decided.

Source:
    https://support.iterable.com/hc/en-us/articles/360033215072, documented: types and the number of
    fields. That values of another type are taken, and not found by a search: a known sender.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from iterable_sync.catalogs import create_catalog, define_fields, read_fields
from iterable_sync.errors import ConfigError, PermissionRefused, RetryLater
from iterable_sync.names import dotted, half_of, is_location
from iterable_sync.retrying import AttemptFailed, read_patiently
from iterable_sync.rows import Role, WireType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from iterable_sync.catalogs import CatalogFields
    from iterable_sync.client import IterableClient
    from iterable_sync.rows import Column, RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import SyncState

MOST_FIELDS = 350
"""So many fields a catalog may have."""

_OBJECT, _PLACE = "object", "geo_location"
_TYPE_OF = {
    WireType.LONG: "long",
    WireType.DOUBLE: "double",
    WireType.BOOLEAN: "boolean",
    WireType.STRING: "string",
    WireType.PHONE: "string",
    WireType.DATE: "date",
    WireType.DATETIME: "date",
}
_MANY_FIELDS = 315
_SETTLE_S = 60.0
_LOOK_AGAIN_S = (0.0, 1.0, 2.0, 4.0, 8.0)


def find_catalog(
    spec: SyncSpec,
    client: IterableClient,
    state: SyncState,
    report: RunReport,
    sleep: Callable[[float], None],
) -> None:
    """
    Find the catalog of a sync, or create it, and set the types of its new fields.

    The fields that the catalog had before are put into the state of the run. A dry run writes
    nothing, and says what a run would.

    Raises:
        ConfigError: there is no such catalog, a field has another type, or there are too many;
            nothing was sent.

        RetryLater: Iterable does not answer.
    """
    _Finder(spec, client, state, report, sleep).find()


def wanted_types(columns: Iterable[Column], objects: Collection[str]) -> dict[str, str | None]:
    """
    Give the types of the fields that columns become: dotted field -> type.

    Args:
        objects: JSON columns of which each value is an object. What is a list as well has the type
            of its elements, which nobody knows: None.
    """
    types: dict[str, str | None] = {}
    for column in columns:
        if column.role is not Role.FIELD or column.is_key:
            continue
        half = half_of(column.field)
        name = half[0] if half else dotted(column.field)
        if is_location(name):
            types[name] = _PLACE
        elif column.wire is WireType.JSON:
            types[name] = _OBJECT if column.name in objects else None
        else:
            types[name] = _TYPE_OF[column.wire]
        while "." in name:
            name = name.rpartition(".")[0]
            types[name] = _OBJECT
    return types


class _Finder:
    def __init__(
        self,
        spec: SyncSpec,
        client: IterableClient,
        state: SyncState,
        report: RunReport,
        sleep: Callable[[float], None],
    ) -> None:
        self._spec = spec
        self._catalog = str(spec.catalog)
        self._client = client
        self._state = state
        self._report = report
        self._sleep = sleep
        # Spreads waits; nothing secret hangs on it.
        self._rng = random.Random()  # noqa: S311

    def find(self) -> None:
        fields = self._read()
        types: Mapping[str, str] = {} if fields is None else fields.types
        untyped = frozenset[str]() if fields is None else fields.untyped
        self._state.known_types = dict.fromkeys(untyped, "") | dict(types)
        wanted = wanted_types(self._state.columns, self._state.json_objects)
        self._check(wanted, types, untyped)
        if fields is None:
            self._create()
        missing = {name for name, kind in wanted.items() if kind and name not in types}
        if missing:
            self._define(missing, wanted)

    def _check(
        self, wanted: Mapping[str, str | None], types: Mapping[str, str], untyped: Collection[str]
    ) -> None:
        for name, kind in wanted.items():
            if kind is not None and types.get(name, kind) != kind:
                raise ConfigError(
                    f"field {name!r} of the catalog {self._catalog!r} has the type {types[name]}, "
                    f"and the model gives {kind}; Iterable never changes a type. Cast the column "
                    "in the SQL, or declare its type in fields=, so that it is what the catalog "
                    "has; or give the field another name"
                )
        count = len(wanted.keys() | types.keys() | set(untyped))
        if count > MOST_FIELDS:
            raise ConfigError(
                f"the catalog {self._catalog!r} would have {count} fields, {MOST_FIELDS} are "
                "allowed; leave columns out of the model, or name them in exclude="
            )
        if count >= _MANY_FIELDS:
            self._report.notes.append(
                f"the catalog {self._catalog!r} has {count} fields, with those of the model, of "
                f"{MOST_FIELDS} that Iterable allows"
            )
        if left := sorted(name for name, kind in wanted.items() if not kind and name not in types):
            self._report.notes.append(
                f"no type is set of {', '.join(left)}: JSON that is not always an object. Set it "
                "in Iterable, if items are to be found by it"
            )

    def _create(self) -> None:
        """Create the catalog, and see it there."""
        if not self._spec.create_catalog:
            raise ConfigError(
                f"project {self._client.project.name} has no catalog {self._catalog!r}; create it "
                "there, or say create_catalog=True"
            )
        if not self._spec.full_resync and not self._state.is_new():
            raise ConfigError(
                f"project {self._client.project.name} has no catalog {self._catalog!r} any more, "
                "and the state says which items are in it. Run once with full_resync=True, which "
                "creates it and sends every item, or give the sync another name"
            )
        if self._spec.dry_run:
            self._report.notes.append(f"a run would create the catalog {self._catalog!r}")
            return
        for attempt, seconds in enumerate(_LOOK_AGAIN_S):
            self._sleep(seconds)
            self._state.lease.may_post(self._client.deadline_s)
            # Asked twice it is no other catalog: its name says which it is.
            refused = self._ask_for_it()
            if self._read() is not None:
                self._report.notes.append(f"created the catalog {self._catalog!r}")
                return
            if refused is not None and attempt == 0:
                raise refused
        raise RetryLater(
            f"it is not known whether the catalog {self._catalog!r} was created", _SETTLE_S
        )

    def _ask_for_it(self) -> ConfigError | None:
        """Send the request; what became of it is looked at."""
        try:
            create_catalog(self._client, self._catalog)
        except AttemptFailed:
            return None
        except ConfigError as error:
            return error
        return None

    def _define(self, missing: Collection[str], wanted: Mapping[str, str | None]) -> None:
        names = ", ".join(f"{name} ({wanted[name]})" for name in sorted(missing))
        what = f"the types of {len(missing)} fields of the catalog {self._catalog!r}: {names}"
        if self._spec.new_fields == "fail":
            raise ConfigError(
                f"new_fields='fail', and a run would set {what}; set them in Iterable, or allow it"
            )
        if self._spec.dry_run:
            self._report.notes.append(f"a run would set {what}")
            return
        # A field is named together with the objects that it is in.
        named = {
            name: kind
            for name, kind in wanted.items()
            if kind and any(one == name or one.startswith(f"{name}.") for one in missing)
        }
        try:
            read_patiently(lambda: self._send(named), rng=self._rng, sleep=self._sleep)
        except PermissionRefused:
            raise
        except ConfigError as error:
            raise ConfigError(f"{error}: Iterable does not set {what}; set them there") from None
        self._report.notes.append(f"set {what}")

    def _send(self, types: Mapping[str, str]) -> None:
        self._state.lease.may_post(self._client.deadline_s)
        define_fields(self._client, self._catalog, types)

    def _read(self) -> CatalogFields | None:
        return read_patiently(
            lambda: read_fields(self._client, self._catalog), rng=self._rng, sleep=self._sleep
        )
