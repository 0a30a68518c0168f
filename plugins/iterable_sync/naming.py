"""
Names of fields out of names that somebody else chose: snake_case, camelCase, and well-known ones.

====================================  ==============================  ==========================
name                                  snake                           camel
====================================  ==============================  ==========================
``Order Completed Last 30days``       ``order_completed_last_30days`` ``orderCompletedLast30days``
``firstName``, ``FIRST_NAME``         ``first_name``                  ``firstName``
``HTMLPage``, ``userID``              ``html_page``, ``user_id``      ``htmlPage``, ``userId``
``Größe in cm``                       ``größe_in_cm``                 ``größeInCm``
====================================  ==============================  ==========================

Words are runs of letters, the marks upon them, and digits, of every script; what is between them
goes. A word ends as well before a capital that follows a small letter or a digit, and before the
last capital of a row of them that goes on in small letters. Digits never begin a word: ``30days``
and ``line2`` are one each. Composed and decomposed letters give the same name (Unicode's NFC).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.names import split_name
from iterable_sync.rows import Role, WireType
from iterable_sync.spec import FieldSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from iterable_sync.spec import SyncSpec

# Source: Freshpaint's destination Iterable, Default Identify Transformations, documented.
IDENTIFY: dict[str, FieldSpec] = {
    "first_name": FieldSpec(name="firstName"),
    "last_name": FieldSpec(name="lastName"),
    "phone_number": FieldSpec(name="phoneNumber"),
    "date_of_birth": FieldSpec(name="dateOfBirth", type=WireType.DATE),
    "zip_code": FieldSpec(name="zipCode", type=WireType.STRING),
}
"""Column, in any case, -> what ``identify_names`` declares of it."""


_IMAGE = "image_url"


def snake_case(name: str) -> str:
    """Give a name in ``snake_case``; empty where it has no letter and no digit."""
    return _composed("_".join(word.lower() for word in _words(name)))


def camel_case(name: str) -> str:
    """Give a name in ``camelCase``; empty where it has no letter and no digit."""
    first, *others = [word.lower() for word in _words(name)] or [""]
    return _composed(first + "".join(word[0].upper() + word[1:] for word in others))


_STYLES: dict[str, Callable[[str], str]] = {"snake": snake_case, "camel": camel_case}


def with_image(spec: SyncSpec, names: Iterable[str]) -> SyncSpec:
    """
    Let the image of the declared size be the one that a row has, and leave out the other sizes.

    Args:
        names: the columns of the model.

    Raises:
        ConfigError: the model has no image of that size.
    """
    if spec.image_size is None:
        return spec
    images = {name.lower(): name for name in names if name.lower().startswith(f"{_IMAGE}_")}
    chosen = images.pop(f"{_IMAGE}_{spec.image_size.lower()}", None)
    if chosen is None:
        raise ConfigError(
            f"image_size={spec.image_size!r}: the model has no column "
            f"'{_IMAGE}_{spec.image_size}'; it has {', '.join(images.values()) or 'no image'}"
        )
    by_person = {name.lower(): of for name, of in spec.fields.items()}
    given = by_person.get(chosen.lower(), FieldSpec())
    name = given.name or _styled(_IMAGE, spec.naming) or _IMAGE
    of_image = given.model_copy(update={"name": name})
    others = {name: of for name, of in spec.fields.items() if name.lower() != chosen.lower()}
    return spec.model_copy(
        update={
            "fields": others | {chosen: of_image},
            "exclude": (*spec.exclude, *images.values()),
        }
    )


def declarations(
    spec: SyncSpec, names: Iterable[str], roles: Mapping[str, Role]
) -> dict[str, FieldSpec]:
    """
    Give what is declared of each column, by a person or by a rule: column, lower case -> it.

    What a person says of a column comes first, then ``identify_names``, then ``naming``. Columns
    that are no data fields keep the names that Iterable gives them.

    Args:
        names: the columns of the model.

        roles: of columns that are no data fields, by their names in lower case.

    Raises:
        ConfigError: a column has no name left.
    """
    declared = {name.lower(): of for name, of in spec.fields.items()}
    for name in names:
        lower = name.lower()
        if roles.get(lower, Role.FIELD) is not Role.FIELD:
            continue
        by_rule = IDENTIFY.get(lower) if spec.identify_names else None
        if by_rule is None:
            by_rule = FieldSpec(name=_styled(name, spec.naming))
        elif lower == "phone_number" and spec.phone_region is not None:
            by_rule = FieldSpec(name=by_rule.name, type=WireType.PHONE)
        given = declared.get(lower, FieldSpec())
        declared[lower] = FieldSpec(
            name=given.name or by_rule.name, type=given.type or by_rule.type, null=given.null
        )
    return declared


def _styled(name: str, naming: str) -> str | None:
    style = _STYLES.get(naming)
    if style is None:
        return None
    parts = [style(part) for part in split_name(name)]
    if not all(parts):
        raise ConfigError(
            f"column {name!r} has no letter and no digit to make a {naming} name of; declare one "
            f"with fields={{{name!r}: {{'name': ...}}}}"
        )
    return ".".join(parts)


def _words(name: str) -> list[str]:
    words: list[str] = []
    word = ""
    text = unicodedata.normalize("NFC", name)
    for place, letter in enumerate(text):
        if not (letter.isalnum() or unicodedata.category(letter).startswith("M")):
            words.append(word)
            word = ""
            continue
        if letter.isupper() and word:
            before, after = word[-1], text[place + 1 : place + 2]
            if not before.isupper() or after.islower():
                words.append(word)
                word = ""
        word += letter
    return [word for word in [*words, word] if word]


def _composed(text: str) -> str:
    # A small letter may be two characters that compose with what is beside them.
    return unicodedata.normalize("NFC", text)
