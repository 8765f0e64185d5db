"""The tree of everything that can go wrong while a run is under way.

Every message names the thing, the place and the remedy. All arguments are passed positionally to the base class, because
simpy re-creates a failure as ``type(error)(*error.args)`` and would otherwise turn it into a ``TypeError``.
"""

from __future__ import annotations


class BenchwrightError(Exception):
    """Anything a user can be told about; never shown as a traceback."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message} ({self.help})" if self.help else self.message


class UsageError(BenchwrightError):
    """The command was asked for something that does not exist or does not fit (exit code 2)."""


class StepError(BenchwrightError):
    """A step could not do its work; its outcome is ``error``."""


class StepTimeout(StepError):
    """A step did not finish in its time."""


class EvaluationFailed(StepError):
    """An expression has no value here: a division by zero, a name that was skipped."""


class GuardViolation(StepError):
    """A value lies outside what the station allows; nothing was sent."""


class InstrumentError(StepError):
    """An instrument said, or did, something it should not."""


class ConnectionFailed(InstrumentError):
    """An instrument could not be reached, or the connection to it is gone."""


class CommunicationFailed(InstrumentError):
    """A command could not be sent or its reply not be read."""


class ReplyTimeout(CommunicationFailed):
    """An instrument did not answer in its time."""


class UnreadableReply(CommunicationFailed):
    """An instrument answered with something its driver cannot read."""


class RunAborted(BenchwrightError):
    """The run was told to stop: Ctrl-C, SIGTERM or a control command."""


class StoreError(BenchwrightError):
    """The journal cannot be read or written."""
