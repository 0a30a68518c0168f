"""Checks answers against Iterable's own Swagger document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

# Where real answers differ from the document, and how we know: by definition and member.
CORRECTIONS: dict[tuple[str, str], tuple[Schema, str]] = {
    ("JsObject", ""): ({"type": "object"}, "the document shows a class of the server, not JSON"),
    ("ErrorWithStatus", ""): ({"type": "string"}, "a text in the fixture of a public client"),
    ("ApiResponseUser", ""): (
        {
            "type": "object",
            "required": ["dataFields"],
            "properties": {
                "email": {"type": "string"},
                "userId": {"type": "string"},
                "dataFields": {"type": "object"},
            },
        },
        "email is optional in userID-based projects: article 9216719179796",
    ),
    ("IterableApiResponse", "params"): (
        {"type": ["object", "null"]},
        "null on success: recorded 2017 to 2021",
    ),
    ("CatalogItemWithProperties", "lastModified"): (
        {"type": "integer"},
        "Iterable's own client, which is tested against the real API, takes integers only",
    ),
    ("CampaignsResponse", "totalCampaignsCount"): (
        {"type": "integer"},
        "described as a count; Iterable's own client takes a number",
    ),
}

# Answers that Iterable's own client reads out of `params`, and the document shows bare.
WRAPPED = (
    ("get", "/api/catalogs"),
    ("get", "/api/catalogs/{catalogName}/items"),
    ("get", "/api/catalogs/{catalogName}/fieldMappings"),
)

# Codes that are not in the document's list.
# Source: a client's fixtures and public code (catalogs, users); the table of codes (Conflict).
OTHER_CODES = ("error.users.noUserWithIdExists", "Conflict")

# Statuses that any operation may answer with, documented or not.
ANY_STATUS = ("400", "401", "404", "409", "413", "429")

# Answers that are plain text, and say so in words only.
TEXTS = {
    ("post", "/api/subscriptions/subscribeToDoubleOptIn"): (
        r"Request for double opt-in subscription accepted",
        r"User not found for userId: .* or email: .*",
        r"Not double opt-in message types: .*",
    ),
}


class Swagger:
    """The document, ready to check answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.operations: dict[tuple[str, str], dict[str, Any]] = {
            (method, path): operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method in ("get", "post", "put", "patch", "delete")
        }
        self._definitions = json.loads(json.dumps(document["definitions"]))
        for (definition, member), (schema, _) in CORRECTIONS.items():
            if not member:
                self._definitions[definition] = schema
            elif definition in self._definitions:
                self._definitions[definition]["properties"][member] = schema
        envelope = self._definitions.get("IterableApiResponse")
        if envelope:
            envelope["properties"]["code"]["enum"] += OTHER_CODES

    def find(self, method: str, path: str) -> tuple[str, str] | None:
        """Return the operation of a request: of several the one with most literal segments."""
        segments = path.partition("?")[0].split("/")
        fitting = [
            (sum("{" in own for own in template.split("/")), template)
            for known, template in self.operations
            if known == method.lower() and _fits(template.split("/"), segments)
        ]
        return (method.lower(), min(fitting)[1]) if fitting else None

    def problems(
        self, method: str, path: str, status: int, media_type: str, body: bytes
    ) -> list[str]:
        """Say what is wrong with an answer; nothing if it is as documented."""
        found = self.find(method, path)
        is_page = media_type.startswith("text/html")
        if found is None:
            return [] if status == 404 and is_page else ["no such operation: expected the HTML 404"]
        if is_page:
            return ["the HTML 404 for an operation that exists"]
        responses = self.operations[found]["responses"]
        if str(status) not in responses and str(status) not in ANY_STATUS:
            return [f"status {status} is not documented; {sorted(responses)} are"]
        text = body.decode()
        if media_type.startswith("text/plain") and found in TEXTS:
            known = any(re.fullmatch(pattern, text) for pattern in TEXTS[found])
            return [] if known else [f"unknown text {text!r}"]
        return self._json_problems(media_type, text, self._answer_schema(found, status))

    def _answer_schema(self, operation: tuple[str, str], status: int) -> Schema:
        envelope = {"$ref": "#/definitions/IterableApiResponse"}
        if status >= 400:
            return {"anyOf": [envelope, {"$ref": "#/definitions/ErrorHttpResponse"}]}
        responses = self.operations[operation]["responses"]
        # Where no schema is documented, what the API says everywhere is expected.
        documented = responses.get(str(status), {}).get("schema") or responses["200"].get("schema")
        if operation not in WRAPPED:
            return documented or envelope
        return {"allOf": [envelope, {"required": ["params"], "properties": {"params": documented}}]}

    def _json_problems(self, media_type: str, text: str, schema: Schema) -> list[str]:
        if schema.get("type") == "string":
            plain = media_type.startswith("text/plain")
            return [] if plain else [f"expected text/plain, not {media_type}"]
        if not media_type.startswith("application/json"):
            return [f"expected application/json, not {media_type}"]
        try:
            value = json.loads(text)
        except ValueError as error:
            return [f"no JSON: {error}"]
        return self._problems(value, schema)

    def request_problems(self, method: str, path: str, body: Any) -> list[str]:
        """Say what is wrong with the body of a request; nothing if it is as documented."""
        return self._problems(body, self.body((method.lower(), path)))

    def _problems(self, value: Any, schema: Schema) -> list[str]:
        validator = jsonschema.Draft4Validator({**schema, "definitions": self._definitions})
        return [
            f"{error.json_path}: {error.message}"
            for error in _leaves(list(validator.iter_errors(value)))
        ]

    def body(self, operation: tuple[str, str]) -> Schema:
        """Return the schema of an operation's body, or an empty one where it has none."""
        for parameter in self.operations[operation].get("parameters", ()):
            if parameter["in"] == "body":
                return self.resolved(parameter["schema"])
        return {}

    def resolved(self, schema: Schema) -> Schema:
        """Follow a reference."""
        name = schema.get("$ref", "").rpartition("/")[2]
        return self._definitions[name] if name else schema


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        bool(segment) if own.startswith("{") else own == unquote(segment)
        for own, segment in zip(template, segments, strict=True)
    )


def _leaves(
    errors: list[jsonschema.ValidationError],
) -> Iterator[jsonschema.ValidationError]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error
