#!/bin/sh
# Installs livesegments for a container image, in two steps so that a change of the code alone repeats only the second:
#   deploy/install.sh packages PREFIX       a virtual environment at PREFIX with the locked packages
#   deploy/install.sh livesegments PREFIX   livesegments itself, built from this tree; then takes pip out
# The Dockerfile and the test of it run the same lines. What only `segments up` and `segments demo` need stays out.
set -eu
cd "$(dirname "$0")/.."
step=${1:?packages or livesegments}
prefix=${2:?where to install}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

case $step in
packages)
    "${PYTHON:-python3}" -m venv --clear "$prefix"
    "$prefix/bin/python" -m pip install --quiet --no-deps --require-hashes -r deploy/requirements.lock
    ;;
livesegments)
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    # The build tools are held to a lock like the rest, and do not stay.
    "$prefix/bin/python" -m pip install --quiet --no-deps --require-hashes --target "$scratch/tools" -r deploy/build.lock
    PYTHONPATH="$scratch/tools" "$prefix/bin/python" -m pip wheel --quiet --no-deps --no-build-isolation \
        --wheel-dir "$scratch" .
    "$prefix/bin/python" -m pip install --quiet --no-deps --no-index "$scratch"/livesegments-*.whl
    "$prefix/bin/python" -m pip uninstall --quiet --yes pip
    ;;
*)
    echo "install: unknown step '$step': packages or livesegments" >&2
    exit 2
    ;;
esac
