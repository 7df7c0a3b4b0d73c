#!/bin/sh
# Build the image: deploy/image/build.sh cpu|gpu|training TAG
# The script uses docker, podman or buildah: the first one that works, or the one that BUILDER names.
# The build context holds the newest bento, the locked requirements and the checksums of the bento.
set -eu
variant=${1:-cpu}
tag=${2:-valence:latest}
cd "$(dirname "$0")/../.."
context=$PWD/build/image-$variant

case ${BUILDER:-} in
    "" | docker | podman | buildah) ;;
    *) echo "BUILDER=$BUILDER is not supported; set it to docker, podman or buildah" >&2; exit 1 ;;
esac
usable() { [ "${BUILDER:-$1}" = "$1" ] && command -v "$1" > /dev/null; }
if usable docker && docker info > /dev/null 2>&1; then
    build="docker build"
elif usable podman; then
    # Only docker's image format keeps the HEALTHCHECK.
    build="podman build --format docker"
elif usable buildah; then
    build="buildah build --layers --format docker"
elif [ -n "${BUILDER:-}" ]; then
    echo "BUILDER=$BUILDER is not installed or does not run; install it, or unset BUILDER" >&2
    exit 1
else
    echo "the build needs docker, podman or buildah; install one of them" >&2
    exit 1
fi

rm -rf "$context"
mkdir -p "$context"
# The bento in the store only names its models. The exported bento contains them.
"${BENTOML:-.venv/bin/bentoml}" export valence:latest "$context/bento.bento" > /dev/null
"${PYTHON:-.venv/bin/python}" -m tarfile --filter data --extract "$context/bento.bento" "$context/bento"
rm "$context/bento.bento"
cp -r requirements/locks "$context/locks"
cp deploy/image/verify.py "$context"
cp LICENSE NOTICE "$context/bento"
target=
if [ "$variant" = training ]; then
    target="--target training"
    tar --create --exclude=__pycache__ training | tar --extract --directory "$context"
fi
# Only the owner may read the model files, and the image runs as another user.
chmod -R a+rX "$context"
(cd "$context/bento" && find . -type f -print0 | sort -z | xargs -0 sha256sum) > "$context/SHA256SUMS"
restrictions=$("${PYTHON:-.venv/bin/python}" deploy/image/restrictions.py "$context/bento")

# shellcheck disable=SC2086 # these variables hold several words on purpose
$build ${BUILD_ARGS:-} $target --build-arg "VARIANT=$variant" \
    --build-arg "VERSION=$(sed -n 's/^VERSION = "\(.*\)"/\1/p' service/version.py)" \
    --build-arg "RESTRICTIONS=$restrictions" \
    --build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
    --file deploy/image/Dockerfile --tag "$tag" "$context"
