"""The files of tests/lab and examples/compose fit together. What needs the servers is in tests/interop."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from tests.interop import conftest
from tests.lab import render
from tests.lab.certificates import make_certificates
from tests.lab.peers import SERVERS

ROOT = Path(__file__).parents[1]
LAB = ROOT / "tests" / "lab"
COMPOSE = ROOT / "examples" / "compose"
SCRIPTS = (LAB / "install.sh", LAB / "run.sh", ROOT / ".ci" / "run")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("compose") / "generated"
    render.render_for_compose(target)
    return target


def services() -> dict[str, str]:
    """The text of each service in compose.yaml."""
    text = (COMPOSE / "compose.yaml").read_text()
    body = re.search(r"^services:\n(.*?)^networks:", text, re.MULTILINE | re.DOTALL)
    assert body is not None
    parts = re.split(r"^  (\w+):\n", body[1], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_compose_file_is_well_formed() -> None:
    indent = 0
    for line in (COMPOSE / "compose.yaml").read_text().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assert re.fullmatch(r"( {2})*(- )?(\w+:( \S.*)?|\S.*)", line), line
        depth = len(line) - len(line.lstrip())
        assert depth <= indent + 2, line
        indent = depth
    assert set(services()) == set(render.SERVERS)


def test_docker_compose_accepts_the_file_where_there_is_one() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        return  # test_compose_file_is_well_formed has looked at it
    subprocess.run([docker, "compose", "-f", COMPOSE / "compose.yaml", "config", "--quiet"], check=True)


def test_compose_mounts_only_what_is_generated(generated: Path) -> None:
    for name, text in services().items():
        mounts = dict(re.findall(r"- \./generated/(\S+?):(/\S+?)(?::ro)?$", text, re.MULTILINE))
        assert mounts == {name: "/sipua-lab/etc", "tls": "/sipua-lab/tls", "log": "/sipua-lab/log"}
        assert all((generated / folder).is_dir() for folder in mounts)


def test_compose_builds_from_files_that_exist() -> None:
    for text in services().values():
        context = re.search(r"context: (\S+)", text)
        dockerfile = re.search(r"dockerfile: (\S+)", text)
        server = re.search(r"SERVER: (\S+)", text)
        assert context
        assert dockerfile
        assert server
        assert (COMPOSE / context[1] / dockerfile[1]).resolve() == COMPOSE / "Dockerfile"
        assert (COMPOSE / context[1] / f"{server[1]}.txt").is_file()


def test_compose_uses_the_addresses_of_the_configurations() -> None:
    for name, text in services().items():
        assert f"ipv4_address: {render.CONTAINERS[name.upper()]}\n" in text
        ports = {
            "asterisk": ["8088", "8089"],
            "kamailio": ["8080", "8443"],
            "coturn": ["3478", "3478/udp", "3479", "3479/udp", "5349"],
        }[name]
        assert re.findall(r'- "127\.0\.0\.1:((\d+):\2(?:/udp)?)"', text) == [
            (f"{port.removesuffix('/udp')}:{port}", port.removesuffix("/udp")) for port in ports
        ]
    network = re.search(r"subnet: (\S+)\n\s+gateway: (\S+)", (COMPOSE / "compose.yaml").read_text())
    assert network is not None
    assert network[2] == render.NATIVE_ADDRESS
    assert ipaddress.ip_address(render.CONTAINERS["ASTERISK"]) in ipaddress.ip_network(network[1])


@pytest.mark.parametrize("server", render.SERVERS)
def test_no_placeholder_is_left(server: str, generated: Path, tmp_path: Path) -> None:
    native = render.render(server, render.NATIVE | {"TLS": "/tls", "RUN": "/run"}, tmp_path / server)
    for path in (*native, *(generated / server).iterdir()):
        assert path.suffix != ".in"
        assert not re.search(r"@[A-Z]+@", path.read_text()), path
    assert [path.name for path in native] == sorted(path.name for path in (generated / server).iterdir())


def test_render_names_a_value_that_is_lacking() -> None:
    assert render.fill("sip:600@@DOMAIN@", {"DOMAIN": "lab.test"}) == "sip:600@lab.test"
    with pytest.raises(KeyError, match="DOMAIN"):
        render.fill("@DOMAIN@", {})


def test_render_leaves_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "old.conf").touch()
    written = render.render("asterisk", render.NATIVE, tmp_path)
    assert sorted(tmp_path.iterdir()) == written


def test_server_certificate_is_for_every_address_of_the_lab(generated: Path) -> None:
    authority, server = (
        x509.load_pem_x509_certificate((generated / "tls" / name).read_bytes())
        for name in ("ca.pem", "server.pem")
    )
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.77.0.1", "10.77.0.10", "10.77.0.11", "10.77.0.12"}


def test_certificates_are_made_once(generated: Path) -> None:
    tls = generated / "tls"
    before = (tls / "server.pem").read_bytes()
    make_certificates(tls, [])
    assert (tls / "server.pem").read_bytes() == before
    assert {path.name for path in tls.iterdir()} == {"ca.pem", "server.key", "server.pem"}
    assert (tls / "server.key").stat().st_mode & 0o077 == 0


def test_every_part_that_can_be_installed_names_its_packages() -> None:
    parts = re.search(r"^PARTS=\((.*)\)$", (LAB / "install.sh").read_text(), re.MULTILINE)
    assert parts is not None
    for part in (*parts[1].split(), "host"):
        names = (LAB / "packages" / f"{part}.txt").read_text().splitlines()
        assert any(re.fullmatch(r"[a-z0-9.+-]+", name) for name in names)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def test_run_says_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run([LAB / "run.sh", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "unknown argument nonsense" in done.stderr


def test_what_needs_something_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [tool.NAME for tool in conftest.TOOLS] + list(SERVERS)
    for server in SERVERS.values():
        monkeypatch.setattr(server, "is_reachable", lambda self: False)
    for tool in conftest.TOOLS:
        monkeypatch.setattr(tool, "lacking", lambda: "not here")
    monkeypatch.delenv("SIPUA_REQUIRE_LAB", raising=False)
    assert set(names) <= set(vars(conftest)), "each is a fixture"
    items = [Item([name]) for name in names] + [Item(["tmp_path"])]
    conftest.pytest_collection_modifyitems(Config(), items)  # type: ignore[arg-type]
    assert [item.fixturenames for item in items] == [["tmp_path"]]


class Item:
    """A test of tests/interop that takes these fixtures."""

    path = ROOT / "tests" / "interop" / "test_x.py"

    def __init__(self, fixturenames: list[str]) -> None:
        self.fixturenames = fixturenames

    def add_marker(self, name: str) -> None:
        pass


class Config:
    """What a collection has to do with."""

    def __init__(self) -> None:
        self.stash = pytest.Stash()
        self.hook = SimpleNamespace(pytest_deselected=lambda items: None)
