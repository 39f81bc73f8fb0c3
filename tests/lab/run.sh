#!/bin/bash
# Runs the interop tests, or another command, beside real SIP servers.
#
#   run.sh [-- COMMAND...]            the servers that install.sh installed, in a network namespace of their own (root)
#   run.sh compose [-- COMMAND...]    the containers of examples/compose (Docker)
#
# Without a command: pytest on tests/interop; PYTEST_ADDOPTS adds options to it. `run.sh -- bash` gives a shell beside
# the servers. In the namespace are loopback and 10.77.0.1, so no port is taken and nothing can get out. What was
# started ends with this script, however that ends. SIPUA_REQUIRE_LAB=1: a server that is lacking is a failure.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=$REPOSITORY/.venv/bin/python

fail() { echo "run.sh: $*" >&2; exit 1; }

lab=native
if [ "${1:-}" = compose ]; then
  lab=compose
  shift
fi
case ${1:-} in
  '') command=("$PYTHON" -m pytest tests/interop -q) ;;
  --) shift; command=("$@"); [ $# -gt 0 ] || fail "a command is expected after --" ;;
  *) fail "unknown argument $1 (LAB=compose is the only choice of make interop)" ;;
esac
if [ "$lab" = native ] && [ "$(id -u)" != 0 ]; then
  fail "needs root, for a network namespace and Asterisk's chroot: sudo make interop
        (with Docker it goes without: make interop LAB=compose)"
fi
[ -x "$PYTHON" ] || fail "there is no .venv yet: make install"
cd "$REPOSITORY"
export SIPUA_LAB=$lab

if [ "$lab" = compose ]; then
  exec "$PYTHON" -m tests.lab run "${command[@]}"
fi

reason=$(unshare --net --pid --fork true 2>&1) || fail "this machine allows no network namespace: $reason"
command -v ip >/dev/null || fail "the ip command is missing: make lab installs it"

# The process namespace makes sure of the end: when its first process is gone, so is all that came from it.
exec unshare --net --pid --fork --kill-child bash -c '
  set -e
  ip link set lo up
  ip link add lab0 type veth peer name lab1
  ip address add 10.77.0.1/24 dev lab0
  ip link set lab0 up
  ip link set lab1 up
  exec "$@"' bash "$PYTHON" -m tests.lab run "${command[@]}"
