"""The four transaction state machines of :rfc:`3261#section-17`, with the Accepted states of :rfc:`6026`.

Theory of operation
===================

A machine is a table with one row per state. A row says, for each input, the next state and what to do on the
way there. An input that is not in the row is absorbed: that is how retransmissions, stray ACKs and late
timers disappear. A row also says which timers run *while the machine is in that state*: at most one that
repeats (a retransmission) and one that ends the state. A timer that the old and the new state share keeps
running, every other one of the old state is stopped, every other one of the new state is started. Actions are
done before the state is entered; an ending timer of 0 s (reliable transports) fires as soon as its state is
entered.

The tables know nothing of messages, transports or clocks: `sipua.sip.transaction` does the actions, the layer
(`sipua.sip.layer`) finds the machine that a message is for.

INVITE client (:rfc:`3261#section-17.1.1`, :rfc:`6026#section-8.4`)::

                           | INVITE sent
                           v
         300-699  +---  CALLING  ---+  2xx           A: INVITE again
           (ACK)  |     |  |        |                B: time-out
      +-----------+     |  | 1xx    +------------+
      |                 |  v                     |
      |  300-699  +--- PROCEEDING --+  2xx       |   1xx: told; C: told
      |    (ACK)  |     |  |        |            |   CANCEL without effect
      +<----------+     |  |        +----------->+   for 64*T1: time-out
      v                 |  |                     v
   COMPLETED          B |  | time-out         ACCEPTED
   300-699: ACK again   |  |                  2xx, of forks too: told
      | D               v  v                     | M
      +-------------->  TERMINATED  <------------+

INVITE server (:rfc:`3261#section-17.2.1`, :rfc:`6026#section-8.7`)::

                           | INVITE received
                           v
                       PROCEEDING                    100 by itself after 200 ms
                        |      |                     1xx sent; INVITE: last 1xx again
                2xx     |      |     300-699
          +-------------+      +-------------+
          v                                  v
       ACCEPTED                          COMPLETED
       2xx again until ACK               G, INVITE: response again
          |                               |     |
          | L: end; no ACK                | ACK | H: no ACK came
          | came: told                    v     |
          |                          CONFIRMED  |
          |                             | I     |
          +-----> TERMINATED <----------+-------+

Non-INVITE client (:rfc:`3261#section-17.1.2`)::

      TRYING  ---1xx---> PROCEEDING ---200-699---> COMPLETED ---K---> TERMINATED
        E: request         E: request again          repeated
           again              every T2               responses
        F: time-out        F: time-out               absorbed
        (200-699 leads from TRYING to COMPLETED too)

Non-INVITE server (:rfc:`3261#section-17.2.2`, :rfc:`4320#section-4.1`)::

      TRYING  ---100---> PROCEEDING ---200-699---> COMPLETED ---J---> TERMINATED
        100 by itself      request: 100 again        request:
        after 3.5 s                                  response again
        (200-699 leads from TRYING to COMPLETED too)

In every state with something still to be told, the loss of the connection leads to the end and is told. The
exception is ACCEPTED of a user agent's server: the ACK may come by another connection.

A non-INVITE request that the application never answers ends with the time for which the client waits (64*T1):
a later answer could do nothing but harm (:rfc:`4320#section-4.2`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .timers import Timers

__all__ = [
    "INVITE_CLIENT",
    "INVITE_SERVER",
    "INVITE_SERVER_PROXY",
    "NON_INVITE_CLIENT",
    "NON_INVITE_SERVER",
    "Action",
    "Durations",
    "Input",
    "Machine",
    "Row",
    "State",
    "Timer",
    "timer_durations",
]


class State(enum.StrEnum):
    """Where a transaction is."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Timer(enum.StrEnum):
    """The timers by the letters of the RFCs; the last five have none there."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the RFC's name
    J = "J"
    K = "K"
    L = "L"
    M = "M"
    #: the server's own 100 to an INVITE that the application does not answer at once
    TRYING = "own 100"
    #: the same for other requests, :rfc:`4320#section-4.1`
    LATE_TRYING = "own late 100"
    #: retransmission of a 2xx until its ACK, :rfc:`3261#section-13.3.1.4`
    ACCEPTED = "2xx again"
    #: wait for the final response to a cancelled INVITE, :rfc:`3261#section-9.1`
    CANCELLED = "cancelled"
    #: wait for the application's answer to a request other than INVITE
    ANSWER = "answer"


class Input(enum.StrEnum):
    """What can happen to a transaction, besides its timers."""

    REQUEST = "request"
    ACK = "ack"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    CANCEL = "cancel"
    TRANSPORT_ERROR = "transport error"


class Action(enum.StrEnum):
    """What a transaction does on a transition."""

    RESEND = "resend"  # the request (client) or the last response (server)
    DOUBLE = "double"  # restart the repeating timer with twice the interval
    DOUBLE_TO_T2 = "double_to_t2"  # the same, T2 at most
    EVERY_T2 = "every_t2"  # restart it with T2
    DELIVER = "deliver"  # the response goes to the transaction user
    RESTART_C = "restart_c"  # unless the 1xx is a 100
    SEND_CANCEL = "send_cancel"  # and wait no longer than 64*T1 for the final response
    ACKNOWLEDGE = "acknowledge"  # ACK to a 300-699
    RESPOND = "respond"  # the user's response goes out and is kept
    ACCEPT = "accept"  # the same for a 2xx whose ACK is to be awaited
    STOP_REPEAT = "stop_repeat"
    SEND_TRYING = "send_trying"
    CONFIRM = "confirm"  # the ACK to a 2xx came
    TELL_TIMEOUT = "tell_timeout"
    TELL_TIMER_C = "tell_timer_c"
    TELL_NO_ACK = "tell_no_ack"
    TELL_TRANSPORT_ERROR = "tell_transport_error"


class Row(NamedTuple):
    """One state: its transitions, and the timers that run in it (repeating, ending)."""

    transitions: dict[Input | Timer, tuple[State, tuple[Action, ...]]]
    repeat: Timer | None = None
    end: Timer | None = None


Machine = dict[State, Row]

_END = (State.TERMINATED, ())
_TIMED_OUT = (State.TERMINATED, (Action.TELL_TIMEOUT,))
_BROKEN = (State.TERMINATED, (Action.TELL_TRANSPORT_ERROR,))
_OVER = Row({})

INVITE_CLIENT: Machine = {
    State.CALLING: Row(
        {
            Timer.A: (State.CALLING, (Action.RESEND, Action.DOUBLE)),
            Timer.B: _TIMED_OUT,
            Input.PROVISIONAL: (State.PROCEEDING, (Action.DELIVER,)),
            Input.SUCCESS: (State.ACCEPTED, (Action.DELIVER,)),
            Input.FAILURE: (State.COMPLETED, (Action.ACKNOWLEDGE, Action.DELIVER)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        repeat=Timer.A,
        end=Timer.B,
    ),
    State.PROCEEDING: Row(
        {
            Timer.C: (State.PROCEEDING, (Action.TELL_TIMER_C,)),
            Timer.CANCELLED: _TIMED_OUT,
            Input.CANCEL: (State.PROCEEDING, (Action.SEND_CANCEL,)),
            Input.PROVISIONAL: (State.PROCEEDING, (Action.DELIVER, Action.RESTART_C)),
            Input.SUCCESS: (State.ACCEPTED, (Action.DELIVER,)),
            Input.FAILURE: (State.COMPLETED, (Action.ACKNOWLEDGE, Action.DELIVER)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        end=Timer.C,
    ),
    State.ACCEPTED: Row(
        {
            Timer.M: _END,
            Input.SUCCESS: (State.ACCEPTED, (Action.DELIVER,)),
            Input.TRANSPORT_ERROR: _END,
        },
        end=Timer.M,
    ),
    State.COMPLETED: Row(
        {
            Timer.D: _END,
            Input.FAILURE: (State.COMPLETED, (Action.ACKNOWLEDGE,)),
            Input.TRANSPORT_ERROR: _END,
        },
        end=Timer.D,
    ),
    State.TERMINATED: _OVER,
}

INVITE_SERVER: Machine = {
    State.PROCEEDING: Row(
        {
            Timer.TRYING: (State.PROCEEDING, (Action.SEND_TRYING,)),
            Input.REQUEST: (State.PROCEEDING, (Action.RESEND,)),
            Input.PROVISIONAL: (State.PROCEEDING, (Action.RESPOND, Action.STOP_REPEAT)),
            Input.SUCCESS: (State.ACCEPTED, (Action.ACCEPT,)),
            Input.FAILURE: (State.COMPLETED, (Action.RESPOND,)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        repeat=Timer.TRYING,
    ),
    State.ACCEPTED: Row(
        {
            Timer.ACCEPTED: (State.ACCEPTED, (Action.RESEND, Action.DOUBLE_TO_T2)),
            Timer.L: (State.TERMINATED, (Action.TELL_NO_ACK,)),
            Input.SUCCESS: (State.ACCEPTED, (Action.RESPOND,)),
            Input.ACK: (State.ACCEPTED, (Action.CONFIRM,)),
        },
        repeat=Timer.ACCEPTED,
        end=Timer.L,
    ),
    State.COMPLETED: Row(
        {
            Timer.G: (State.COMPLETED, (Action.RESEND, Action.DOUBLE_TO_T2)),
            Timer.H: _TIMED_OUT,
            Input.REQUEST: (State.COMPLETED, (Action.RESEND,)),
            Input.ACK: (State.CONFIRMED, ()),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        repeat=Timer.G,
        end=Timer.H,
    ),
    State.CONFIRMED: Row({Timer.I: _END, Input.TRANSPORT_ERROR: _END}, end=Timer.I),
    State.TERMINATED: _OVER,
}

#: A proxy forwards the 2xx of the UAS and leaves its retransmission and its ACK to the two ends.
INVITE_SERVER_PROXY: Machine = {
    **INVITE_SERVER,
    State.PROCEEDING: INVITE_SERVER[State.PROCEEDING]._replace(
        transitions={
            **INVITE_SERVER[State.PROCEEDING].transitions,
            Input.SUCCESS: (State.ACCEPTED, (Action.RESPOND,)),
        }
    ),
    State.ACCEPTED: Row(
        {
            Timer.L: _END,
            Input.SUCCESS: (State.ACCEPTED, (Action.RESPOND,)),
            Input.TRANSPORT_ERROR: _END,
        },
        end=Timer.L,
    ),
}

NON_INVITE_CLIENT: Machine = {
    State.TRYING: Row(
        {
            Timer.E: (State.TRYING, (Action.RESEND, Action.DOUBLE_TO_T2)),
            Timer.F: _TIMED_OUT,
            Input.PROVISIONAL: (State.PROCEEDING, (Action.DELIVER,)),
            Input.SUCCESS: (State.COMPLETED, (Action.DELIVER,)),
            Input.FAILURE: (State.COMPLETED, (Action.DELIVER,)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        repeat=Timer.E,
        end=Timer.F,
    ),
    State.PROCEEDING: Row(
        {
            Timer.E: (State.PROCEEDING, (Action.RESEND, Action.EVERY_T2)),
            Timer.F: _TIMED_OUT,
            Input.PROVISIONAL: (State.PROCEEDING, (Action.DELIVER,)),
            Input.SUCCESS: (State.COMPLETED, (Action.DELIVER,)),
            Input.FAILURE: (State.COMPLETED, (Action.DELIVER,)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        repeat=Timer.E,
        end=Timer.F,
    ),
    State.COMPLETED: Row({Timer.K: _END, Input.TRANSPORT_ERROR: _END}, end=Timer.K),
    State.TERMINATED: _OVER,
}

NON_INVITE_SERVER: Machine = {
    State.TRYING: Row(
        {
            Timer.LATE_TRYING: (State.PROCEEDING, (Action.SEND_TRYING,)),
            Timer.ANSWER: _END,
            Input.PROVISIONAL: (State.PROCEEDING, (Action.RESPOND,)),
            Input.SUCCESS: (State.COMPLETED, (Action.RESPOND,)),
            Input.FAILURE: (State.COMPLETED, (Action.RESPOND,)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        repeat=Timer.LATE_TRYING,
        end=Timer.ANSWER,
    ),
    State.PROCEEDING: Row(
        {
            Timer.ANSWER: _END,
            Input.REQUEST: (State.PROCEEDING, (Action.RESEND,)),
            Input.PROVISIONAL: (State.PROCEEDING, (Action.RESPOND,)),
            Input.SUCCESS: (State.COMPLETED, (Action.RESPOND,)),
            Input.FAILURE: (State.COMPLETED, (Action.RESPOND,)),
            Input.TRANSPORT_ERROR: _BROKEN,
        },
        end=Timer.ANSWER,
    ),
    State.COMPLETED: Row(
        {
            Timer.J: _END,
            Input.REQUEST: (State.COMPLETED, (Action.RESEND,)),
            Input.TRANSPORT_ERROR: _END,
        },
        end=Timer.J,
    ),
    State.TERMINATED: _OVER,
}

Durations = Mapping[Timer, float | None]


def timer_durations(timers: Timers, *, reliable: bool) -> Durations:
    """How long each timer runs at first, in seconds; None: it is not used, 0: it fires at once."""
    unreliable_only = None if reliable else timers.t1
    return {
        Timer.A: unreliable_only,
        Timer.B: timers.timeout,
        Timer.C: None,
        Timer.D: 0.0 if reliable else timers.timeout,
        Timer.E: unreliable_only,
        Timer.F: timers.timeout,
        Timer.G: unreliable_only,
        Timer.H: timers.timeout,
        Timer.I: 0.0 if reliable else timers.t4,
        Timer.J: 0.0 if reliable else timers.timeout,
        Timer.K: 0.0 if reliable else timers.t4,
        Timer.L: timers.timeout,
        Timer.M: timers.timeout,
        Timer.TRYING: timers.trying,
        Timer.LATE_TRYING: timers.late_trying,
        Timer.ACCEPTED: timers.t1,
        Timer.CANCELLED: timers.timeout,
        Timer.ANSWER: timers.timeout,
    }
