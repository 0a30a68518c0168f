"""Models without Airflow: what Jinja gets, and what it says of a mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from iterable_sync import sqlfiles
from iterable_sync.errors import ConfigError
from iterable_sync.models import render

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty ``sql/models/``, which is the package's own for a test."""
    folder = tmp_path / "sql" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sqlfiles, "_PACKAGE", tmp_path)
    return folder


def test_a_model_has_the_moment_and_the_settings_that_it_names(models: Path):
    """A setting that is not given has the default that the model says."""
    (models / "some.sql").write_text(
        "SELECT '{{ as_of }}', {{ params.a_s | default(3600) }}, {{ params.b_s | default(60) }}"
    )

    sql = render("models/some.sql", as_of=DAY, a_s=7200)

    assert sql == "SELECT '2026-01-02T00:00:00+00:00', 7200, 60"


def test_a_moment_stands_in_utc(models: Path):
    """Of one moment there is one text, wherever the caller is."""
    (models / "some.sql").write_text("{{ as_of }}")
    there = timezone(timedelta(hours=-8))

    assert render("models/some.sql", as_of=DAY.astimezone(there)) == "2026-01-02T00:00:00+00:00"


def test_a_moment_without_a_zone_is_refused(models: Path):
    (models / "some.sql").write_text("{{ as_of }}")

    with pytest.raises(ConfigError, match="as_of needs a time zone"):
        render("models/some.sql", as_of=DAY.replace(tzinfo=None))


def test_nothing_is_escaped_as_in_a_page(models: Path):
    (models / "some.sql").write_text("SELECT 1 WHERE '<' < '{{ params.text }}'")

    assert render("models/some.sql", as_of=DAY, text="<&>") == "SELECT 1 WHERE '<' < '<&>'"


def test_a_model_may_build_on_another(models: Path):
    (models / "one.sql").write_text("SELECT '{{ as_of }}' AS day")
    (models / "two.sql").write_text("SELECT day FROM ({% include 'models/one.sql' %}) AS one")

    sql = render("models/two.sql", as_of=DAY)

    assert sql == "SELECT day FROM (SELECT '2026-01-02T00:00:00+00:00' AS day) AS one"


def test_what_is_no_file_is_the_model_itself(models: Path):
    """As an operator takes ``sql=``; it may include a file as well."""
    (models / "one.sql").write_text("SELECT {{ params.n }} AS n")

    sql = render("SELECT n FROM ({% include 'models/one.sql' %}) AS one", as_of=DAY, n=2)

    assert sql == "SELECT n FROM (SELECT 2 AS n) AS one"
    with pytest.raises(ConfigError, match="the query: 'asof' is undefined"):
        render("SELECT '{{ asof }}'", as_of=DAY)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param("{{ asof }}", "models/some.sql: 'asof' is undefined", id="name"),
        pytest.param(
            "{{ params.window_s }}", "models/some.sql: .*no attribute 'window_s'", id="setting"
        ),
        pytest.param("SELECT 1\n{{ as_of", "models/some.sql, line 2: ", id="no template"),
        pytest.param(
            "{% include 'models/no.sql' %}", "includes 'models/no.sql': none in", id="include"
        ),
    ],
)
def test_a_mistake_in_a_model_names_file_and_place(models: Path, sql: str, message: str):
    (models / "some.sql").write_text(sql)

    with pytest.raises(ConfigError, match=message):
        render("models/some.sql", as_of=DAY)


@pytest.mark.parametrize("name", ["models/no_such.sql", "../secret.sql"])
def test_a_file_that_is_no_model_is_named_and_where_it_was_looked_for(models: Path, name: str):
    (models.parents[1] / "secret.sql").write_text("SELECT 1")

    with pytest.raises(ConfigError, match=f"no model '{name}' in {models.parent}"):
        render(name, as_of=DAY)


def test_every_model_can_be_rendered_without_a_setting():
    """What a model does not say a default of would be a task that fails at night."""
    root = sqlfiles.sql_root()
    names = [str(path.relative_to(root)) for path in root.glob("models/**/*.sql")]

    assert names
    for name in names:
        assert "SELECT" in render(name, as_of=DAY), name
