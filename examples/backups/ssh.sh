#!/usr/bin/env bash
# Copies images to the store of another machine, or every image from there: `ssh.sh push HOST IMAGE...`,
# `ssh.sh fetch HOST`. The other machine needs lading too. A connection that breaks leaves no half of an image.
set -euo pipefail

push() {
  local host="$1"
  shift
  lading save "$@" | ssh -- "$host" lading load
}

fetch() {
  ssh -- "$1" lading save --all | lading load
}

case "${1:-}" in
  push | fetch) "$@" ;;
  *) echo 'usage: ssh.sh push HOST IMAGE... | fetch HOST' >&2 && exit 2 ;;
esac
