"""
The script that teams write today: read, ``to_dict``, ``requests.post``. For comparison only.

It keeps no state, reads no answer but its status, and sends everything each time.
"""

from __future__ import annotations

import argparse
import json

import duckdb
import pandas as pd
import requests

from common import MODEL, SANDBOX_KEY, Cpu, peak_rss_mb

_ROWS = 1_000


def main() -> None:
    """Send all users and print what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse")
    parser.add_argument("url")
    arguments = parser.parse_args()

    session = requests.Session()
    session.headers["Api-Key"] = SANDBOX_KEY
    sent = 0
    with Cpu() as used:
        connection = duckdb.connect(arguments.warehouse, read_only=True)
        result = connection.execute(MODEL)
        # Chunks of DuckDB's vectors: 2,048 rows each.
        while len(frame := result.fetch_df_chunk(5)):
            for column in frame.select_dtypes(["datetime", "datetimetz"]):
                frame[column] = frame[column].dt.strftime("%Y-%m-%d %H:%M:%S +00:00")
            rows = frame.rename(columns={"user_id": "userId"}).to_dict("records")
            for start in range(0, len(rows), _ROWS):
                users = [
                    {
                        "userId": row.pop("userId"),
                        "dataFields": {k: None if pd.isna(v) else v for k, v in row.items()},
                        "mergeNestedObjects": True,
                    }
                    for row in rows[start : start + _ROWS]
                ]
                answer = session.post(
                    f"{arguments.url}/api/users/bulkUpdate", json={"users": users}, timeout=30
                )
                answer.raise_for_status()
                sent += len(users)
    print(
        json.dumps(
            {"sent": sent, "wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_rss_mb": peak_rss_mb()}
        )
    )


if __name__ == "__main__":
    main()
