#!/usr/bin/env bash
# Keeps every image of the store in a restic repository: `restic.sh backup`, `restic.sh restore`.
# restic takes the repository and its password from RESTIC_REPOSITORY and RESTIC_PASSWORD_FILE.
set -euo pipefail

backup() {
  local run
  run="run-$(date +%s)-$$"
  if lading save --all | restic backup --quiet --stdin --stdin-filename images.tar --tag lading --tag "$run" &&
    restic dump --quiet --tag "$run" latest images.tar | lading verify --archive - >/dev/null; then
    # Only a snapshot that was read back and found whole is ever restored.
    restic tag --quiet --tag "$run" --add verified
    restic forget --quiet --tag verified --group-by paths --keep-daily 7 --keep-weekly 4
    return
  fi
  # restic makes a snapshot of a stream that was cut off, too.
  restic snapshots --json --tag "$run" | jq --raw-output '.[].id' | xargs --no-run-if-empty restic forget --quiet
  echo 'restic.sh: the backup failed; its snapshot was removed' >&2
  return 1
}

restore() {
  restic dump --quiet --tag verified latest images.tar | lading load
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: restic.sh backup | restore' >&2 && exit 2 ;;
esac
