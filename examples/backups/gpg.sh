#!/usr/bin/env bash
# Keeps every image of the store in one encrypted file: `gpg.sh backup FILE RECIPIENT`, `gpg.sh restore FILE`.
set -euo pipefail

backup() {
  # Layers are compressed already. An encrypted stream that was cut off looks like any other file: only a whole one
  # gets the name.
  if lading save --all | gpg --batch --yes --encrypt --recipient "$2" -z 0 --output "$1.part"; then
    mv "$1.part" "$1"
    return
  fi
  rm -f "$1.part"
  echo "gpg.sh: the backup failed; $1 is as it was" >&2
  return 1
}

restore() {
  gpg --batch --quiet --decrypt "$1" | lading load
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: gpg.sh backup FILE RECIPIENT | restore FILE' >&2 && exit 2 ;;
esac
