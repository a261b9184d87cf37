import path from 'node:path';
import { DISCARD } from './contestants.js';
import { IMAGE } from './fixture.js';
import { isInstalled } from './installed.js';
import { measure, quoted } from './measure.js';
import type { Contestant } from './run-case.js';
import type { Stand } from './stand.js';

/** skopeo, from a full store to an archive file: it cannot write to a pipe. */
export function skopeoSave(stand: Stand): Contestant {
  const target = `oci-archive:${path.join(stand.unpacked, 'skopeo.tar')}:1`;
  return skopeo(stand, `oci:${stand.store}:${IMAGE}`, target, async () => {
    await stand.fill();
    await stand.emptyUnpacked();
  });
}

/** skopeo, from the archive to an empty OCI layout. */
export function skopeoLoad(stand: Stand): Contestant {
  const target = `oci:${path.join(stand.unpacked, 'skopeo')}:1`;
  return skopeo(stand, `oci-archive:${stand.fixture.archive}:1`, target, () => stand.clear());
}

/** containerd, from its full content store to a pipe. */
export function ctrExport(stand: Stand, goal: number): Contestant {
  const { containerd } = stand.ground;
  const command = `${containerd.ctr('images', 'export', '--all-platforms', '-', IMAGE)} | ${DISCARD}`;
  return { ...ctr(stand, 'ctr export', command), goal, before: () => measure(importing(stand)) };
}

/** containerd, from the archive to an empty content store. */
export function ctrImport(stand: Stand, goal: number): Contestant {
  return { ...ctr(stand, 'ctr import', importing(stand)), goal, before: () => stand.clear() };
}

/** containerd, from a pipe to an empty content store. */
export function ctrImportPiped(stand: Stand, goal: number): Contestant {
  const command = `${quoted('cat', stand.fixture.archive)} | ${importing(stand, '-')}`;
  return { ...ctr(stand, 'ctr import', command), goal, before: () => stand.clear() };
}

/** Its copy is removed after each run, so that there is room for the others. */
function ctr({ ground: { containerd, workspace } }: Stand, name: string, command: string): Contestant {
  return {
    name,
    command,
    whyMissing: async () => (workspace.isRoomForPeers ? await containerd.whyMissing() : NO_ROOM),
    after: () => measure(`${containerd.ctr('images', 'rm', '--sync', IMAGE)} >/dev/null`),
    watched: containerd.root,
    daemon: () => containerd.pid,
  };
}

function importing({ ground, fixture }: Stand, file = fixture.archive): string {
  return `${ground.containerd.ctr('images', 'import', '--all-platforms', '--no-unpack', file)} >/dev/null`;
}

/** skopeo first unpacks archives into TMPDIR, or packs them there. */
function skopeo(stand: Stand, source: string, target: string, before: () => Promise<void>): Contestant {
  const copy = quoted('skopeo', '--insecure-policy', 'copy', '-q', '--all', source, target);
  return {
    name: 'skopeo',
    command: `TMPDIR=${quoted(stand.unpacked)} ${copy}`,
    whyMissing: async () => whyNoSkopeo(stand),
    before,
    after: () => stand.emptyUnpacked(),
    watched: stand.unpacked,
  };
}

function whyNoSkopeo({ ground: { workspace } }: Stand): string | undefined {
  if (!workspace.isRoomForPeers) return NO_ROOM;
  return isInstalled('skopeo') ? undefined : 'skopeo is not in PATH';
}

const NO_ROOM = 'there is no room for its copies';
