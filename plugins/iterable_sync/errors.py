"""
The exceptions, grouped by what the caller can do.

::

    IterableSyncError
    |-- ConfigError            do not retry: a person changes SQL, connection or arguments
    |   |-- ModelError         the model SQL or its columns
    |   |-- UnknownList        Iterable does not have the list
    |   +-- PermissionRefused  401 or 403: the key or its rights
    |-- RetryLater             nothing lost: the same run later, after ``delay_s``
    |   |-- StateBusy          another process holds the state database
    |   |-- StateLost          the connection to the state database was lost, or it has no room
    |   +-- LaneBusy           another sync of the project holds the lane
    |-- SyncAborted            a person looks before the next run
    |   |-- DuplicateKeys      the model gives one key twice
    |   |-- LeaseLost          another run took over; this one may not record
    |   +-- CountsDiffer       the run's identities do not add up
    +-- RunSkipped             nothing to do here, and nothing wrong
        |-- AlreadyRunning     the sync's lease is held
        +-- Superseded         a newer run has already completed

Bad *data* is no exception: it is a rejected row with a reason.
No message carries a row value or a secret.
"""

from __future__ import annotations


class IterableSyncError(Exception):
    """What all errors of this package are."""


class ConfigError(IterableSyncError):
    """Something a person has to change; a retry would fail the same way."""


class ModelError(ConfigError):
    """The model SQL, or the columns it returns, cannot be synced."""


class UnknownList(ConfigError):
    """Iterable does not know the list that rows go into, or come out of."""


class PermissionRefused(ConfigError):
    """Iterable answered 401 or 403: the key is wrong, disabled or lacks a right."""


class RetryLater(IterableSyncError):
    """
    The run could not go on now; nothing is lost.

    Args:
        message: where, what, how long.

        delay_s: seconds after which a retry makes sense.
    """

    def __init__(self, message: str, delay_s: float = 60.0) -> None:
        super().__init__(message, delay_s)
        self.message = message
        self.delay_s = delay_s

    def __str__(self) -> str:
        return self.message


class StateBusy(RetryLater):
    """Another process holds the state database."""


class StateLost(RetryLater):
    """The state database went away in mid-work, refused for now, or could not write."""


class LaneBusy(RetryLater):
    """Another sync of the same project holds the lane."""


class SyncAborted(IterableSyncError):
    """The run stopped; a person looks before the next one."""


class DuplicateKeys(SyncAborted):
    """The model returns rows that share a key; nothing was sent."""


class LeaseLost(SyncAborted):
    """Another run took the lease over; this one must neither send nor record."""


class CountsDiffer(SyncAborted):
    """The sums at the end of a run do not meet: a row is unaccounted for."""


class RunSkipped(IterableSyncError):
    """The run has nothing to do, and nothing is wrong."""


class AlreadyRunning(RunSkipped):
    """The lease of this sync is held by another run."""


class Superseded(RunSkipped):
    """A run with a newer ``as_of`` has already completed."""
