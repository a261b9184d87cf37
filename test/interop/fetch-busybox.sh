#!/usr/bin/env bash
# Puts Debian's busybox-static packages (the .deb files, nothing is installed) of six architectures into a folder:
#
#   bash test/interop/fetch-busybox.sh build/busybox
#
# The system's apt configuration stays as it is. A private state and cache folder lists the foreign architectures; the
# machine's own sources and trusted keys are read. What the folder has already is not fetched again.
set -euo pipefail

readonly architectures=(amd64 arm64 armhf i386 ppc64el s390x)
readonly folder="${1:?usage: fetch-busybox.sh FOLDER}"

missing=()
mkdir -p "$folder"
for architecture in "${architectures[@]}"; do
  compgen -G "$folder/busybox-static_*_${architecture}.deb" >/dev/null || missing+=("$architecture")
done
if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/download"
# No installed package may have a say in what can be downloaded.
: >"$work/status"

cat >"$work/apt.conf" <<CONF
Dir::State "$work/state";
Dir::State::lists "$work/state/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "$(id -un)";
APT::Get::List-Cleanup "false";
#clear APT::Architectures;
APT::Architectures { $(printf '"%s"; ' "${missing[@]}")};
CONF

# A mirror may serve one suite's index half-synchronised. The others suffice; apt still checks every signature, and the
# download below fails if a package cannot be found.
APT_CONFIG="$work/apt.conf" apt-get -qq update || echo "fetch-busybox: going on without the indexes that failed" >&2
packages=("${missing[@]/#/busybox-static:}")
(cd "$work/download" && APT_CONFIG="$work/apt.conf" apt-get -qq download "${packages[@]}")
for architecture in "${missing[@]}"; do
  # Moved only when whole, so that a folder never holds a part of a package.
  mv "$work/download/"busybox-static_*_"$architecture.deb" "$folder/"
done
