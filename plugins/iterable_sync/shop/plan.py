"""The tasks of a shop in their order, worked out of its config. Knows no Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iterable_sync.naming import snake_case
from iterable_sync.shop.streams import SETTLE, STREAMS, WITHOUT_PEOPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.shop.config import ListConfig, ShopConfig


@dataclass(frozen=True, slots=True)
class Task:
    """
    One task of the DAG.

    Args:
        stream: the stream that it is of; ``settle`` is of none.

        object: the sync object; None for ``settle``.

        arguments: of its operator, besides the task's id.

        after: ids of the tasks right before it.
    """

    task_id: str
    stream: str
    object: str | None
    arguments: dict[str, Any]
    after: tuple[str, ...]


def planned(config: ShopConfig) -> list[Task]:
    """
    Give the tasks, each behind those that it builds on.

    One after the other if the shop is serial. Else all that is about people follows ``settle``, and
    a stream the one before it in its lane: side by side they would only wait for each other.
    """
    tasks: list[Task] = []
    of_stream: dict[str, tuple[str, ...]] = {}
    last_of_lane: dict[str, str] = {}

    def add(task_id: str, stream: str, object_: str | None, arguments: dict[str, Any]) -> None:
        lane = STREAMS[stream].lane if stream in STREAMS else "profiles"
        if config.serial:
            after = [task.task_id for task in tasks[-1:]]
        else:
            before = config.after(stream) if stream in STREAMS else {"users"}
            after = [last for name in before for last in of_stream.get(name, ())[-1:]]
            if SETTLE in of_stream and stream not in {SETTLE, *WITHOUT_PEOPLE}:
                after = [SETTLE, *(task_id for task_id in after if task_id != "users")]
            after += [last_of_lane[lane]] if lane in last_of_lane else []
        tasks.append(Task(task_id, stream, object_, arguments, tuple(sorted(set(after)))))
        of_stream[stream] = (*of_stream.get(stream, ()), task_id)
        last_of_lane[lane] = task_id

    for stream in config.order():
        if stream == "lists":
            for name, of_list in config.lists.items():
                task_id = f"list_{snake_case(name)}"
                add(task_id, stream, "lists", _of_list(config, task_id, name, of_list))
            continue
        sync = STREAMS[stream].sync or stream
        add(stream, stream, STREAMS[stream].object, _arguments(config, stream, sync))
        if stream == "users":
            add(SETTLE, SETTLE, None, _of_settle(config))
    return tasks


def _arguments(config: ShopConfig, stream: str, sync: str, **given: Any) -> dict[str, Any]:
    of, by_itself = config.of(stream), STREAMS[stream]
    return {
        "sync": f"{config.name}.{sync}",
        "sql": of.sql or by_itself.sql,
        "key": list(of.key or by_itself.key),
        "warehouse_conn_id": config.connections.warehouse,
        **_iterable_and_state(config),
        "fields": _fields(config, stream) | of.fields or None,
        "guards": {**by_itself.guards, **of.guards.model_dump(exclude_unset=True)} or None,
        "thresholds": of.thresholds,
        "first_sync": of.first_sync,
        "on_held": of.on_held,
        "options": _options(config, stream) | given | of.options,
        "params": config.settings() | of.params,
        **_pool(of.pool or config.pool),
    }


def _fields(config: ShopConfig, stream: str) -> dict[str, Any]:
    """Let the users of the packaged model have their phone numbers in E.164."""
    has_phones = stream == "users" and config.of(stream).sql is None
    return {"phoneNumber": {"type": "phone"}} if has_phones and config.phone_region else {}


def _options(config: ShopConfig, stream: str) -> dict[str, Any]:
    by_itself = STREAMS[stream]
    options: dict[str, Any] = {"dry_run": "{{ params.dry_run }}", **by_itself.options}
    if by_itself.object in {"orders", "events"}:
        options["since"] = config.since
    if stream not in WITHOUT_PEOPLE and (users := config.requires()):
        options["requires"] = users
    if stream == "catalog":
        options |= {"catalog": config.catalog, "create_catalog": True, "on_remove": "delete"}
    if config.is_sms(stream):
        options["sms_consent"] = True
    if config.phone_region and (stream == "users" or config.is_sms(stream)):
        options["phone_region"] = config.phone_region
    return options


def _of_list(config: ShopConfig, task_id: str, name: str, of_list: ListConfig) -> dict[str, Any]:
    by_id = {"list_id": of_list.list_id}
    by_name = {"list_name": name, "create_list": of_list.create_list}
    arguments = _arguments(
        config,
        "lists",
        task_id,
        adopt_list=of_list.adopt_list,
        **(by_name if of_list.list_id is None else by_id),
    )
    return arguments | {"sql": _members(arguments["sql"], arguments["key"], of_list.where)}


def _members(sql: str, key: Sequence[str], where: str) -> str:
    """Give the query of a list: who has memberships that meet its condition, each of them once."""
    model = f"{{% include '{sql}' %}}" if sql.endswith(".sql") else sql
    columns = ", ".join(dict.fromkeys([*key, "email"]))
    return f"SELECT DISTINCT {columns}\nFROM (\n{model}\n) AS memberships\nWHERE {where}"


def _of_settle(config: ShopConfig) -> dict[str, Any]:
    return {
        "sync": f"{config.name}.users",
        # A dry run has sent nobody that could be waited for.
        "settle": "{{ 0 if params.dry_run else params.settle_s }}",
        "deferrable": True,
        "warehouse_conn_id": config.connections.warehouse,
        **_iterable_and_state(config),
        **_pool(config.pool),
    }


def _iterable_and_state(config: ShopConfig) -> dict[str, Any]:
    of = config.connections
    return {"iterable_conn_id": of.iterable, "state_conn_id": of.state}


def _pool(pool: str | None) -> dict[str, Any]:
    return {} if pool is None else {"pool": pool}
