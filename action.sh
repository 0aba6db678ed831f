#!/usr/bin/env bash
# Starts `pivot.ci` for action.yml: in its image, or with a Python of the runner. What it does is
# decided there; here is only in what it runs. Works with bash 3.2, which macOS has.
set -euo pipefail
shopt -s execfail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Ends before the program could start: what is known of the outputs is set all the same.
give_up() {
    local code=$1 text=$2 name
    trap - EXIT
    text=${text//'%'/%25} text=${text//$'\r'/%0D} text=${text//$'\n'/%0A}
    printf '::error title=pivot::%s\n' "$text"
    [ -z "${GITHUB_OUTPUT-}" ] || {
        printf 'status=failed\nexit-code=%s\ncache-hit=false\nruntime=%s\n' "$code" "${PIVOT_RUNTIME-}"
        for name in transferred skipped failed missing restored would-transfer bytes seconds; do echo "$name=0"; done
        for name in stages-hit stages-to-run stages-ready; do echo "$name=[]"; done
        for name in remote version report json; do echo "$name="; done
    } >>"$GITHUB_OUTPUT"
    exit "$code"
}

# A runner signals this script alone, so what takes long is run in the background and waited for.
cancel() {
    trap '' INT TERM HUP
    # shellcheck disable=SC2046
    { kill $(jobs -p) && wait; } 2>/dev/null || true
    give_up 130 "the job was cancelled"
}

# Says why the image cannot be run here; nothing if it can.
why_not_docker() {
    local engine
    case $(uname -s) in Linux) ;; *) echo "this is not Linux"; return ;; esac
    case ${GITHUB_WORKSPACE-} in /__w | /__w/*) echo "the job runs in a container"; return ;; esac
    # a machine that was made from an image may have the file, but no layers below its root
    if [ -e /.dockerenv ] && grep -q ' / / .* - [a-z-]*overlay' /proc/self/mountinfo; then echo "the job runs in a container"; return; fi
    case ${DOCKER_HOST-} in tcp:* | ssh:*) echo "DOCKER_HOST is on another machine"; return ;; esac
    if ! command -v docker >/dev/null; then echo "there is no docker command"; return; fi
    engine=$(docker info --format '{{.OSType}} {{.SecurityOptions}}' 2>/dev/null) || { echo "no docker engine answers"; return; }
    case $engine in *rootless*) echo "the docker engine is rootless" ;; linux\ *) ;; *) echo "the docker engine runs no Linux containers" ;; esac
}

# Adds a mount at the same path, so that links mean the same inside and outside. It is CSV.
bind() {
    local path=${1//\"/\"\"}
    mounts+=(--mount "type=bind,\"source=$path\",\"target=$path\"${2-}")
}

run_image() {
    local mounts=() names=() name
    bind "$GITHUB_WORKSPACE"; bind "$RUNNER_TEMP"
    if [ "$RUNNER_TEMP" != /tmp ]; then mounts+=(--tmpfs /tmp); fi
    case ${PIVOT_CACHE_DIR-} in /*) mkdir -p "$PIVOT_CACHE_DIR" || give_up 7 "PIVOT_CACHE_DIR: the directory cannot be made: see above" ;; esac
    for name in GITHUB_OUTPUT GITHUB_STEP_SUMMARY GITHUB_EVENT_PATH PIVOT_CACHE_DIR; do
        case ${!name-} in "$RUNNER_TEMP"/* | "$GITHUB_WORKSPACE"/* | [!/]* | '') ;; *) if [ -e "${!name}" ]; then bind "${!name}"; fi ;; esac
    done
    if [ -d "${HOME-}/.aws" ]; then bind "$HOME/.aws" ,readonly; fi
    for name in AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_WEB_IDENTITY_TOKEN_FILE \
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_CA_BUNDLE REQUESTS_CA_BUNDLE SSL_CERT_FILE; do
        case ${!name-} in "$RUNNER_TEMP"/* | "$GITHUB_WORKSPACE"/*) ;; /*) if [ -f "${!name}" ]; then bind "${!name}" ,readonly; fi ;; esac
    done
    for name in $(compgen -e); do
        case $name in
            AWS_* | PIVOT_* | GITHUB_* | RUNNER_* | ACTIONS_ID_TOKEN_REQUEST_* | HOME | TZ | SSL_CERT_FILE | REQUESTS_CA_BUNDLE | \
                HTTP_PROXY | HTTPS_PROXY | NO_PROXY | ALL_PROXY | http_proxy | https_proxy | no_proxy | all_proxy) names+=(--env "$name") ;;
        esac
    done
    set +e # which would not wait for what comes after a failed exec
    exec docker run --rm --init --name "pivot-${GITHUB_RUN_ID-0}-$RANDOM$RANDOM" --pull never --network host \
        --user "$(id -u):$(id -g)" --read-only --cap-drop ALL --security-opt no-new-privileges \
        --workdir "$GITHUB_WORKSPACE" "${mounts[@]}" "${names[@]}" "$image" action || give_up 1 "docker cannot be started: see above"
}

run_python() {
    local python candidate made
    for candidate in python3 python3.{20..11} "${RUNNER_TOOL_CACHE-}"/Python/3.{20..11}.*/*/bin/python3; do
        python=$(command -v "$candidate") || continue
        if "$python" -I -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi
        python=
    done
    if [ -z "${python-}" ]; then give_up 2 "no Python of at least 3.11 is here, with venv and pip: add a step with actions/setup-python before this one"; fi
    made=$("$python" -IB "$here/pivot/ci/bootstrap.py" where)
    [ -x "$made" ] || { "$python" -IB "$here/pivot/ci/bootstrap.py" make & wait "$!"; } || give_up 6 "what the program needs cannot be installed: see above"
    set +e
    # the environment serves every copy of this action, and keeps what is compiled of it
    exec "$made" -Iu -X pycache_prefix="${made%/bin/python}/compiled" -c 'import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("pivot.ci", run_name="__main__", alter_sys=True)' "$here" || give_up 1 "$made cannot be started: see above"
}

