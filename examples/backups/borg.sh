#!/usr/bin/env bash
# Keeps every image of the store in a borg repository: `borg.sh backup`, `borg.sh restore`.
# borg takes the repository and its passphrase from BORG_REPO and BORG_PASSPHRASE.
set -euo pipefail

backup() {
  local name
  name="images-$(date --utc +%Y-%m-%dT%H:%M:%S)"
  # borg starts the save itself, and keeps nothing of one that fails.
  borg create --content-from-command --stdin-name images.tar "::$name" -- lading save --all
  if borg extract --stdout "::$name" | lading verify --archive - >/dev/null; then
    borg prune --glob-archives 'images-*' --keep-daily 7 --keep-weekly 4
    return
  fi
  borg delete "::$name"
  echo 'borg.sh: what was written is damaged; it was removed' >&2
  return 1
}

restore() {
  local name
  name="$(borg list --short --glob-archives 'images-*' --last 1)"
  borg extract --stdout "::$name" | lading load
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: borg.sh backup | restore' >&2 && exit 2 ;;
esac
