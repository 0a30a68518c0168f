"""Whatever is sent, the sandbox answers as an API does."""

from __future__ import annotations

from http.client import HTTPConnection

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(["email", "userId", "dataFields", "a", "a.b", "x_geo_location", "users"])
TEXTS = st.sampled_from(["", "U1", "a@example.com", "bad@", "2020-01-01", "ü", "\x00", "<b>"])
LEAVES = st.none() | st.booleans() | TEXTS | st.floats() | st.integers(-(2**63), 2**64 - 1)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
USERS = st.fixed_dictionaries(
    {}, optional={"email": TEXTS | LEAVES, "userId": TEXTS, "dataFields": VALUES}
)
BODIES = st.fixed_dictionaries({"users": st.lists(USERS, max_size=4)}) | VALUES


@given(body=BODIES)
@settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_body_breaks_the_sandbox_and_every_row_is_counted(sandbox, body):
    """Each row is counted once, and in a hybrid project no identifier has two profiles."""
    # The people of earlier examples stay: conflicts need somebody to be in conflict with.
    connection = HTTPConnection("127.0.0.1", sandbox.server.port, timeout=10)
    connection.request("POST", "/api/users/bulkUpdate", orjson.dumps(body), sandbox.headers)
    answer = connection.getresponse()
    parsed = orjson.loads(answer.read())
    connection.close()

    assert answer.status in (200, 400)
    if answer.status == 200:
        assert parsed["successCount"] + parsed["failCount"] == len(body["users"])
        assert parsed["failCount"] == sum(map(len, parsed["failedUpdates"].values()))

        state = sandbox.get("/__sandbox__/state").json()
        assert state["count"] == len(state["users"])
        for identifier in ("email", "userId"):
            held = [user[identifier] for user in state["users"] if identifier in user]
            assert len(held) == len(set(held))
