#!/bin/bash
# with-engine.sh COMMAND [ARG...]: run COMMAND where Docker can be had, or where it says why not.
#
# An engine that answers is used. Otherwise root on Debian or Ubuntu gets Debian's docker.io, and a
# dockerd of its own that ends with COMMAND: it has no bridge and sets no rule of the firewall.
# The base image is the Dockerfile's own where that can be had, else one made of Debian's packages.
# What takes time to make stays in $STATE; `with-engine.sh --clean` removes it.
#
# COMMAND finds IMAGE_TEST_DOCKER, the client, and IMAGE_TEST_BASE, the base image made here, if any;
# or IMAGE_TEST_SKIP, the reason why there is no engine. An engine that answers and fails is a failure.
set -euo pipefail

STATE=/var/cache/pivot-remote-image-test
BASE=python:3.13-slim
SUITE=trixie # the Debian whose Python is 3.13, as below the base image
STAND_IN=pivot-remote-stand-in:$SUITE
export DOCKER_BUILDKIT=1 DEBIAN_FRONTEND=noninteractive

# where dockerd and debootstrap are, and not every PATH leads
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'with-engine: %s\n' "$*" >&2; }

# Run COMMAND all the same: its tests say by name that they are skipped.
without() {
    say "there is no image to test: $*"
    export IMAGE_TEST_SKIP=$*
    "${command[@]}" 9>&-
    exit
}

answers() { timeout 20 "$IMAGE_TEST_DOCKER" info --format '{{.ServerVersion}}' >/dev/null 2>&1; }

need() {
    local missing=() name
    for name; do command -v "$name" >/dev/null || missing+=("${packages[$name]}"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    local get=(apt-get -q -o DPkg::Lock::Timeout=300)
    # the lists of a fresh machine are empty or old, so a failed installation gets a second chance
    { "${get[@]}" install -y --no-install-recommends "${missing[@]}" ||
        { "${get[@]}" update && "${get[@]}" install -y --no-install-recommends "${missing[@]}"; }; } >"$STATE/apt.log" 2>&1
}
declare -A packages=([dockerd]=docker.io [debootstrap]=debootstrap)

start_engine() {
    run=$(mktemp -d /run/pivot-image-test.XXXXXX) # short, as the path of a socket has to be
    export DOCKER_HOST=unix://$run/docker.sock
    echo '{"builder": {"gc": {"enabled": true, "defaultKeepStorage": "500MB"}}}' >"$run/daemon.json"
    trap stop_engine EXIT
    trap 'exit 130' INT TERM HUP
    # a session of its own, or Ctrl-C would reach it before the tests have cleared up
    setsid setpriv --pdeathsig TERM dockerd --config-file "$run/daemon.json" --pidfile "$run/dockerd.pid" \
        --host "$DOCKER_HOST" --data-root "$STATE/data" --exec-root "$run/exec" --bridge none \
        --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false >"$STATE/dockerd.log" 2>&1 9>&- &
    engine=$!
    for _ in $(seq 300); do
        answers && return
        kill -0 "$engine" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

stop_engine() {
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    local place
    awk -v run="$run/" -v state="$STATE/" 'index($2, run) == 1 || index($2, state) == 1 { print $2 }' /proc/mounts |
        sort -r | while read -r place; do umount --lazy "$place"; done
    rm -rf "$run"
}

have_engine() {
    IMAGE_TEST_DOCKER=$(command -v docker || echo docker)
    export IMAGE_TEST_DOCKER
    [ "$(uname -s)" = Linux ] || without "it is tested on Linux only, where containers see this machine's files and loopback"
    case ${DOCKER_HOST-} in tcp:* | ssh:*) without "DOCKER_HOST may be another machine, which has none of our files" ;; esac
    if answers; then
        case $("$IMAGE_TEST_DOCKER" info --format '{{.SecurityOptions}}') in
            *rootless* | *userns*) without "the Docker engine maps users, so files do not show whose they are" ;;
        esac
        return
    fi
    [ "$(id -u)" = 0 ] || without "no Docker engine answers, and root alone could start one"
    command -v apt-get >/dev/null || without "no Docker engine answers, and there is no apt-get to install one"
    install -d -m 700 "$STATE"
    exec 9>"$STATE/lock"
    flock 9
    need dockerd || without "no Docker engine answers, and none could be installed, see $STATE/apt.log"
    if answers; then return; fi # the installation has started it
    # the client that came with the engine, for another may lack a part to build with
    if [ -x /usr/bin/docker ]; then IMAGE_TEST_DOCKER=/usr/bin/docker; fi
    start_engine || without "dockerd does not start here, see $STATE/dockerd.log"
    say "dockerd $("$IMAGE_TEST_DOCKER" version --format '{{.Server.Version}}') runs"
}

have_base() {
    local docker=$IMAGE_TEST_DOCKER
    if "$docker" image inspect "$BASE" >/dev/null 2>&1 || timeout 300 "$docker" pull -q "$BASE" >/dev/null 2>&1; then return; fi
    export IMAGE_TEST_BASE=$STAND_IN
    if "$docker" image inspect "$STAND_IN" >/dev/null 2>&1; then return; fi
    [ "$(id -u)" = 0 ] || without "$BASE cannot be pulled, and root alone could make a base image"
    command -v apt-get >/dev/null || without "$BASE cannot be pulled, and only Debian has what a base image is made of"
    install -d -m 700 "$STATE"
    need debootstrap || without "$BASE cannot be pulled, and debootstrap could not be installed, see $STATE/apt.log"
    say "$BASE cannot be pulled, so $STAND_IN is made"
    make_base || without "$BASE cannot be pulled, and debootstrap failed, see $STATE/debootstrap.log"
    tar -C "$STATE/base" -c . | "$docker" import -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8' - "$STAND_IN" >/dev/null
    rm -rf "$STATE/base"
}

make_base() {
    local mirror root=$STATE/base
    # this machine's mirror, if it is one of Debian's
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' | awk '$2 == "Debian" { print $1; exit }')
    rm -rf "$root"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
        "$SUITE" "$root" ${mirror:+"$mirror"} >"$STATE/debootstrap.log" 2>&1 &&
        ln -s python3 "$root/usr/bin/python" &&
        # it trusts what this machine trusts
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt" &&
        rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man}/*
}

if [ "${1-}" = --clean ]; then
    rm -rf "$STATE"
    exit
fi
command=("$@")
have_engine
have_base
"${command[@]}" 9>&-
