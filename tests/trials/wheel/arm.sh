#!/bin/sh
# Build the wheel for 64-bit ARM on another processor, and answer with it:
#   arm.sh PYTHON    PYTHON is that of an environment with auditwheel, and Debian must have its version
# The headers for ARM, and the Python that qemu emulates, are Debian's. They are unpacked into build/arm64-wheel, and
# nothing is installed on this machine. The wheel is in dist/arm64.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/../../.."
for program in aarch64-linux-gnu-g++ qemu-aarch64-static apt-get dpkg; do
    if ! command -v "$program" > /dev/null; then
        echo "$program is missing; on Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static" >&2
        exit 1
    fi
done
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
here=$PWD/build/arm64-wheel
rm -rf "$here" dist/arm64 build/lib* build/bdist* build/temp*
mkdir -p "$here/apt/lists/partial" "$here/cache/archives/partial" "$here/root" "$here/data"

# the packages of an empty machine of this processor
cat > "$here/apt.conf" << END
APT::Architecture "arm64"; APT::Architectures {"arm64";}; APT::Sandbox::User "$(id -un)";
Dir::State "$here/apt"; Dir::State::status "$here/apt/status"; Dir::Cache "$here/cache";
END
touch "$here/apt/status"
export APT_CONFIG="$here/apt.conf"
apt-get -qq update
apt-get -qq --yes --download-only --no-install-recommends install \
    "libpython$version-dev" "python$version-minimal" libstdc++6 > "$here/apt.log"
for package in "$here"/cache/archives/*.deb; do dpkg -x "$package" "$here/root"; done

# what setuptools asks this Python, it answers for that of ARM
name=_sysconfigdata__aarch64-linux-gnu
cp "$here/root/usr/lib/python$version/$name.py" "$here/data"
includes="-I$here/root/usr/include/python$version -idirafter $here/root/usr/include"
# shellcheck disable=SC2046 # each requirement is a word
"$python" -m pip install --quiet $("$python" -c \
    'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
umask 022
env _PYTHON_HOST_PLATFORM=linux-aarch64 _PYTHON_SYSCONFIGDATA_NAME="$name" PYTHONPATH="$here/data" \
    CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++ CFLAGS="$includes" CXXFLAGS="$includes" \
    LDSHARED="aarch64-linux-gnu-gcc -shared" LDCXXSHARED="aarch64-linux-gnu-g++ -shared" \
    "$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$here" .
PATH="$(dirname "$python"):$PATH" auditwheel repair --wheel-dir dist/arm64 "$here"/*.whl
"$python" -m pip install --quiet --target "$here/site" --only-binary :all: --platform manylinux_2_34_aarch64 \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --python-version "$version" \
    dist/arm64/valence-*.whl
PYTHONPATH="$here/site:$PWD" exec qemu-aarch64-static -L "$here/root" "$here/root/usr/bin/python$version" \
    -m tests.trials.wheel.answer
