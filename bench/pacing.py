"""
What a storm of 429 costs: a limit of 5/s, four threads at 4/s, and strangers beside them.

For ten seconds strangers send 3/s to the same endpoint. After that less than 1 % of the requests
may be refused and at least 90 % of the configured rate has to be used. Counted by the history of a
sandbox in another process. Prints one JSON line.

    python bench/pacing.py --seconds 60
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from typing import Any

import requests

from common import SANDBOX_KEY, machine, sandbox, workspace
from iterable_sync.client import IterableClient
from iterable_sync.delivery import Deliverer
from iterable_sync.objects import get
from iterable_sync.pacing import Pacer
from iterable_sync.rows import Batch, Payload, Project, ProjectType

_USERS = get("users")
_RATE = 4.0
_LIMIT = 5.0
_STRANGERS_PER_S = 3.0
_STORM_S = 10.0


def control(url: str, path: str, **settings: Any) -> Any:
    """Ask the sandbox's controls; with settings, change them."""
    address = f"{url}/__sandbox__/{path}"
    answer = requests.request(
        "POST" if settings else "GET", address, json=settings or None, timeout=30
    )
    answer.raise_for_status()
    return answer.json()


def batch(number: int) -> Batch:
    """Give a batch of one row."""
    email = f"user{number}@example.com"
    row = Payload(
        seq=1,
        identity=f"email:{email}",
        identifiers=frozenset({email}),
        body=json.dumps({"email": email, "preferUserId": False}).encode(),
        fields=(),
    )
    return Batch(number=number, seq_lo=1, seq_hi=1, payloads=[row])


def main() -> None:
    """Measure and print the line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=60.0, help="after the storm")
    parser.add_argument("--threads", type=int, default=4)
    arguments = parser.parse_args()
    with workspace() as directory, sandbox(directory) as url:
        control(url, "settings", rate_limits=True, limits={"users/bulkUpdate": _LIMIT})
        project = Project("1", "us", ProjectType.HYBRID)
        client = IterableClient(SANDBOX_KEY, project, base_url=url, sandbox=True)
        deliverer = Deliverer(client, _USERS, Pacer(_RATE))
        began = time.monotonic()
        until = began + _STORM_S + arguments.seconds

        def ours(place: int) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                deliverer.deliver(batch(number * arguments.threads + place))

        def strangers() -> None:
            while time.monotonic() < began + _STORM_S:
                client.send("POST", _USERS.path, b'{"users":[{"email":"stranger@example.com"}]}')
                time.sleep(1 / _STRANGERS_PER_S)

        threads = [threading.Thread(target=ours, args=(n,)) for n in range(arguments.threads)]
        threads.append(threading.Thread(target=strangers))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        entries = control(url, "history?limit=100000&path=/api/users/bulkUpdate")["requests"]
    # Of one machine, so one monotonic clock.
    early = [e for e in entries if e["time"] < began + _STORM_S]
    late = [e for e in entries if began + _STORM_S <= e["time"] < until]
    times = [e["time"] for e in late]
    refused = sum(e["status"] == 429 for e in late)
    print(
        json.dumps(
            {
                "bench": "pacing",
                "limit_per_s": _LIMIT,
                "rate_per_s": _RATE,
                "threads": arguments.threads,
                "refused_in_storm": sum(e["status"] == 429 for e in early),
                "requests_after": len(late),
                "refused_after": round(refused / len(late), 4),
                "rate_used": round((len(late) - refused) / (_RATE * arguments.seconds), 3),
                "most_in_a_second": max(sum(t <= x < t + 1 for x in times) for t in times),
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
