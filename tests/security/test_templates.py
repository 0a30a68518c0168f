"""Templates are for what the author of a DAG writes; what rows hold is never one: S6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from security import canaries

if TYPE_CHECKING:
    from security.stage import Stage

pytestmark = pytest.mark.parametrize("stage", ["duckdb", "postgres"], indirect=True)

TEMPLATES = [
    "{{ conn.iterable_default.password }}",
    "{{ conn.get('iterable_default').password }}",
    "{{ ti.task.sql }}",
    "{{ 7 * 7 }}",
    "{% raw %}{{ ds }}{% endraw %}",
    "{# a comment #}",
    "${jndi:ldap://127.0.0.1/x}",
    "%(password)s {password} $password",
]


@pytest.mark.failure("S6")
def test_a_template_in_a_row_arrives_literally(stage: Stage):
    """In texts, in JSON, and in a key."""
    stage.put(*((t, f"u{i}@example.com", t, t, None, i) for i, t in enumerate(TEMPLATES)))
    build = "json_object" if stage.world.engine == "duckdb" else "json_build_object"

    done = stage.run(stage.model(f"{build}('a', name) AS pairs"))

    assert "success" == done.state
    assert {
        f"u{i}@example.com": (template, template, template) for i, template in enumerate(TEMPLATES)
    } == {
        email: (fields["name"], fields["phone"], fields["pairs"]["a"])
        for email, fields in stage.world.users().items()
    }
    assert [] == canaries.found_in(stage.everything())


def test_a_template_of_the_author_is_rendered(stage: Stage):
    """Otherwise the test above would show nothing."""
    done = stage.run(stage.model("'{{ 7 * 7 }}' AS day", where="WHERE points = 1"))

    assert "success" == done.state
    assert "49" == stage.world.users()[canaries.email(1)]["day"]


@pytest.mark.failure("S6")
def test_what_a_template_gives_is_not_rendered_again(stage: Stage):
    stage.run(stage.model("'{{ '{{ 7 * 7 }}' }}' AS day", where="WHERE points = 1"))

    assert "{{ 7 * 7 }}" == stage.world.users()[canaries.email(1)]["day"]
