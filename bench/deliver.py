"""
What delivering a batch costs: from 1,000 mapped rows to one outcome per row.

Batches of users of 20 columns go to a sandbox in another process, pacing off, one after the other;
every row is accepted. Only the CPU of this process is counted, HTTP included; mapping is not.
Prints one JSON line.

    python bench/deliver.py --batches 300
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from common import SANDBOX_KEY, machine, peak_rss_mb, sandbox, workspace
from iterable_sync.batching import split
from iterable_sync.client import IterableClient
from iterable_sync.delivery import Deliverer
from iterable_sync.objects import get
from iterable_sync.pacing import Pacer
from iterable_sync.rows import Batch, Project, ProjectType
from transform import BATCH_BYTES, BATCH_ROWS, CHUNK, CONTEXT, frame

if TYPE_CHECKING:
    from collections.abc import Mapping

_USERS = get("users")


def mapped(known_types: Mapping[str, str]) -> list[Batch]:
    """Map one chunk and cut it into batches."""
    context = replace(CONTEXT, project_type=ProjectType.HYBRID, known_types=known_types)
    payloads, rejections = _USERS.payloads(frame(0, CHUNK), context)
    return split(
        payloads,
        rejections,
        seq_lo=0,
        seq_hi=CHUNK - 1,
        max_rows=BATCH_ROWS,
        max_bytes=BATCH_BYTES,
        overhead_bytes=len(_USERS.body([], create_new_fields=False)),
    )


def main() -> None:
    """Measure and print the line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--batches", type=int, default=200)
    wanted = parser.parse_args().batches
    with workspace() as directory, sandbox(directory) as url:
        client = IterableClient(
            SANDBOX_KEY, Project("1", "us", ProjectType.HYBRID), base_url=url, sandbox=True
        )
        deliverer = Deliverer(client, _USERS, Pacer(math.inf))
        first = mapped({})[0]
        first.new_fields = frozenset(name for row in first.payloads for name in row.fields)
        if deliverer.deliver(first).in_doubt:
            raise SystemExit("the sandbox did not take the first batch")
        batches = mapped(client.known_fields())
        seconds = wall = 0.0
        sent_bytes = rows = unsettled = 0
        gc.collect()
        for number in range(wanted):
            batch = batches[number % len(batches)]
            cpu, begun = time.process_time(), time.perf_counter()
            result = deliverer.deliver(batch)
            seconds += time.process_time() - cpu
            wall += time.perf_counter() - begun
            sent_bytes += result.bytes_sent
            rows += len(batch.payloads)
            unsettled += len(result.in_doubt) + len(result.rejections) + len(result.uncreated)
        if unsettled:
            raise SystemExit(f"{unsettled} rows were not simply accepted")
    print(
        json.dumps(
            {
                "bench": "deliver",
                "batches": wanted,
                "rows": rows,
                "cpu_ms_per_batch": round(seconds / wanted * 1e3, 3),
                "wall_ms_per_batch": round(wall / wanted * 1e3, 2),
                "bytes_per_batch": round(sent_bytes / wanted),
                "peak_rss_mb": peak_rss_mb(),
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
