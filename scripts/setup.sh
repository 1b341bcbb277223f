#!/bin/sh
# Makes .venv: the locked packages, this checkout in place, and the test data. Quick when nothing changed.
# `scripts/setup.sh` by hand, or PYTHON=python3.12 scripts/setup.sh to choose the interpreter.
set -eu
cd "$(dirname "$0")/.."
stamp=.venv/.ready

# What the environment was made from; the place too, as an environment cannot be moved.
fingerprint() {
    { pwd; cat requirements.lock test-data.lock pyproject.toml scripts/setup.sh; } | cksum
}

# A name on the PATH proves nothing: pyenv and others put shims there that only print an error.
fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

makes_environments() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# Compiled without its usual optimisations, as pyenv does unless told otherwise, Python takes a tenth longer for an event.
# Those that came with the system have them, and need not say so.
is_quick() {
    makes_environments "$1" && "$1" -c 'import sys, sysconfig
configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
sys.exit(sys.base_prefix != "/usr" and "--enable-optimizations" not in configured)' >/dev/null 2>&1
}

# All that fit, the newest first.
pythons() (
    IFS=:
    for name in python3.13 python3.12 python3.11 python3 python; do
        for folder in $PATH; do
            if [ -x "$folder/$name" ] && fits "$folder/$name"; then
                echo "$folder/$name"
            fi
        done
    done
)

# The first line of the input that is so.
first_that() {
    while IFS= read -r python; do
        if "$1" "$python"; then
            echo "$python"
            return
        fi
    done
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON" | first_that fits
        return
    fi
    all=$(pythons)
    for test in is_quick makes_environments fits; do
        python=$(echo "$all" | first_that "$test")
        if [ -n "$python" ]; then
            echo "$python"
            return
        fi
    done
}

make_environment() {
    python=$(choose_python)
    if [ -n "$python" ] && makes_environments "$python"; then
        "$python" -m venv --clear .venv
    elif command -v uv >/dev/null 2>&1; then
        uv venv --quiet --clear --seed --python "${python:-3.13}" .venv
    elif [ -n "$python" ]; then
        echo "setup: $python lacks the venv module: install it (Debian, Ubuntu: apt install python3-venv), or install uv" >&2
        exit 1
    else
        echo "setup: no Python 3.11, 3.12 or 3.13 found: install one, or set PYTHON to its path, or install uv" >&2
        exit 1
    fi
}

# uv installs in seconds what pip takes half a minute for, so pip fetches only uv, at the version and hash of the lock.
fetch_uv() {
    awk '/^uv==/ {found = 1} found {print} found && !/\\$/ {exit}' requirements.lock >.venv/uv.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
}

install_by_uv() {
    .venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock &&
        .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable . &&
        .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --require-hashes \
            --target .venv/test-data -r test-data.lock
}

install_by_pip() {
    pip=".venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps"
    $pip --require-hashes -r requirements.lock &&
        $pip --no-build-isolation --editable . &&
        $pip --require-hashes --upgrade --target .venv/test-data -r test-data.lock
}

if [ -f "$stamp" ] && fits .venv/bin/python && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then
    exit 0
fi
fits .venv/bin/python || make_environment
rm -f "$stamp"
echo "setup: installing into .venv ($(.venv/bin/python -V))" >&2
if ! { fetch_uv && install_by_uv; }; then
    echo "setup: uv did not manage it (a package index that only pip is set up for?), going on with pip" >&2
    install_by_pip
fi
fingerprint >"$stamp"
