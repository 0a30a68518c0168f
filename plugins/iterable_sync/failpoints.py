"""
The moments of a run at which tests let it die, raise or hang.

In production :func:`failpoint` does nothing. A test that wants a run to end at a moment installs a
hook in the process that runs it; no setting and no variable of the environment reaches here.

=========================  =========================================================================
name                       the moment
=========================  =========================================================================
``lease_taken``            this run holds the sync, and has not looked at what an older one left
``mid_query``              the model's rows are on their way into the stage
``planned``                the plan is written, nothing was sent
``ledger_written``         a batch is in the journal as open, its request has not started
``mid_upload``             the head of a request is sent, or a part of its body
``applied_no_answer``      Iterable has handled a request, its answer was not read
``answered_uncommitted``   the answer was read, and is recorded nowhere
``mid_transaction``        some batches are settled, the next ones not opened, nothing committed
``between_batches``        answers are in, the recorder is about to record them
``writing_rejects``        a fold has written rejections, and has not committed
``before_close``           all is folded and committed, the run still counts as running
``writing_report``         the report is written, and not committed
=========================  =========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = (
    "lease_taken",
    "mid_query",
    "planned",
    "ledger_written",
    "mid_upload",
    "applied_no_answer",
    "answered_uncommitted",
    "mid_transaction",
    "between_batches",
    "writing_rejects",
    "before_close",
    "writing_report",
)

_hooks: list[Callable[[str], None]] = []


def failpoint(name: str) -> None:
    """Tell the installed hook, if there is one, that the run has come to the moment *name*."""
    for hook in _hooks:
        hook(name)


def install(hook: Callable[[str], None] | None) -> None:
    """Let *hook* be called with the name of each moment, from any thread; None takes it out."""
    _hooks[:] = [hook] if hook is not None else []
