"""Who can be texted: the shares of valid phones and of opt-ins, before a campaign needs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError, SyncAborted
from iterable_sync.model import check_select
from iterable_sync.rows import Column, StateType, WireType
from iterable_sync.sms_consent import NEEDED
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.values.phones import PhoneKind, check_phones, kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from iterable_sync.state import Source

_PHONE, _OPT_IN, _COUNTRY = "phone", "sms_opt_in", "country"
_NAMES = {
    _PHONE: ("phone", *NEEDED[WireType.PHONE]),
    _OPT_IN: NEEDED[WireType.BOOLEAN],
    _COUNTRY: ("country",),
}
_NO_COUNTRY = "none"
_OTHER = "other"
_MOST_COUNTRIES = 10


@dataclass(slots=True)
class SmsPreflight:
    """
    Counts of people, one for each row of the query.

    Args:
        with_phone: who have one that is not blank.

        valid: whose phone can be dialled; ``valid_mobile`` of them are mobile by their country's
            numbering plan, ``valid_either`` may be (North American numbers do not tell).

        reachable: who opted in and have a valid phone; ``not_reachable`` opted in and have none.

        by_country: two letters -> ``people``, ``opted_in``, ``reachable``; what is no country of
            ISO 3166 is ``other``, and NULL is ``none``. Empty where the query has no such column.
    """

    people: int = 0
    with_phone: int = 0
    valid: int = 0
    valid_mobile: int = 0
    valid_either: int = 0
    opted_in: int = 0
    reachable: int = 0
    not_reachable: int = 0
    by_country: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def valid_share(self) -> float:
        """Give the share of the phones that are valid; 0 where there is none."""
        return self.valid / self.with_phone if self.with_phone else 0.0

    @property
    def reachable_share(self) -> float:
        """Give the share of those who opted in that can be texted; 0 where nobody did."""
        return self.reachable / self.opted_in if self.opted_in else 0.0

    def counts(self) -> dict[str, int]:
        """Give all counts but those by country: what may go to XCom."""
        return {name: int(getattr(self, name)) for name in self.__slots__ if name != "by_country"}

    def lines(self) -> list[str]:
        """Give the report as text, the countries of most people first."""
        shown = sorted(self.by_country.items(), key=lambda one: (-one[1]["people"], one[0]))
        more = len(shown) - _MOST_COUNTRIES
        return [
            f"{self.people} people: {self.with_phone} with a phone, {self.opted_in} opted in",
            f"phones: {self.valid} valid ({self.valid_share:.1%} of those with one); "
            f"{self.valid_mobile} mobile, {self.valid_either} mobile or landline, "
            f"{self.valid - self.valid_mobile - self.valid_either} neither",
            f"opted in: {self.reachable} with a valid phone ({self.reachable_share:.1%}), "
            f"{self.not_reachable} without",
            *(
                f"country {code}: {of['people']} people, {of['opted_in']} opted in, "
                f"{of['reachable']} of them with a valid phone"
                for code, of in shown[:_MOST_COUNTRIES]
            ),
            *([f"and {more} countries more"] if more > 0 else []),
        ]


def preflight(
    sql: str,
    *,
    source: Source,
    phone_region: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SmsPreflight:
    """
    Count who can be texted; the query is streamed, and nothing is written anywhere.

    Args:
        sql: one SELECT with a row for each person: ``phone`` (or ``phone_number``), ``sms_opt_in``,
            and ``country`` if the counts are to be broken down.

        phone_region: as in :class:`iterable_sync.spec.SyncSpec`: phones are read as a sync with
            this region reads them.

        should_stop: asked between batches of rows.

    Raises:
        ConfigError: a column is missing, or the opt-in is neither a boolean nor a text.

        ModelError, RetryLater: the query cannot be run.

        SyncAborted: it was told to stop.
    """
    check_phones(phone_region)
    sql = check_select(sql, dialect=source.dialect).text
    select = _select(sql, source)
    schema = arrow_schema([Column(name, "", StateType.TEXT, WireType.STRING, 0) for name in select])
    report = SmsPreflight()
    with source.read(sql, list(select.values()), schema) as batches:
        for batch in batches:
            if should_stop():
                raise SyncAborted("SMS preflight: it was told to stop; nothing was written")
            _count(report, batch, phone_region)
    return report


def check(report: SmsPreflight, *, min_valid: float, min_reachable: float) -> None:
    """
    Compare the shares to what a campaign needs.

    Args:
        min_valid: the least share of the phones that are valid.

        min_reachable: the least share of those who opted in that have a valid phone.

    Raises:
        SyncAborted: one of them is less.
    """
    few = []
    if report.valid_share < min_valid:
        few.append(
            f"{report.valid} of {report.with_phone} phones are valid, {report.valid_share:.1%}, "
            f"less than min_valid={min_valid:g}"
        )
    if report.reachable_share < min_reachable:
        few.append(
            f"{report.reachable} of {report.opted_in} who opted in have a valid phone, "
            f"{report.reachable_share:.1%}, less than min_reachable={min_reachable:g}"
        )
    if few:
        raise SyncAborted(
            f"SMS preflight: {'; '.join(few)}. Bring the phones into E.164 (+14158675309) in the "
            "warehouse, or say phone_region= where they are written without their country"
        )


def _select(sql: str, source: Source) -> dict[str, str]:
    """Give, by our name of each column, the expression that brings it as text."""
    found = {column.name.lower(): column for column in source.columns(sql)}
    select = {}
    for ours, names in _NAMES.items():
        column = next((found[n.lower()] for n in names if n.lower() in found), None)
        if column is None:
            if ours == _COUNTRY:
                continue
            raise ConfigError(
                f"SMS preflight: the query has no column {' or '.join(map(repr, names))}; it has "
                f"{', '.join(found)}"
            )
        cast = source.cast(column.type)
        if ours == _OPT_IN and cast.wire not in (WireType.BOOLEAN, WireType.STRING):
            raise ConfigError(
                f"SMS preflight: column {column.name!r} is a {column.type}, and an opt-in is true "
                "or false; cast it in the SQL"
            )
        select[ours] = source.text(source.expression(cast, column.name, None))
    return select


def _count(report: SmsPreflight, batch: pa.RecordBatch, region: str | None) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = {name: batch.column(name).cast(pa.large_string()) for name in batch.schema.names}
    kinds = kinds_of(texts[_PHONE], region)
    is_valid = kinds.is_valid()
    opted = pc.fill_null(pc.equal(pc.utf8_lower(texts[_OPT_IN]), "true"), False)  # noqa: FBT003
    can_be_texted = pc.and_(opted, is_valid)
    blank = pc.equal(pc.utf8_trim_whitespace(texts[_PHONE]), "")
    report.people += batch.num_rows
    report.with_phone += _true(pc.invert(pc.fill_null(blank, True)))  # noqa: FBT003
    report.valid += _true(is_valid)
    report.valid_mobile += _true(pc.equal(kinds, PhoneKind.MOBILE.value))
    report.valid_either += _true(pc.equal(kinds, PhoneKind.EITHER.value))
    report.opted_in += _true(opted)
    report.reachable += _true(can_be_texted)
    report.not_reachable += _true(pc.and_not(opted, is_valid))
    if _COUNTRY in texts:
        table = pa.table({_COUNTRY: texts[_COUNTRY], "opted_in": opted, "reachable": can_be_texted})
        grouped = table.group_by(_COUNTRY).aggregate(
            [([], "count_all"), ("opted_in", "sum"), ("reachable", "sum")]
        )
        for row in grouped.to_pylist():
            _add(report.by_country, row)


def _add(by_country: dict[str, Counter[str]], row: Mapping[str, int | str | None]) -> None:
    from phonenumbers import SUPPORTED_REGIONS

    code = str(row[_COUNTRY] or "").strip().upper()
    # A column may hold anything, and what is no code may be about a person.
    known = (code if code in SUPPORTED_REGIONS else _OTHER) if code else _NO_COUNTRY
    by_country.setdefault(known, Counter()).update(
        people=int(row["count_all"] or 0),
        opted_in=int(row["opted_in_sum"] or 0),
        reachable=int(row["reachable_sum"] or 0),
    )


def _true(flags: pa.Array) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(flags).as_py() or 0)
