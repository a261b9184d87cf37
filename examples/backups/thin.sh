#!/usr/bin/env bash
# Keeps the images of the store in a folder: a full archive, then archives of what the full one lacks.
# `thin.sh backup FOLDER`, `thin.sh restore FOLDER`. Begin anew by moving the folder away.
set -euo pipefail

backup() {
  local folder=$1 full=$1/full.tar part
  mkdir -p "$folder"
  if [[ ! -e $full ]]; then
    lading save --all -o "$folder/full.tar.part"
    lading verify --archive "$folder/full.tar.part" >/dev/null
    mv "$folder/full.tar.part" "$full"
    return
  fi
  part=$folder/$(date +%s%N).tar
  lading save --all --base "$full" -o "$part.part"
  # Hashes what is in both archives.
  lading verify --archive "$part.part" --base "$full" >/dev/null
  mv "$part.part" "$part"
}

restore() {
  local newest
  newest=$(find "$1" -name '[0-9]*.tar' | sort | tail -n 1)
  lading load -i "$1/full.tar"
  if [[ -n $newest ]]; then lading load -i "$newest"; fi
}

case "${1:-}" in
  backup | restore) "$@" ;;
  *) echo 'usage: thin.sh backup FOLDER | restore FOLDER' >&2 && exit 2 ;;
esac
