#!/bin/sh
# Installs what `make smoke-image` runs the image by, on Debian and its like; run it as root.
set -eu
packages="podman buildah runc catatonit containernetworking-plugins prometheus prometheus-alertmanager debootstrap"
echo "installing $packages"
apt-get update -qq
# unquoted on purpose: a word a package
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages
