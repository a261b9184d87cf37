#!/usr/bin/env bash
# Keeps every image of the store in one file: `file.sh backup FILE`, `file.sh restore FILE`.
# `lading save -o` writes FILE whole or not at all: what stood there stays until the new archive is whole.
set -euo pipefail

backup() {
  lading save --all -o "$1.new"
  if lading verify --archive "$1.new" >/dev/null; then mv "$1.new" "$1" && return; fi
  rm "$1.new"
  echo "file.sh: what was written is damaged; $1 is as it was" >&2
  return 1
}

restore() {
  lading load -i "$1"
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: file.sh backup FILE | restore FILE' >&2 && exit 2 ;;
esac
