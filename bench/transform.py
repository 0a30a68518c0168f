"""
Rows to request bodies: the product's way beside ``iterrows`` and ``json.dumps``, in one process.

A first sync: 20 columns, all of them sent. Both ways end in bodies of at most 1,000 rows; ours also
checks every value, keeps ids and decimals exact and knows which fields each row has. Prints one
JSON line and ends with 1 if ours is not 8 times as fast.

    python bench/transform.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent / "plugins"))

from iterable_sync.batching import split
from iterable_sync.objects import get
from iterable_sync.payloads import as_block
from iterable_sync.rows import Column, ProjectType, Role, StateType, WireType
from iterable_sync.sync_object import MapContext

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 20_000
BATCH_ROWS = 1_000
BATCH_BYTES = 4_000_000
TIMES_FASTER = 8
FIRST_NAMES = ("Zoë", "Ana", "Jürgen", "Mary-Ann", "O'Neil", "李", "Sam", "Renée")
CITIES = ("Berlin", "São Paulo", "New York", "Malmö", "Kraków", "Lyon")

S, W = StateType, WireType
KINDS: tuple[tuple[str, StateType, WireType], ...] = (
    ("userId", S.TEXT, W.STRING),
    ("email", S.TEXT, W.STRING),
    ("firstName", S.TEXT, W.STRING),
    ("lastName", S.TEXT, W.STRING),
    ("city", S.TEXT, W.STRING),
    ("plan", S.TEXT, W.STRING),
    ("note", S.TEXT, W.STRING),
    ("phoneNumber", S.TEXT, W.STRING),
    ("orders", S.BIGINT, W.LONG),
    ("points", S.BIGINT, W.LONG),
    ("warehouseId", S.BIGINT, W.LONG),
    ("score", S.DOUBLE, W.DOUBLE),
    ("rate", S.DOUBLE, W.DOUBLE),
    ("revenue", S.DECIMAL, W.DOUBLE),
    ("balance", S.DECIMAL, W.DOUBLE),
    ("isMember", S.BOOLEAN, W.BOOLEAN),
    ("hasConsent", S.BOOLEAN, W.BOOLEAN),
    ("signedUpAt", S.TEXT, W.DATETIME),
    ("lastSeenAt", S.TEXT, W.DATETIME),
    ("preferences", S.TEXT, W.JSON),
)
ROLES = {"userId": Role.USER_ID, "email": Role.EMAIL}
COLUMNS = tuple(
    Column(name, name, state, wire, place, scale=2, role=ROLES.get(name, Role.FIELD))
    for place, (name, state, wire) in enumerate(KINDS)
)
CONTEXT = MapContext(COLUMNS, ProjectType.USER_ID, known_types={"email": "string"})


def frame(start: int, rows: int) -> pd.DataFrame:
    """Make a chunk of the plan, as the state gives it."""
    numbers = range(start, start + rows)
    money = pa.decimal128(38, 2)
    times = [f"2024-{n % 12 + 1:02}-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}" for n in numbers]
    columns = {
        "_seq": pa.array(numbers, pa.int64()),
        "_op": ["added"] * rows,
        "_mask": ["1" * len(COLUMNS)] * rows,
        "_identity": [f"userId:U-{n:08}" for n in numbers],
        "userId": [f"U-{n:08}" for n in numbers],
        "email": [f"person.{n}@example.com" for n in numbers],
        "firstName": [FIRST_NAMES[n % 8] for n in numbers],
        "lastName": [f"Family {n % 9973}" for n in numbers],
        "city": [CITIES[n % 6] for n in numbers],
        "plan": [("free", "pro", None)[n % 3] for n in numbers],
        "note": [f'said "{n}"' if n % 50 == 0 else "no remarks at all" for n in numbers],
        "phoneNumber": [f"+1415{n % 10**7:07}" if n % 4 else None for n in numbers],
        "orders": pa.array([n % 50 for n in numbers], pa.int64()),
        "points": pa.array([n * 7 if n % 5 else None for n in numbers], pa.int64()),
        "warehouseId": pa.array([9_007_199_254_740_993 + n for n in numbers], pa.int64()),
        "score": [n / 7 for n in numbers],
        "rate": [float(n % 100) for n in numbers],
        "revenue": pa.array([Decimal(n * 13) / 100 for n in numbers], money),
        "balance": pa.array([Decimal(n) if n % 3 else None for n in numbers], money),
        "isMember": [n % 2 == 0 for n in numbers],
        "hasConsent": [n % 3 == 0 for n in numbers],
        "signedUpAt": [f"{time}:00.123456+00:00" for time in times],
        "lastSeenAt": [f"{time}:{n % 60:02}+00:00" for n, time in zip(numbers, times, strict=True)],
        "preferences": [f'{{"size":"M","visits":{n},"tags":["a","b"]}}' for n in numbers],
    }
    table: pd.DataFrame = pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)
    return table


def ours(chunk: pd.DataFrame) -> list[bytes]:
    """Go the product's way."""
    users = get("users")
    payloads, rejections = users.payloads(chunk, CONTEXT)
    batches = split(
        payloads,
        rejections,
        seq_lo=int(chunk["_seq"].iloc[0]),
        seq_hi=int(chunk["_seq"].iloc[-1]),
        max_rows=BATCH_ROWS,
        max_bytes=BATCH_BYTES,
        overhead_bytes=len(users.body([], create_new_fields=False)),
    )
    return [
        users.body([as_block(batch.payloads).joined()], create_new_fields=False)
        for batch in batches
    ]


