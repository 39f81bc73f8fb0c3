"""Options of media that cannot work are found before anything is sent."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sipua.errors import ConfigurationError
from sipua.media.checks import check_option, check_options, make_options
from sipua.media.interface import IceServer, MediaOptions, OpusOptions

STUN = "stun:s.example.com"
TURN = IceServer(["stun:s.example.com", "turns:t.example.com:443?transport=tcp"], "user", "password")


def test_every_option_is_checked_and_its_default_is_good() -> None:
    check_options(MediaOptions())
    for field in dataclasses.fields(MediaOptions):
        with pytest.raises(ConfigurationError) as caught:
            check_option(field.name, NotImplemented)
        assert caught.value.key == field.name


@pytest.mark.parametrize(
    "given",
    [
        {"audio": "hello.wav", "record": Path("call.ogg"), "echo": True},
        {"direction": "recvonly", "codecs": ["PCMA", "opus"]},
        {"ptime": 60, "bandwidth": 64, "comfort_noise": True},
        {"opus": OpusOptions(6000, 10, fec=False, dtx=True, cbr=True, max_playback_rate=8000)},
        {"ice_servers": [TURN], "ice_transport_policy": "relay"},
        {"ice_servers": ("stun:[2001:db8::1]:3478", "turn:192.0.2.1"), "ice_gathering_timeout": 0},
        {"ice_host_addresses": ["127.0.0.1", "::1"], "ice_candidate_filter": bool, "silence_timeout": 0.5},
    ],
)
def test_good_options(given: dict[str, Any]) -> None:
    options = make_options(given)
    assert {name: getattr(options, name) for name in given} == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nope", 1),
        ("audio", 5),
        ("record", b"x.wav"),
        ("echo", "yes"),
        ("direction", "both"),
        ("direction", []),
        ("codecs", ()),
        ("codecs", "opus"),
        ("codecs", ["telephone-event"]),
        ("ptime", 30),
        ("ptime", "20"),
        ("bandwidth", 0),
        ("bandwidth", 64.5),
        ("opus", {"bitrate": 20000}),
        ("opus", OpusOptions(bitrate=5999)),
        ("opus", OpusOptions(complexity=11)),
        ("opus", OpusOptions(complexity=True)),
        ("opus", OpusOptions(max_average_bitrate=600000)),
        ("opus", OpusOptions(max_playback_rate=96000)),
        ("opus", OpusOptions(dtx="no")),  # type: ignore[arg-type]
        ("comfort_noise", 1),
        ("codecs", ["speex"]),
        ("codecs", [None]),
        ("ice_servers", 5),
        ("ice_servers", "stun:s.example.com"),
        ("ice_servers", [5]),
        ("ice_servers", [{"urls": "stun:s.example.com"}]),
        ("ice_servers", [IceServer(None)]),  # type: ignore[arg-type]
        ("ice_servers", [IceServer("turns:t.example.com", "u", "p", ca_file=5)]),  # type: ignore[arg-type]
        ("ice_servers", [IceServer("turns:t.example.com", "u", "p", insecure="no")]),  # type: ignore[arg-type]
        ("ice_gathering_timeout", -1),
        ("ice_gathering_timeout", "x"),
        ("ice_gathering_timeout", float("nan")),
        ("ice_gathering_timeout", None),
        ("ice_host_addresses", "127.0.0.1"),
        ("ice_host_addresses", ["localhost"]),
        ("ice_candidate_filter", "host"),
        ("ice_transport_policy", "none"),
        ("ice_transport_policy", "relay"),
        ("silence_timeout", "x"),
        ("silence_timeout", 0),
        ("failure_timeout", True),
        ("failure_timeout", float("inf")),
    ],
)
def test_wrong_options_are_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_options({name: value})
    assert (caught.value.key, repr(caught.value.value)) == (name, repr(value))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://s.example.com",
        "stun:",
        "stuns:s.example.com",
        "stun:s.example.com?transport=tcp",
        "stun:s.example.com:0",
        "turn:s.example.com:70000",
        "turn:s.example.com?transport=sctp",
        "turns:s.example.com?transport=udp",
        "turn:user@s.example.com",
    ],
)
def test_the_url_of_an_ice_server_is_named(url: str) -> None:
    for servers in ([STUN, url], [IceServer([STUN, url], "u", "p")]):
        with pytest.raises(
            ConfigurationError, match=r"no URL of a STUN or TURN server|ports go from"
        ) as caught:
            make_options({"ice_servers": servers})
        assert (caught.value.key, caught.value.value) == ("ice_servers", url)


def test_relay_with_stun_servers_only_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match="needs a TURN server"):
        make_options({"ice_servers": ["stun:s.example.com"], "ice_transport_policy": "relay"})
