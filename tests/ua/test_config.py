"""Configuration: every wrong value is named."""

from __future__ import annotations

from typing import Any

import pytest

from sipua import UA, ConfigurationError
from sipua.ua.config import UAOptions, configure
from tests.wire import Wire, user_agent

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
        ({"sockets": SERVER, "contact_uri": "sip:x@y.example?X=1"}, "contact_uri"),
        ({"sockets": SERVER, "contact_uri": 5}, "contact_uri"),
        ({"sockets": SERVER, "registrar_server": 5}, "registrar_server"),
        ({"sockets": SERVER, "max_calls": 0}, "max_calls"),
        ({"sockets": SERVER, "media": "aiortc"}, "media"),
        ({"sockets": SERVER, "media_options": 3}, "media_options"),
        ({"sockets": SERVER, "media_options": {"nope": 1}}, "nope"),
        ({"sockets": SERVER, "media_options": {5: 1}}, "5"),
        ({"sockets": SERVER, "media_options": {"silence_timeout": "x"}}, "silence_timeout"),
        ({"sockets": SERVER, "connect_timeout": "x"}, "connect_timeout"),
        ({"sockets": SERVER, "connect_timeout": float("inf")}, "connect_timeout"),
        ({"sockets": SERVER, "insecure": "yes"}, "insecure"),
        ({"sockets": SERVER, "ca_file": 5}, "ca_file"),
        ({"sockets": SERVER, "display_name": "a\u2028b"}, "display_name"),
        ({"sockets": SERVER, "extra_headers": [5]}, "extra_headers"),
        ({"sockets": SERVER, "extra_headers": ["m: <sip:x@y>"]}, "extra_headers"),
        ({"sockets": [("ws://x", 1, 2)]}, "sockets"),
        ({"sockets": [("ws://x", "1")]}, "sockets"),
        ({"sockets": [("ws://x", True)]}, "sockets"),
        ({"sockets": [()]}, "sockets"),
        ({"sockets": b"ws://x"}, "sockets"),
        ({"sockets": "wss://example.com", "ca_file": "/does/not/exist.pem"}, "ca_file"),
    ],
)
def test_wrong_options_name_key_and_value(options: Any, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configure("sip:alice@example.com", options)
    assert caught.value.key == key


@pytest.mark.parametrize(
    "uri", ["", "sip:example.com", "mailto:a@b", "sip:a@", "tel:+1555", "sip:a b@c", "sip:a@b?X=1"]
)
def test_wrong_addresses(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="uri="):
        configure(uri, {"sockets": SERVER})


def test_secrets_are_not_shown() -> None:
    ua = UA("sip:a@b.example", sockets=SERVER, password="hunter2")
    assert "hunter2" not in repr(ua.configuration)
    with pytest.raises(ConfigurationError) as caught:
        configure("sip:a@b.example", {"sockets": SERVER, "password": "hunter2\n"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", sorted(UAOptions.__optional_keys__ | {"servers"}))
def test_none_is_a_value_of_few_keys_and_named_for_all_others(key: str) -> None:
    options: Any = {"sockets": SERVER, key: None}
    if key == "servers":
        del options["sockets"]
    if "None" in str(UAOptions.__annotations__[key]):
        assert configure("sip:alice@example.com", options).user_agent
    else:
        with pytest.raises(ConfigurationError, match="None"):
            configure("sip:alice@example.com", options)


@pytest.mark.parametrize(
    "name",
    ["a\x01b", "a\x7fb", "a\u2028b", "a\u2029b", "a\tb", "a\x85b", "\ud800", 5, b"Bob", ["Bob"]],
)
async def test_display_names_of_a_call(name: Any) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(ConfigurationError, match="from_display_name"):
            ua.call("bob", from_display_name=name)
        ua.call("bob", from_display_name='Æ "👩\u200d🚀" \\')
        invite = await wire.request("INVITE")
        assert invite.from_address.name == 'Æ "👩\u200d🚀" \\'


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"expires": -5}, "expires"),
        ({"expires": 0}, "expires"),
        ({"expires": 1.5}, "expires"),
        ({"expires": 2**31}, "expires"),
        ({"no_answer_timeout": -1}, "no_answer_timeout"),
        ({"no_answer_timeout": float("nan")}, "no_answer_timeout"),
        ({"no_answer_timeout": float("inf")}, "no_answer_timeout"),
        ({"no_answer_timeout": "60"}, "no_answer_timeout"),
        ({"media": 5}, "media"),
        ({"nope": 1}, "nope"),
        ({"silence_timeout": "x"}, "silence_timeout"),
        ({"codecs": ["speex"]}, "codecs"),
        ({"ice_transport_policy": "relay"}, "ice_transport_policy"),
    ],
)
async def test_wrong_options_of_a_call_are_told_at_the_call(options: Any, key: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(ConfigurationError) as caught:
            ua.call("bob", **options)
        assert caught.value.key == key
        assert repr(caught.value.value) == repr(options[key])
        await wire.settle()
        assert wire.nothing_sent()
        assert ua.sessions == frozenset()


async def test_a_policy_of_the_configuration_and_servers_of_the_call_go_together() -> None:
    wire = Wire()
    async with user_agent(wire, media_options={"ice_transport_policy": "relay"}) as ua:
        ua.call("bob", ice_servers=["turn:turn.example.com"])
        await wire.request("INVITE")


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
