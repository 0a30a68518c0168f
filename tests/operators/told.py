"""Operators whose run is a stand-in: it notes what it was told, and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from iterable_sync.rows import RunReport

if TYPE_CHECKING:
    from iterable_sync.spec import SyncSpec


class Told:
    """Mixed into the class of an operator, before it."""

    specs: ClassVar[list[SyncSpec]] = []
    """What the runs of a test were told, oldest first."""

    def _run(self, spec: SyncSpec) -> RunReport:
        self.specs.append(spec)
        return RunReport(sync=spec.sync, run_id="r1", queried=3, accepted=3)
