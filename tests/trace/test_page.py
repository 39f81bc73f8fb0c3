from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

from sipua.trace import Record, Story, TracedMessage, make_page, write_page
from sipua.trace.page import MOST_POINTS, page_data
from tests.trace.traces import ALICE, CALL, PEER, sample, sip, traced

if TYPE_CHECKING:
    from pathlib import Path


def data_of(page: str) -> Any:
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_page_has_all_in_it_and_loads_nothing() -> None:
    page = make_page(CALL, title="a & b", note="The end is missing.")
    assert data_of(page) == json.loads(json.dumps(page_data(Story(CALL))))
    assert "<title>a &amp; b</title>" in page
    assert "The end is missing." in page
    assert "{{" not in page
    assert not re.search(r"<(link|img|iframe)|\bsrc=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)", page)
    assert "default-src 'none'" in page


def test_data_of_a_call() -> None:
    data = page_data(Story(CALL))
    assert data["lanes"] == [ALICE, PEER]
    (call,) = data["calls"]
    assert (call["letter"], call["method"], call["messages"]) == ("A", "INVITE", 6)
    assert call["outcome"] == "ended: remote, Terminated"
    assert [step.get("label") or step["text"] for step in data["steps"]] == [
        "INVITE sip:bob@example.com",
        "call: local, sip:bob@example.com",
        "180 Ringing",
        "200 OK",
        "ACK",
        "BYE",
        "200 OK",
        "ended: remote, Terminated",
    ]
    kinds = [step["kind"] for step in data["steps"] if "kind" in step]
    assert kinds == ["request", "provisional", "success", "request", "request", "success"]
    offer, answer = data["descriptions"]
    assert (offer["role"], offer["step"], offer["comparisons"]) == ("offer", 0, [])
    assert (answer["role"], answer["step"]) == ("answer", 3)
    (comparison,) = answer["comparisons"]
    assert comparison["with"] == "its offer (1)"
    assert ("-", "m=audio 4000 RTP/AVP 0 8") in comparison["rows"]
    assert ("+", "m=audio 5000 RTP/AVP 0") in comparison["rows"]
    assert (" ", "a=sendrecv") in comparison["rows"]
    (figures,) = data["figures"]
    assert (figures["call"], figures["codec"]) == ("A", "opus/48000")
    loss = figures["plots"][1]["curves"][0]["points"]
    assert loss == [(1.2, None), (2.2, 20.0), (3.2, None)]


def test_what_peers_send_stays_text() -> None:
    evil = "</script><script>alert(1)</script><!-- \u2028 {{script}} \x00 \ud800"
    records: list[Record] = [
        traced(1.0, "in", sip("MESSAGE sip:x SIP/2.0", "1 MESSAGE", body="x", extra=f"Subject: {evil}\r\n")),
        TracedMessage(2.0, "in", evil, evil, evil),
    ]
    page = make_page(records, title=evil)
    assert page.count("</script>") == 2
    assert "alert(1)</script>" not in page
    data = data_of(page)
    assert evil in data["lanes"]
    assert data["steps"][1]["kind"] == "illegible"
    assert data["steps"][1]["call"] == ""


def test_page_of_nothing() -> None:
    assert data_of(make_page([]))["steps"] == []


def test_long_calls_are_thinned_out_and_no_loss_is_lost() -> None:
    samples = [sample(float(n), packets=40 * n, lost=10 * n) for n in range(5000)]
    (figures,) = page_data(Story(samples))["figures"]
    points = figures["plots"][1]["curves"][0]["points"]
    assert len(points) <= MOST_POINTS + 1
    assert points[-1][0] == 4999.0
    assert {value for _, value in points[1:]} == {20.0}


def test_file_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "x.html"
    write_page(CALL, path)
    write_page(CALL, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
