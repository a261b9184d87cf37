import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { BARRELS, broken, files, isOurs, resolved, SERVER_FILES, type SourceFile } from './source-files.js';

const BELOW_STORES = ['model', 'flow', 'files', 'content'];
const BELOW_STAGES = ['model', 'flow', 'files', 'content', 'compression', 'layers'];
const BELOW_SURVEY = [...BELOW_STAGES, 'archives', 'stores', 'stages', 'progress'];
const BELOW_VERBS = [...BELOW_SURVEY, 'survey'];
const LAYOUT = 'stores/layout';

/**
 * The rooms that each room may import, besides itself. A room is a folder of `src/`; the folders of the directory store
 * are rooms too. CONTRIBUTING.md explains the same table.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  flow: ['model'],
  files: ['model'],
  content: ['model', 'flow', 'files'],
  compression: ['model', 'flow'],
  layers: ['model', 'flow', 'content', 'compression'],
  tree: ['model'],
  progress: ['model', 'flow'],
  archives: ['model', 'flow', 'files'],
  pump: ['model', 'files', 'content'],
  stores: BELOW_STORES,
  'stores/memory': [...BELOW_STORES, 'stores'],
  'stores/rootfs': ['model', 'files', 'tree'],
  [`${LAYOUT}/place`]: ['model', 'files'],
  [`${LAYOUT}/leases`]: ['model', 'files', `${LAYOUT}/place`],
  [`${LAYOUT}/refs`]: [...BELOW_STORES, 'stores', `${LAYOUT}/place`],
  [`${LAYOUT}/ingest`]: ['model', 'files', 'content', 'stores', `${LAYOUT}/place`],
  [`${LAYOUT}/blobs`]: [...BELOW_STORES, `${LAYOUT}/place`, `${LAYOUT}/leases`],
  [`${LAYOUT}/trash`]: [...BELOW_STORES, 'stores', `${LAYOUT}/place`, `${LAYOUT}/leases`],
  [LAYOUT]: [
    ...BELOW_STORES,
    'stores',
    ...['place', 'leases', 'refs', 'ingest', 'blobs', 'trash'].map((room) => `${LAYOUT}/${room}`),
  ],
  registry: [...BELOW_STORES, 'stores'],
  stages: [...BELOW_STAGES, 'stores'],
  survey: BELOW_SURVEY,
  export: [...BELOW_VERBS, 'pump'],
  load: [...BELOW_VERBS, 'trust'],
  edit: [...BELOW_VERBS, 'trust'],
  unpack: [...BELOW_VERBS, 'tree', 'stores/rootfs'],
  copy: [...BELOW_VERBS, 'export', 'load', 'registry', 'trust'],
  inspect: [...BELOW_VERBS, 'load', 'stores/memory', 'trust'],
  page: ['model', 'survey', 'inspect'],
  verify: [...BELOW_VERBS, 'load', 'stores/memory', 'trust'],
  trust: BELOW_VERBS,
  server: ['index'],
};

/** Single files that a room may import from another room that it may not import as a whole. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  [`${LAYOUT}/trash`]: [`${LAYOUT}/layout-parts`],
  server: SERVER_FILES,
};

/** The room of a file or of a module: the folder it lies in. */
const roomOf = (file: string): string => (file.includes('/') ? path.posix.dirname(file) : file.replace(/\.ts$/, ''));

/** Whether a file only re-exports names of others. */
const isBarrel = (file: string): boolean => BARRELS.includes(file.replace(/\.ts$/, ''));

/** Folders below server/ and cli/ count as part of these rooms. */
const faceOf = (room: string): string => (/^(?:server|cli)\//.test(room) ? (room.split('/')[0] ?? room) : room);

test('finds the sources and what they import', () => {
  assert.ok(files.length > 50, `${files.length} files`);
  const load = files.find(({ file }) => file === 'load/load-entries.ts');
  assert.ok(load?.imports.includes('stages/commit') && load.imports.includes('node:stream'));
});

test('imports only files that exist, packages and builtins', () => {
  const local = broken((_, imported) => isOurs(imported) || /^(?:node:|@)?[a-z][\w.-]*(?:\/[\w.-]+)*$/.test(imported));
  assert.deepEqual(local, []);
});

test('has index.ts and rooms, and each room in the table', () => {
  const rooms = [...new Set(files.map(({ file }) => faceOf(roomOf(file))))];
  assert.deepEqual(
    rooms.filter((room) => room !== 'index' && room !== 'cli' && ROOMS[room] === undefined),
    [],
  );
  assert.deepEqual(
    Object.keys(ROOMS).filter((room) => !rooms.includes(room)),
    [],
  );
});

test('lets each room import the rooms that the table names', () => {
  assert.deepEqual(broken(isAllowed), []);
});

function isAllowed({ file }: SourceFile, imported: string): boolean {
  if (!isOurs(imported) || isBarrel(file)) return true;
  const [room, other] = [faceOf(roomOf(file)), faceOf(roomOf(imported))];
  if (room === 'cli' || room === other) return true;
  return (ROOMS[room] ?? []).includes(other) || (FILES[room] ?? []).includes(imported);
}

test('has no circle of files', () => {
  const imports = new Map(files.map(({ file, imports }) => [file.replace(/\.ts$/, ''), imports.filter(isOurs)]));
  assert.deepEqual(circlesIn(imports), []);
});

test('has no circle of rooms', () => {
  const imports = new Map<string, readonly string[]>();
  for (const { file, imports: names } of files) {
    const room = faceOf(roomOf(file));
    if (isBarrel(file)) continue;
    const rooms = names
      .filter((name) => isOurs(name) && !BARRELS.includes(name) && !isTypeOnly(file, name))
      .map((name) => faceOf(roomOf(name)));
    imports.set(room, [...(imports.get(room) ?? []), ...rooms.filter((other) => other !== room)]);
  }
  assert.deepEqual(circlesIn(imports), []);
});

/** Whether a file imports only types of another, which does not count at run time. */
function isTypeOnly(file: string, imported: string): boolean {
  const { code } = files.find((source) => source.file === file) ?? { code: '' };
  const names = [...code.matchAll(/^import (type )?[^;'"]*from ['"]([^'"]+)['"]/gm)];
  const own = names.filter(([, , name = '']) => name.startsWith('.') && resolved(file, name) === imported);
  return own.length > 0 && own.every(([, type]) => type !== undefined);
}

/** The circles, each as the names along it. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, way: readonly string[]): void => {
    if (way.includes(name)) circles.push([...way.slice(way.indexOf(name)), name].join(' > '));
    if (way.includes(name) || done.has(name)) return;
    for (const next of imports.get(name) ?? []) visit(next, [...way, name]);
    done.add(name);
  };
  for (const name of imports.keys()) visit(name, []);
  return circles;
}
