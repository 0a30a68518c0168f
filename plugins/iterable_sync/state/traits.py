"""
Traits in long form: a row for each person and trait, folded in SQL to a row for each person.

===========  ===============  =========
``user_id``  ``trait``        ``value``
===========  ===============  =========
``u1``       ``Total spend``  ``12``
``u1``       ``last city``    ``Lyon``
``u2``       ``last city``    ``Bern``
===========  ===============  =========

becomes

===========  =============  ===============
``user_id``  ``last_city``  ``total_spend``
===========  =============  ===============
``u1``       ``Lyon``       ``12``
``u2``       ``Bern``       NULL
===========  =============  ===============

The model's SQL is rewritten before it is looked at in any other way, so that what follows sees a
model in wide form. Which columns it gets is asked of the warehouse: the names of the traits, in
``snake_case``, and those that the sync had before; a trait that nobody has any more so becomes NULL
for all, and is taken from them. The columns are in the order of their names: the SQL changes when a
trait comes, and with nothing else.

Who has a trait twice comes out as two rows of one key, for which the run ends before anything is
sent: none of the values is the right one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError, ModelError
from iterable_sync.model import author_names, check_select, match_names
from iterable_sync.naming import snake_case
from iterable_sync.rows import Role, StateType, WireType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Dialect, Source, SourceColumn
    from iterable_sync.state.registry import Registered

VALUE = "value"
"""The column with the value of a trait."""

MAX_TRAITS = 500

_NOBODY = "1 = 0"
# No trait is called so: a name in snake_case begins with a letter or a digit.
_COPIES = "_copies"
_SHOWN = 5


def widen(
    spec: SyncSpec, source: Source, dialect: Dialect, known: Registered | None
) -> tuple[SyncSpec, str]:
    """
    Rewrite a declaration in long form into one in wide form.

    Args:
        spec: with ``trait``, the column with the names.

        dialect: of the state.

        known: the sync as it was before; None before its first run.

    Returns:
        The declaration, and SQL for a person that shows who has a trait more than once.

    Raises:
        ConfigError: two traits have one name, a trait has none or one that is too long or taken,
            or there are too many; the message names them.

        ModelError: the model's columns are not those of the long form.
    """
    sql = check_select(spec.sql, dialect=source.dialect).text
    columns = _columns(source, sql)
    whose, trait, value = _parts(spec, columns)
    names = {name.lower(): name for name, _ in columns}
    declared = {
        name if name.lower() in names else _snake(name): field
        for name, field in spec.fields.items()
    }
    found = _by_field(_distinct(source, sql, trait), taken={column.name for column in whose})
    now = {field.lower() for field in found}
    of_nobody = {name for name in declared if name.lower() not in names}
    if known is not None:
        of_nobody |= {c.name for c in known.columns if c.role is Role.FIELD and not c.is_key}
    found |= dict.fromkeys(name for name in of_nobody if name.lower() not in now)
    _check(found, min(source.max_identifier_bytes, dialect.max_identifier_bytes))
    wide = {
        "sql": _folded(source, sql, whose, trait, value, found),
        "fields": declared,
        "exclude": (),
    }
    return spec.model_copy(update=wide), _duplicates(source, sql, whose, trait)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as its author and as the engine calls it."""

    name: str
    engine: SourceColumn


def _columns(source: Source, sql: str) -> list[tuple[str, SourceColumn]]:
    # Without rows: some sources run what they describe.
    described = source.columns(f"SELECT * FROM (\n{sql}\n) AS q WHERE {_NOBODY}")
    names = match_names(author_names(sql, dialect=source.dialect), [c.name for c in described])
    return list(zip(names, described, strict=True))


def _parts(
    spec: SyncSpec, columns: Iterable[tuple[str, SourceColumn]]
) -> tuple[list[_Column], _Column, _Column]:
    """Give the columns that say whose a trait is, that with its name, and that with its value."""
    by_lower = {name.lower(): _Column(name, engine) for name, engine in columns}
    name = str(spec.trait).lower()
    for wanted in (name, VALUE):
        if wanted not in by_lower:
            raise ModelError(
                f"traits in long form need a column {wanted!r}, which the model does not have; it "
                f"has {', '.join(column.name for column in by_lower.values())}"
            )
    if name == VALUE:
        raise ConfigError(
            f"trait={spec.trait!r}: a column 'value' has what the traits are, and not their names; "
            "give the one with the names another name in the SQL"
        )
    own = {name, VALUE}
    if mixed := sorted(own & {key.lower() for key in spec.key}):
        raise ConfigError(
            f"key names {mixed[0]!r}: the key of traits is the person alone, whose traits become "
            "one row"
        )
    if spec.newest_by is not None:
        raise ConfigError("newest_by is for traits in wide form: in long form nobody has one twice")
    excluded = {name.lower() for name in spec.exclude}
    if missing := sorted(excluded & own):
        raise ConfigError(f"exclude: traits in long form need the column {missing[0]!r}")
    user_ids = (spec.user_id,) if spec.user_id else ("user_id", "userId")
    person = {name.lower() for name in (*spec.key, spec.email, *user_ids)}
    whose = [column for lower, column in by_lower.items() if lower in person - excluded]
    if left := [
        column.name for lower, column in by_lower.items() if lower not in person | own | excluded
    ]:
        raise ModelError(
            f"the model has columns beside person, trait and value: {', '.join(left)}; make them "
            "traits, leave them out of the SQL, or exclude them"
        )
    return whose, by_lower[name], by_lower[VALUE]


