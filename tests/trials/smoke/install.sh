#!/bin/sh
# Installs what `make smoke-image` runs the image by, on Debian and its like; run it as root. What is
# there already stays as it is. No service is started: on a machine with systemd, Debian's
# Prometheus and Alertmanager would listen on all addresses from then on.
set -eu
packages="podman buildah runc catatonit containernetworking-plugins prometheus prometheus-alertmanager debootstrap"
policy=/usr/sbin/policy-rc.d
if [ "$(id -u)" != 0 ]; then
    echo "packages are installed by root alone: sudo $0" >&2
    exit 1
fi
echo "installing $packages"
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
fi
apt-get update -qq
# unquoted on purpose: a word a package
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages
