#!/usr/bin/env bash
# Puts the docker command of Debian's docker.io package into a folder. Nothing is installed, and no daemon comes with it:
#
#   bash test/interop/fetch-docker.sh build/docker
#
# The machine's own package sources and trusted keys are read; its state stays as it is. What the folder has already is not
# fetched again.
set -euo pipefail

readonly folder="${1:?usage: fetch-docker.sh FOLDER}"

mkdir -p "$folder"
if [ -x "$folder/docker" ]; then
  exit 0
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/download" "$work/package"
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
CONF

# A mirror may serve one suite's index half-synchronised. The others suffice; apt still checks every signature, and the
# download below fails if the package cannot be found.
APT_CONFIG="$work/apt.conf" apt-get -qq update || echo "fetch-docker: going on without the indexes that failed" >&2
(cd "$work/download" && APT_CONFIG="$work/apt.conf" apt-get -qq download docker.io)
dpkg-deb --fsys-tarfile "$work/download/"docker.io_*.deb | tar -x -C "$work/package" ./usr/bin/docker
# On the folder's own file system first, then moved in one step: the folder never holds a part of the command.
cp "$work/package/usr/bin/docker" "$folder/docker.part"
mv "$folder/docker.part" "$folder/docker"
