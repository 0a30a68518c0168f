from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iterable_sync import sqlfiles
from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the package into an empty folder, with an empty AIRFLOW_HOME elsewhere."""
    package = tmp_path / "site" / "plugins" / "iterable_sync"
    package.mkdir(parents=True)
    monkeypatch.setattr(sqlfiles, "_PACKAGE", package)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param("site/plugins/iterable_sync/sql", id="in the package, as a wheel has it"),
        pytest.param("site/sql", id="beside plugins/, as a checkout or AIRFLOW_HOME has it"),
        pytest.param("home/sql", id="in AIRFLOW_HOME, with plugins elsewhere"),
    ],
)
def test_sql_is_found_where_an_install_puts_it(place: Path, folder: str):
    (place / folder / "models").mkdir(parents=True)

    found = sqlfiles.sql_root()

    assert found == place / folder


def test_the_packages_own_sql_wins(place: Path):
    """Another version's sql/ that lies around must not be mixed with this package's code."""
    own = place / "site/plugins/iterable_sync/sql"
    for folder in (own, place / "home/sql"):
        (folder / "models").mkdir(parents=True)

    assert sqlfiles.sql_root() == own


def test_where_there_is_no_sql_the_error_names_the_places(place: Path):
    with pytest.raises(ConfigError) as caught:
        sqlfiles.sql_root()

    assert str(place / "home" / "sql") in str(caught.value)
    assert str(place / "site" / "sql") in str(caught.value)


def test_the_checkout_has_one():
    assert (sqlfiles.sql_root() / "models").is_dir()
