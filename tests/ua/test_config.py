"""Configuration: every wrong value is named."""

from __future__ import annotations

from typing import Any

import pytest

from sipua import UA, ConfigurationError, InvalidTargetError
from sipua.sip import URI
from sipua.ua.config import configure, normalize_target

SERVER = "ws://127.0.0.1:1"


def test_defaults() -> None:
    configuration = configure("alice@example.com", {"sockets": SERVER})
    assert str(configuration.uri) == "sip:alice@example.com"
    assert str(configuration.registrar) == "sip:example.com"
    assert configuration.authentication_user == "alice"
    assert len(configuration.instance_id) == 36
    assert configuration.register
    assert configuration.register_expires == 600


@pytest.mark.parametrize(
    "sockets",
    [
        SERVER,
        [SERVER],
        (SERVER, 5),
        [(SERVER, 5), "wss://example.com:8089/ws"],
        ["ws://a.example", "ws://b.example"],
    ],
)
def test_ways_to_name_servers(sockets: Any) -> None:
    assert configure("sip:a@b.example", {"sockets": sockets}).sockets
    assert configure("sip:a@b.example", {"servers": sockets}).sockets


def test_weights() -> None:
    first, second = configure("sip:a@b.example", {"sockets": [(SERVER, 5), "ws://b.example"]}).sockets
    assert (first.weight, second.weight) == (5, 0)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "sockets"),
        ({"sockets": []}, "sockets"),
        ({"sockets": "http://example.com"}, "sockets"),
        ({"sockets": 7}, "sockets"),
        ({"sockets": [7]}, "sockets"),
        ({"sockets": SERVER, "servers": SERVER}, "servers"),
        ({"sockets": SERVER, "pasword": "x"}, "pasword"),
        ({"sockets": SERVER, "password": "a\r\nb"}, "password"),
        ({"sockets": SERVER, "ha1": "xyz"}, "ha1"),
        ({"sockets": SERVER, "ha1": "0" * 32}, "realm"),
        ({"sockets": SERVER, "instance_id": "nonsense"}, "instance_id"),
        ({"sockets": SERVER, "register": "yes"}, "register"),
        ({"sockets": SERVER, "register_expires": 0}, "register_expires"),
        ({"sockets": SERVER, "register_expires": 1.5}, "register_expires"),
        ({"sockets": SERVER, "registrar_server": "not a host"}, "registrar_server"),
        ({"sockets": SERVER, "no_answer_timeout": -1}, "no_answer_timeout"),
        ({"sockets": SERVER, "no_answer_timeout": float("nan")}, "no_answer_timeout"),
        ({"sockets": SERVER, "connection_recovery_min_interval": 50}, "connection_recovery_max_interval"),
        ({"sockets": SERVER, "session_timers_refresh_method": "BYE"}, "session_timers_refresh_method"),
        ({"sockets": SERVER, "extra_headers": ["no colon"]}, "extra_headers"),
        ({"sockets": SERVER, "extra_headers": ["X: a\nb"]}, "extra_headers"),
        ({"sockets": SERVER, "user_agent": "a\r\nb"}, "user_agent"),
        ({"sockets": SERVER, "display_name": "a\nb"}, "display_name"),
        ({"sockets": SERVER, "contact_uri": "mailto:x@y"}, "contact_uri"),
        ({"sockets": SERVER, "max_calls": 0}, "max_calls"),
        ({"sockets": SERVER, "media": "aiortc"}, "media"),
        ({"sockets": SERVER, "media_options": 3}, "media_options"),
        ({"sockets": "wss://example.com", "ca_file": "/does/not/exist.pem"}, "ca_file"),
    ],
)
def test_wrong_options_name_key_and_value(options: Any, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configure("sip:alice@example.com", options)
    assert caught.value.key == key


@pytest.mark.parametrize("uri", ["", "sip:example.com", "mailto:a@b", "sip:a@", "tel:+1555", "sip:a b@c"])
def test_wrong_addresses(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="uri="):
        configure(uri, {"sockets": SERVER})


def test_secrets_are_not_shown() -> None:
    ua = UA("sip:a@b.example", sockets=SERVER, password="hunter2")
    assert "hunter2" not in repr(ua.configuration)
    with pytest.raises(ConfigurationError) as caught:
        configure("sip:a@b.example", {"sockets": SERVER, "password": "hunter2\n"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("bob", "sip:bob@example.com:5080"),
        (" 600 ", "sip:600@example.com:5080"),
        ("(555) 123.45-67", "sip:5551234567@example.com:5080"),
        ("*31#", "sip:*31%23@example.com:5080"),
        ("SIP:bob@x.example", "SIP:bob@x.example"),
    ],
)
def test_targets(target: str, uri: str) -> None:
    assert str(normalize_target(target, URI.parse("sip:alice@example.com:5080"))) == uri


@pytest.mark.parametrize("target", ["", "a b", "a<b", "sip:", "x\ny", "@", "sip:a@b c"])
def test_what_is_no_target(target: str) -> None:
    with pytest.raises(InvalidTargetError):
        normalize_target(target, URI.parse("sip:alice@example.com"))


def test_values_that_may_be_changed() -> None:
    ua = UA("alice@example.com", sockets=SERVER)
    ua.set("display_name", "Alice")
    assert ua.get("display_name") == "Alice"
    ua.set("display_name", None)
    assert ua.get("display_name") is None
    ua.set("extra_headers", {"X-A": "1"})
    assert ua.get("extra_headers") == (("X-A", "1"),)


@pytest.mark.parametrize(
    ("key", "value"),
    [("uri", "sip:bob@example.com"), ("passwort", "x"), ("display_name", "a\r\nb"), ("ha1", "0" * 32)],
)
def test_values_that_may_not_be_changed(key: str, value: Any) -> None:
    ua = UA("alice@example.com", sockets=SERVER)
    with pytest.raises(ConfigurationError, match="realm" if key == "ha1" else key):
        ua.set(key, value)
    with pytest.raises(ConfigurationError, match="nonsense"):
        ua.get("nonsense")
