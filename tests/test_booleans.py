from __future__ import annotations

import pytest

from iterable_sync.booleans import strict_bool
from iterable_sync.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(True, True, id="a bool"),
        pytest.param(False, False, id="a false bool"),
        pytest.param("true", True, id="as JSON writes it"),
        pytest.param("True", True, id="as Jinja renders Python's"),
        pytest.param("false", False, id="the text false is False"),
        pytest.param(" FALSE\n", False, id="blanks and case do not matter"),
    ],
)
def test_a_boolean_is_read(given: object, expected: bool):
    actual = strict_bool(given, "task 'x': full_resync")

    assert expected is actual


@pytest.mark.parametrize("given", ["maybe", "", "yes", "1", "None", 1, 0, None, [], {"a": "b"}])
def test_what_only_resembles_a_boolean_is_an_error(given: object):
    with pytest.raises(ConfigError, match=r"^task 'x': full_resync is .*true or false$"):
        strict_bool(given, "task 'x': full_resync")
