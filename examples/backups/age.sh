#!/usr/bin/env bash
# Keeps every image of the store in one encrypted file:
# `age.sh backup FILE RECIPIENT`, `age.sh restore FILE IDENTITY-FILE`.
set -euo pipefail

backup() {
  # An encrypted stream that was cut off looks like any other file: only a whole one gets the name.
  if lading save --all | age --encrypt --recipient "$2" --output "$1.part"; then mv "$1.part" "$1" && return; fi
  rm -f "$1.part"
  echo "age.sh: the backup failed; $1 is as it was" >&2
  return 1
}

restore() {
  age --decrypt --identity "$2" "$1" | lading load
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: age.sh backup FILE RECIPIENT | restore FILE IDENTITY-FILE' >&2 && exit 2 ;;
esac
