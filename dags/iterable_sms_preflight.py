"""
Look before a text-message campaign whether the people whom it is for can be texted.

Counts people, phones that can be dialled, opt-ins, and who has both: the only ones to whom an event
with the option ``sms_consent`` goes. It reads the warehouse alone. Fewer than 90 % of those who
opted in with a valid phone fail the task; the log has the counts by country.

Connection: as ``warehouse`` in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from iterable_sync import IterableSmsPreflightOperator

with DAG(
    dag_id="iterable_sms_preflight",
    description="Who can be texted: valid phones and opt-ins",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    IterableSmsPreflightOperator(
        task_id="count_who_can_be_texted",
        sql="models/sms_preflight.sql",
        warehouse_conn_id="warehouse",
        min_reachable=0.9,
    )
