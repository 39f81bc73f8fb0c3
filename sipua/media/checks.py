"""What is wrong with the options of a call's media, found before anything is sent.

What takes a look at the disk or needs aiortc is left to `MediaSession.check`.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from os import PathLike
from typing import Any, TypeGuard

from sipua.errors import ConfigurationError
from sipua.media.ice_servers import read_url
from sipua.media.interface import (
    AUDIO_CODECS,
    DIRECTIONS,
    PTIMES,
    AudioSink,
    AudioSource,
    IceServer,
    MediaOptions,
    OpusOptions,
    VideoSource,
)
from sipua.media.recording import Recording

__all__ = ["check_option", "check_options", "make_options"]


def make_options(given: Mapping[str, Any]) -> MediaOptions:
    """The options that these names and values mean, checked.

    :raises ConfigurationError: a name that does not exist, or a value that cannot be used.
    """
    for name in given:
        if name not in _CHECKS:
            raise ConfigurationError(str(name), given[name], "there is no such media option")
    options = MediaOptions(**given)
    check_options(options)
    return options


def check_options(options: MediaOptions) -> None:
    """Check every option, and that they go together.

    :raises ConfigurationError: names the option and its value.
    """
    for field in fields(options):
        check_option(field.name, getattr(options, field.name))
    if options.ice_transport_policy == "relay" and not any(
        url.startswith("turn") for server in options.ice_servers for url in _urls(server)
    ):
        raise ConfigurationError("ice_transport_policy", "relay", "needs a TURN server in ice_servers")


def check_option(name: str, value: object) -> None:
    """Check one option by itself.

    :raises ConfigurationError: it does not exist, or the value cannot be used.
    """
    if name not in _CHECKS:
        raise ConfigurationError(str(name), value, "there is no such media option")
    is_good, wanted = _CHECKS[name]
    if name == "ice_servers" and _is_list(value):
        _check_ice_servers(value)
    if not is_good(value):
        raise ConfigurationError(name, value, wanted)


def _urls(server: object) -> Sequence[Any]:
    urls: object = server.urls if isinstance(server, IceServer) else server
    return urls if _is_list(urls) else (urls,)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_duration(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_codecs(value: Any) -> bool:
    return value is None or (
        _is_list(value)
        and len(value) > 0
        and all(isinstance(name, str) and name.lower() in AUDIO_CODECS for name in value)
    )


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_opus(value: Any) -> bool:
    return isinstance(value, OpusOptions) and all(
        check(getattr(value, name)) for name, check in _OPUS_CHECKS.items()
    )


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


_OPUS_CHECKS: dict[str, Callable[[object], bool]] = {
    "bitrate": lambda value: _is_whole(value, 6000, 510000),
    "complexity": lambda value: _is_whole(value, 0, 10),
    "fec": _is_bool,
    "dtx": lambda value: value is None or _is_bool(value),
    "cbr": _is_bool,
    "max_average_bitrate": lambda value: value is None or _is_whole(value, 6000, 510000),
    "max_playback_rate": lambda value: value is None or _is_whole(value, 8000, 48000),
}


def _check_ice_servers(servers: Sequence[Any]) -> None:
    for server in servers:
        for url in _urls(server):
            if isinstance(url, str):
                read_url(url)


def _is_trust(ca_file: object, insecure: object) -> bool:
    return isinstance(ca_file, str | None) and isinstance(insecure, bool)


def _is_ice_servers(value: Any) -> bool:
    return _is_list(value) and all(
        isinstance(server, IceServer | str)
        and all(isinstance(url, str) for url in _urls(server))
        and (isinstance(server, str) or _is_trust(server.ca_file, server.insecure))
        for server in value
    )


def _is_addresses(value: Any) -> bool:
    return value is None or (
        _is_list(value) and all(isinstance(item, str) and _is_address(item) for item in value)
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_video(value: Any) -> bool:
    # A track of aiortc is known by what it has: this module must not import aiortc.
    return (
        value is None
        or isinstance(value, bool | VideoSource | str | PathLike)
        or (getattr(value, "kind", None) == "video" and callable(getattr(value, "recv", None)))
    )


#: Of each option: whether a value will do, and what to give instead.
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "audio": (
        lambda value: value is None or isinstance(value, AudioSource | str | PathLike),
        "give a path, None, or a source such as AudioFile, Tone, Silence or Pcm",
    ),
    "record": (
        lambda value: value is None or isinstance(value, AudioSink | Recording | str | PathLike),
        "give a path, None, a Recording, or a sink such as WavFile or OggFile",
    ),
    "hold_music": (
        lambda value: value is None or isinstance(value, AudioSource | str | PathLike),
        "give a path, None, or a source such as AudioFile or Tone",
    ),
    "voice_activity": (_is_bool, "neither True nor False"),
    "echo": (_is_bool, "neither True nor False"),
    "detect_dtmf": (_is_bool, "neither True nor False"),
    "video": (
        _is_video,
        "give True, None, a path, a source such as TestPattern or VideoFile, or a MediaStreamTrack of kind video",
    ),
    "direction": (lambda value: value in DIRECTIONS, f"must be one of {', '.join(DIRECTIONS)}"),
    "video_direction": (lambda value: value in DIRECTIONS, f"must be one of {', '.join(DIRECTIONS)}"),
    "codecs": (
        _is_codecs,
        f"must be a list with at least one of {', '.join(AUDIO_CODECS)}, or None for all",
    ),
    "ptime": (
        lambda value: _is_whole(value, 10, 60) and value in PTIMES,
        f"must be one of {', '.join(map(str, PTIMES))} (milliseconds)",
    ),
    "bandwidth": (
        lambda value: value is None or _is_whole(value, 1, 1_000_000),
        "must be a whole number of kbit/s, or None for no limit",
    ),
    "opus": (
        _is_opus,
        "must be OpusOptions: bit rates 6000 to 510000, complexity 0 to 10, max_playback_rate 8000 to 48000",
    ),
    "comfort_noise": (_is_bool, "neither True nor False"),
    "ice_servers": (
        _is_ice_servers,
        "must be a list of IceServer or of URLs: stun:host, turn:host?transport=tcp, turns:host:port",
    ),
    "ice_gathering_timeout": (
        lambda value: _is_number(value) and value >= 0,
        "not a number of seconds of 0 or more",
    ),
    "ice_host_addresses": (_is_addresses, "must be a list of IP addresses, or None for all"),
    "ice_restart": (lambda value: isinstance(value, bool), "neither True nor False"),
    "sdp_modifiers": (
        lambda value: _is_list(value) and all(map(callable, value)),
        "not a list of functions from description to description",
    ),
    "ice_candidate_filter": (lambda value: value is None or callable(value), "not callable"),
    "ice_transport_policy": (lambda value: value in ("all", "relay"), "must be all or relay"),
    "trickle_ice": (lambda value: value in ("half", "full", "off"), "must be half, full or off"),
    "silence_timeout": (_is_duration, "not a positive number of seconds"),
    "failure_timeout": (_is_duration, "not a positive number of seconds"),
    "stats_interval": (
        lambda value: value is None or _is_duration(value),
        "not a positive number of seconds, or None for no events",
    ),
    "capture": (lambda value: value is None or isinstance(value, str | PathLike), "give a path, or None"),
}
