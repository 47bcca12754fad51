#!/bin/sh
# Make a virtual environment and install beespace into it, in editable form.
# usage: make-environment.sh PYTHON DIRECTORY REQUIREMENT
set -eu
python=$1 directory=$2 requirement=$3

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "beespace needs Python 3.11 or newer, and '$python' is not." >&2
    echo "  help: apt-get install python3 python3-venv, or name another: make PYTHON=python3.12 ..." >&2
    exit 3
fi
if [ ! -x "$directory/bin/pip" ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian and Ubuntu split these two off into a package of their own.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
        else
            echo "Python's venv module is missing." >&2
            echo "  help: apt-get install python3-venv" >&2
            exit 3
        fi
    fi
    "$python" -m venv "$directory"
fi
echo "installing beespace into $directory" >&2
"$directory/bin/pip" install --quiet --disable-pip-version-check --editable "$requirement"