def _distinct(source: Source, sql: str, trait: _Column) -> list[str]:
    """Give the names of the traits that somebody has; a few too many are enough."""
    import pyarrow as pa

    name = source.quote(trait.engine.name)
    asked = f"SELECT DISTINCT q.{name} AS {name} FROM (\n{sql}\n) AS q WHERE q.{name} IS NOT NULL"
    (column,) = source.columns(asked)
    cast = source.cast(column.type)
    if cast.wire is not WireType.STRING or cast.state is not StateType.TEXT:
        raise ModelError(
            f"trait column {trait.name!r} is a {column.type}; cast it to text in the SQL"
        )
    expression = source.text(source.expression(cast, column.name, None))
    names: list[str] = []
    schema = pa.schema([pa.field(trait.name, pa.string())])
    with source.read(asked, [expression], schema) as batches:
        for batch in batches:
            names += batch.column(0).to_pylist()
            if len(names) > MAX_TRAITS:
                raise ConfigError(
                    f"column {trait.name!r} has more than {MAX_TRAITS} traits; does it have names, "
                    f"and not values? Among them are {_listed(names)}"
                )
    return sorted(names)


def _snake(name: str) -> str:
    if not (field := snake_case(name)):
        raise ConfigError(
            f"trait {name!r} has no letter and no digit to make a field's name of; rename it in "
            "the SQL"
        )
    return field


def _by_field(traits: Iterable[str], *, taken: Iterable[str]) -> dict[str, str | None]:
    """Give field -> trait; the fields are distinct, and no other column's."""
    found: dict[str, str | None] = {}
    columns = {name.lower() for name in taken}
    for trait in traits:
        field = _snake(trait)
        if field in columns:
            raise ConfigError(
                f"trait {trait!r} would be the field {field!r}, which says whose the traits are; "
                "rename it in the SQL"
            )
        if (other := found.get(field)) is not None:
            raise ConfigError(
                f"traits {other!r} and {trait!r} are the same field {field!r}; rename one of them "
                "in the SQL, or make them one"
            )
        found[field] = trait
    return found


def _check(found: Mapping[str, str | None], max_name_bytes: int) -> None:
    if len(found) > MAX_TRAITS:
        old = sorted(field for field, trait in found.items() if trait is None)
        raise ConfigError(
            f"{len(found)} traits are more than {MAX_TRAITS}; nobody has {len(old)} of them any "
            f"more: {_listed(old)}. Start a sync of another name without these"
        )
    for field, trait in found.items():
        if (size := len(field.encode())) > max_name_bytes:
            raise ConfigError(
                f"trait {trait or field!r} makes the name of a column of {size} bytes, and the "
                f"engine cuts names after {max_name_bytes}; rename it in the SQL"
            )


def _folded(
    source: Source,
    sql: str,
    whose: Iterable[_Column],
    trait: _Column,
    value: _Column,
    found: Mapping[str, str | None],
) -> str:
    """Give the SQL in wide form; of a person who has a trait twice it gives two rows."""
    name = f"q.{source.quote(trait.engine.name)}"
    people = [(f"q.{source.quote(c.engine.name)}", source.quote(c.name)) for c in whose]
    inner = [f"{column} AS {alias}" for column, alias in people]
    twice = []
    outer = [f"f.{alias} AS {alias}" for _, alias in people]
    for field in sorted(found):
        alias, raw = source.quote(field), found[field]
        is_it = _NOBODY if raw is None else f"{name} = {_literal(source, raw)}"
        inner.append(f"{source.greatest(value.engine, is_it)} AS {alias}")
        outer.append(f"f.{alias} AS {alias}")
        if raw is not None:
            twice.append(f"WHEN count(CASE WHEN {is_it} THEN 1 END) > 1 THEN 2")
    copies = source.quote(_COPIES)
    counted = f"CASE {' '.join(twice)} ELSE 1 END" if twice else "1"
    return (
        f"SELECT {', '.join(outer)}\nFROM (\n"
        f"SELECT {', '.join(inner)}, {counted} AS {copies}\nFROM (\n{sql}\n) AS q\n"
        f"GROUP BY {', '.join(column for column, _ in people)}\n) AS f\n"
        f"JOIN (SELECT 1 AS n UNION ALL SELECT 2 AS n) AS d ON d.n <= f.{copies}"
    )


def _duplicates(source: Source, sql: str, whose: Iterable[_Column], trait: _Column) -> str:
    people = ", ".join(f"q.{source.quote(column.engine.name)}" for column in whose)
    name = f"q.{source.quote(trait.engine.name)}"
    return (
        f"SELECT {people}, {name}, count(*) AS copies FROM (\n{sql}\n) AS q\n"
        f"GROUP BY {people}, {name} HAVING count(*) > 1"
    )


def _literal(source: Source, text: str) -> str:
    from sqlglot import exp

    return exp.Literal.string(text).sql(dialect=source.dialect)


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names]
    more = ", ..." if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