runtime=${PIVOT_INPUT_RUNTIME:-auto}
image=${PIVOT_INPUT_IMAGE-}
export PIVOT_RUNTIME='' RUNNER_TEMP=${RUNNER_TEMP:-/tmp}
trap 'give_up 1 "the action cannot be started: see above"' EXIT
trap cancel INT TERM HUP
case $(uname -s) in MINGW* | MSYS* | CYGWIN*) give_up 2 "Windows is not supported yet: use a job on Linux or macOS" ;; esac
case $runtime in auto | docker | python) ;; *) give_up 2 "runtime: must be auto, docker or python, not '$runtime'" ;; esac
case $image in -* | *[!A-Za-z0-9._/:@-]*) give_up 2 "image: must be the name of an image, not '$image'" ;; esac
if [ -z "$image" ]; then
    while read -r key value; do
        case $key in name) name=$value ;; version) version=$value ;; digest) digest=$value ;; esac
    done <"$here/image.lock"
    if [ "$version" != unreleased ]; then image=$name@$digest; fi
fi
if [ "$runtime" != python ]; then
    why=
    if [ -z "$image" ]; then why="this version has no released image"; else why=$(why_not_docker); fi
    if [ -z "$why" ] && ! docker image inspect "$image" >/dev/null 2>&1 && ! { docker pull --quiet "$image" >/dev/null & wait "$!"; }; then
        why="the image $image cannot be pulled"
        if [ "$runtime" = auto ]; then printf '::warning title=pivot::%s\n' "$why"; fi
    fi
    if [ -z "$why" ]; then
        case $image in *@sha256:*) ;; *) printf '::warning title=pivot::the image %s has no digest: it may change\n' "$image" ;; esac
        echo "Runtime: docker, with $image"
        PIVOT_RUNTIME=docker
        run_image
    fi
    if [ "$runtime" = docker ]; then give_up 2 "runtime: docker cannot be used: $why"; fi
fi
echo "Runtime: python${why:+: $why}"
PIVOT_RUNTIME=python
run_python
