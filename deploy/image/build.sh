#!/bin/sh
# Builds the image by docker, podman or buildah, whichever is there or BUILDER names: deploy/image/build.sh cpu|gpu|training TAG.
# The build context is made of the newest bento, the locks of requirements and their checksums.
set -eu
variant=${1:-cpu}
tag=${2:-valence:latest}
cd "$(dirname "$0")/../.."
context=$PWD/build/image-$variant

case ${BUILDER:-} in
    "" | docker | podman | buildah) ;;
    *) echo "BUILDER is $BUILDER: choose docker, podman or buildah" >&2; exit 1 ;;
esac
here() { [ "${BUILDER:-$1}" = "$1" ] && command -v "$1" > /dev/null; }
if here docker && docker info > /dev/null 2>&1; then
    build="docker build"
elif here podman; then
    # only docker's format keeps the HEALTHCHECK
    build="podman build --format docker"
elif here buildah; then
    build="buildah build --layers --format docker"
else
    echo "${BUILDER:-none of docker, podman and buildah} is ${BUILDER:+not }here; install one of them" >&2
    exit 1
fi

rm -rf "$context"
mkdir -p "$context"
# the export has the models in it, which a bento in the store only names
"${BENTOML:-.venv/bin/bentoml}" export valence:latest "$context/bento.bento" > /dev/null
"${PYTHON:-.venv/bin/python}" -m tarfile --filter data --extract "$context/bento.bento" "$context/bento"
rm "$context/bento.bento"
cp -r requirements/locks "$context/locks"
cp deploy/image/verify.py "$context"
target=
if [ "$variant" = training ]; then
    target="--target training"
    tar --create --exclude=__pycache__ training | tar --extract --directory "$context"
fi
# models are written for their owner alone, and the image's user is another
chmod -R a+rX "$context"
(cd "$context/bento" && find . -type f -print0 | sort -z | xargs -0 sha256sum) > "$context/SHA256SUMS"

# shellcheck disable=SC2086 # several words on purpose
$build ${BUILD_ARGS:-} $target --build-arg "VARIANT=$variant" \
    --build-arg "VERSION=$(sed -n 's/^VERSION = "\(.*\)"/\1/p' service/version.py)" \
    --build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
    --file deploy/image/Dockerfile --tag "$tag" "$context"