def usual_frame(start: int, rows: int) -> pd.DataFrame:
    """Make the same rows as a script has them: pandas' own types, times as times."""
    table = pa.Table.from_pandas(frame(start, rows)).select([name for name, _, _ in KINDS])
    for place, (name, _, wire) in enumerate(KINDS):
        if wire is W.DATETIME:
            times = table.column(name).cast(pa.timestamp("us", "UTC"))
            table = table.set_column(place, name, times)
    plain: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return plain


def usual(chunk: pd.DataFrame) -> list[bytes]:
    """Do what a script does, row by row."""
    bodies, users = [], []
    for _, row in chunk.iterrows():
        data = {}
        for name, _, wire in KINDS[1:]:
            value = row[name]
            if pd.isna(value):
                continue
            if wire is W.DATETIME:
                value = value.strftime("%Y-%m-%d %H:%M:%S +00:00")
            elif wire is W.JSON:
                value = json.loads(value)
            elif isinstance(value, Decimal):
                value = float(value)
            data[name] = value
        users.append({"userId": row["userId"], "dataFields": data, "mergeNestedObjects": True})
        if len(users) == BATCH_ROWS:
            bodies.append(json.dumps({"users": users, "createNewFields": False}).encode())
            users = []
    if users:
        bodies.append(json.dumps({"users": users, "createNewFields": False}).encode())
    return bodies


def measure(
    make: Callable[[int, int], pd.DataFrame],
    way: Callable[[pd.DataFrame], list[bytes]],
    rows: int,
) -> tuple[float, int]:
    """Give the CPU seconds that *way* takes, making the frames not counted, and its bytes."""
    seconds, size = 0.0, 0
    for start in range(0, rows, CHUNK):
        chunk = make(start, min(CHUNK, rows - start))
        before = time.process_time()
        size += sum(map(len, way(chunk)))
        seconds += time.process_time() - before
    return seconds, size


def main() -> int:
    """Measure both ways and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    measure(frame, ours, 1_000)
    our_seconds, size = measure(frame, ours, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    usual_rows = min(rows, 20_000)
    usual_seconds, _ = measure(usual_frame, usual, usual_rows)
    times = (usual_seconds / usual_rows) / (our_seconds / rows)
    print(
        json.dumps(
            {
                "benchmark": "transform",
                "rows": rows,
                "columns": len(COLUMNS),
                "rows_per_s": round(rows / our_seconds),
                "cpu_s_per_million_rows": round(our_seconds / rows * 1e6, 2),
                "bytes_per_row": round(size / rows),
                "iterrows_rows_per_s": round(usual_rows / usual_seconds),
                "iterrows_cpu_s_per_million_rows": round(usual_seconds / usual_rows * 1e6, 2),
                "times_faster": round(times, 1),
                "peak_rss_mb": round(peak),
                "python": platform.python_version(),
                "pandas": pd.__version__,
                "pyarrow": pa.__version__,
            }
        )
    )
    return 0 if times >= TIMES_FASTER else 1


if __name__ == "__main__":
    sys.exit(main())
