import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { quoted } from './measure.js';
import type { Contestant } from './run-case.js';
import type { Stand } from './stand.js';

/** The end of a pipe: a process that reads everything and keeps nothing. */
export const DISCARD = 'cat >/dev/null';

/** Lading, filling an empty store. */
export function loading(stand: Stand, command: string, name = 'lading'): Contestant {
  return { name, command, before: () => stand.clear(), watched: stand.store };
}

/** Anybody with the whole fixture in the store. */
export function withFullStore(stand: Stand, name: string, command: string): Contestant {
  return { name, command, before: () => stand.fill() };
}

/** tar, unpacking into an empty folder. */
export function unpacking(stand: Stand, command: string): Contestant {
  return { name: 'tar x', command, before: () => stand.clear() };
}

/** What a pipe carries when nobody looks at it. */
export function passing({ fixture }: Stand): Contestant {
  return { name: 'cat | cat', command: `${quoted('cat', fixture.archive)} | ${DISCARD}` };
}

/** The rate of one core's sha256, which verified work of one thread cannot surpass. */
export function hashing({ fixture }: Stand): readonly Contestant[] {
  const command = `${quoted('openssl', 'dgst', '-sha256', fixture.archive)} >/dev/null`;
  return isInstalled('openssl') ? [{ name: 'openssl sha256', command }] : [];
}

/** skopeo, from a full store to an archive file (it cannot write to a pipe), if it is here and its copies have room. */
export function skopeoSave(stand: Stand, reference: string): readonly Contestant[] {
  const archive = path.join(stand.unpacked, 'skopeo.tar');
  const command = skopeoCopy(stand, `oci:${stand.store}:${reference}`, `oci-archive:${archive}:1`);
  const before = async (): Promise<void> => {
    await stand.fill();
    await stand.emptyUnpacked();
  };
  return mayUseSkopeo(stand) ? [{ name: 'skopeo', command, before }] : [];
}

/** skopeo, from the archive to an empty OCI layout. */
export function skopeoLoad(stand: Stand): readonly Contestant[] {
  const layout = path.join(stand.unpacked, 'skopeo');
  const command = skopeoCopy(stand, `oci-archive:${stand.fixture.archive}:1`, `oci:${layout}:1`);
  return mayUseSkopeo(stand) ? [{ name: 'skopeo', command, before: () => stand.clear() }] : [];
}

/** It unpacks archives into TMPDIR, or packs them there, before it does anything else. */
function skopeoCopy(stand: Stand, source: string, target: string): string {
  return `TMPDIR=${quoted(stand.unpacked)} ${quoted('skopeo', '--insecure-policy', 'copy', '-q', '--all', source, target)}`;
}

function mayUseSkopeo({ hasRoomForPeers }: Stand): boolean {
  return hasRoomForPeers && isInstalled('skopeo');
}

function isInstalled(tool: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => isExecutable(path.join(folder, tool)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
