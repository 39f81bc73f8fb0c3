"""Beginnings and ends that many flows share, between alice (who calls) and bob."""

from __future__ import annotations

from sipua.testing import Arrow, Press
from sipua.testing.flow_steps import Step


def established(caller: str = "alice", callee: str = "bob") -> list[Step]:
    """A call between two agents, up; its messages are F1 to F4."""
    there, back = f"{caller} -> {callee}", f"{callee} -> {caller}"
    return [
        Press(caller, "call", callee),
        Arrow(there, "INVITE", "F1", sdp="sendrecv"),
        Arrow(back, "180 INVITE", "F2"),
        Press(callee, "answer"),
        Arrow(back, "200 INVITE", "F3", sdp="sendrecv"),
        Arrow(there, "ACK", "F4", cseq="F1"),
    ]


def called(peer: str = "bob", agent: str = "alice") -> list[Step]:
    """An agent has called a script, and the call is up; its messages are F1 to F4."""
    return [
        Press(agent, "call", peer),
        Arrow(f"{agent} -> {peer}", "INVITE", "F1", sdp="sendrecv"),
        Arrow(f"{peer} -> {agent}", "180", "F2"),
        Arrow(f"{peer} -> {agent}", "200", "F3", sdp="sendrecv"),
        Arrow(f"{agent} -> {peer}", "ACK", "F4", cseq="F1"),
    ]


def answered(peer: str = "bob", agent: str = "alice") -> list[Step]:
    """A script has called an agent, and the call is up; its messages are F1 to F4."""
    return [
        Arrow(f"{peer} -> {agent}", "INVITE", "F1", sdp="sendrecv"),
        Arrow(f"{agent} -> {peer}", "180 INVITE", "F2"),
        Press(agent, "answer"),
        Arrow(f"{agent} -> {peer}", "200 INVITE", "F3", sdp="sendrecv"),
        Arrow(f"{peer} -> {agent}", "ACK", "F4"),
    ]


def hung_up(who: str = "alice", other: str = "bob", *, call: int = -1) -> list[Step]:
    """An agent hangs up."""
    return [
        Press(who, "terminate", call=call),
        Arrow(f"{who} -> {other}", "BYE"),
        Arrow(f"{other} -> {who}", "200 BYE"),
    ]
