"""Canned answers: what a test wants to hear next, instead of the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from .answers import Answer

_MEMBERS: dict[str, tuple[type, ...]] = {
    "status": (int,),
    "headers": (dict,),
    "path": (str,),
    "times": (int,),
    "apply": (bool,),
    "delay_s": (int, float),
}


@dataclass(slots=True)
class Canned:
    """
    An answer for the next requests below a path.

    Args:
        body: given as it is if it is text, else as JSON.

        times: how many requests it is for; it is then gone.

        apply: whether the request takes effect, unseen, before the answer is given.

        delay_s: how long the answer is held back; what is applied, is applied before.
    """

    status: int
    body: Any = None
    headers: dict[str, str] | None = None
    path: str = "/api/"
    times: int = 1
    apply: bool = False
    delay_s: float = 0.0

    @classmethod
    def from_json(cls, value: Any) -> Canned:
        """
        Read one as a test sends it.

        Raises:
            ValueError: a member is missing, unknown or of another type.
        """
        if not isinstance(value, dict) or "status" not in value:
            raise ValueError("a canned answer is an object with a status")
        for name, member in value.items():
            if name == "body":
                continue
            kinds = _MEMBERS.get(name)
            if kinds is None:
                raise ValueError(f"unknown member {name!r}; known: body, {', '.join(_MEMBERS)}")
            if type(member) not in kinds:
                raise ValueError(f"member {name!r} has the wrong type")
        if not 200 <= value["status"] <= 599:
            raise ValueError("a status is 200 to 599")
        return cls(**value)

    def answer(self) -> Answer:
        """Return it as an answer."""
        headers = {str(name): str(text) for name, text in (self.headers or {}).items()}
        if isinstance(self.body, str):
            kind = headers.pop("Content-Type", "text/plain; charset=utf-8")
            return Answer(self.status, self.body.encode(), media_type=kind, headers=headers)
        return Answer(self.status, orjson.dumps(self.body), headers=headers)


def take(answers: list[Canned], path: str) -> Canned | None:
    """Return the first of *answers* that is for *path*, and use it up once."""
    for index, canned in enumerate(answers):
        if path.startswith(canned.path):
            canned.times -= 1
            if canned.times <= 0:
                del answers[index]
            return canned
    return None
