#!/usr/bin/env bash
# Keeps every image of the store in one object of any storage that rclone knows:
# `rclone.sh backup REMOTE:PATH`, `rclone.sh restore REMOTE:PATH`.
set -euo pipefail

backup() {
  local size
  size="$(lading save --all --dry-run --print size)"
  # rclone takes a stream that was cut off for whole where nothing tells it the size, and on some storages even then.
  # So the object takes its name when it was read back.
  if lading save --all | rclone rcat --size "$size" "$1.part" &&
    rclone cat "$1.part" | lading verify --archive - >/dev/null; then
    rclone moveto "$1.part" "$1"
    return
  fi
  rclone deletefile "$1.part" 2>/dev/null || true
  echo "rclone.sh: the backup failed; $1 is as it was" >&2
  return 1
}

restore() {
  rclone cat "$1" | lading load
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: rclone.sh backup REMOTE:PATH | restore REMOTE:PATH' >&2 && exit 2 ;;
esac
