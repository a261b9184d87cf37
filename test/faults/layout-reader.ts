import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/*
 * What the oracle sees: the content of a store's directory, read from its files alone. This file imports nothing from
 * src/, so that an error in the store cannot hide itself.
 */

/** A file in the place of a blob, and what is wrong with it, if anything. */
interface SeenBlob {
  readonly file: string;
  readonly size: number;
  readonly problem: string | undefined;
}

/** One entry of a list of images. */
export interface SeenImage {
  readonly digest: string;
  readonly size: number;
  readonly name: string;
  /** The digests below the root that the store keeps, if not all. */
  readonly kept: readonly string[] | undefined;
}

/** The content of a store's directory. */
export interface SeenStore {
  readonly directory: string;
  /** The newest list of images; empty if there is no list yet. */
  readonly images: readonly SeenImage[];
  readonly blobs: ReadonlyMap<string, SeenBlob>;
  readonly trash: ReadonlyMap<string, SeenBlob>;
  readonly ingest: readonly string[];
  readonly leases: readonly string[];
  /** Files of the wrong kind, name, mode or content, which no store may have at any time. */
  readonly problems: readonly string[];
}

const NAME = 'io.containerd.image.name';
const KEPT = 'dev.lading.kept';

/** Reads the directory. Every blob is hashed. */
export async function readStore(directory: string): Promise<SeenStore> {
  const blobs = await readBlobs(path.join(directory, 'blobs', 'sha256'), (name) => `sha256:${name}`);
  const trash = await readBlobs(path.join(directory, '.lading/trash'), trashedDigest);
  const lists = await readLists(directory);
  return {
    directory,
    images: imagesOf(lists.newest),
    blobs,
    trash,
    ingest: await namesIn(path.join(directory, '.lading/ingest')),
    leases: await namesIn(path.join(directory, '.lading/leases')),
    problems: [
      ...[...blobs].flatMap(([digest, { problem }]) => (problem === undefined ? [] : [`blob ${digest}: ${problem}`])),
      ...[...trash].flatMap(([digest, { problem }]) => (problem === undefined ? [] : [`trash ${digest}: ${problem}`])),
      ...lists.problems,
      ...(await wrongModes(directory)),
    ],
  };
}

/** The digest of a file in the trash or in a folder of the trash. */
function trashedDigest(name: string): string {
  return path.basename(name).replace('-', ':');
}

async function readBlobs(folder: string, digestOf: (name: string) => string): Promise<Map<string, SeenBlob>> {
  const blobs = new Map<string, SeenBlob>();
  for (const name of await namesUnder(folder)) {
    const bytes = await readIfThere(path.join(folder, name));
    // Not a file, or another process removed it after it was listed.
    if (bytes === undefined) continue;
    const digest = digestOf(name);
    const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    blobs.set(digest, {
      file: path.join(folder, name),
      size: bytes.length,
      problem: actual === digest ? undefined : `content hashes to ${actual}`,
    });
  }
  return blobs;
}

interface Lists {
  readonly newest: Buffer | undefined;
  readonly problems: readonly string[];
}

/** Reads all generations of the list of images. `index.json` must equal one of them, byte for byte. */
async function readLists(directory: string): Promise<Lists> {
  const names = await namesIn(path.join(directory, '.lading/refs'));
  const numbers = names.map((name) => Number(/^(\d+)\.json$/.exec(name)?.[1])).sort((a, b) => a - b);
  const files = numbers.map(async (number) => await readIfThere(path.join(directory, `.lading/refs/${number}.json`)));
  const lists = (await Promise.all(files)).filter((bytes) => bytes !== undefined);
  const index = await readIfThere(path.join(directory, 'index.json'));
  const problems = lists.filter((bytes) => !isJson(bytes)).map((bytes) => `list of images: ${bytes.toString()}`);
  if (index !== undefined && !lists.some((bytes) => bytes.equals(index))) problems.push('index.json equals no list');
  if (numbers.some(Number.isNaN)) problems.push(`refs has ${names.join(', ')}`);
  return { newest: lists.at(-1), problems };
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

function imagesOf(list: Buffer | undefined): readonly SeenImage[] {
  if (list === undefined || !isJson(list)) return [];
  const { manifests } = JSON.parse(list.toString()) as {
    manifests: { digest: string; size: number; annotations?: Record<string, string> }[];
  };
  return manifests.map(({ digest, size, annotations }) => ({
    digest,
    size,
    name: annotations?.[NAME] ?? '',
    kept: annotations?.[KEPT]?.split(' '),
  }));
}

/** Modes: blobs 0400, files for other tools 0644, other files 0600, files in `ingest/` one of these; folders 0700. */
async function wrongModes(directory: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const name of await namesUnder(directory)) {
    const found = await lstat(path.join(directory, name)).catch(() => undefined);
    if (found === undefined) continue;
    const mode = (found.mode & 0o777).toString(8);
    if (!allowedModes(name, found.isDirectory()).includes(mode)) problems.push(`${name} has mode ${mode}`);
    if (!found.isFile() && !found.isDirectory()) problems.push(`${name} is neither a file nor a folder`);
  }
  return problems;
}

function allowedModes(name: string, isFolder: boolean): readonly string[] {
  if (isFolder) return ['700'];
  if (name.startsWith('blobs/') || name.startsWith('.lading/trash/')) return ['400'];
  if (name.startsWith('.lading/ingest/')) return ['400', '600', '644'];
  return name.startsWith('.lading/') ? ['600'] : ['644'];
}

async function namesUnder(directory: string): Promise<readonly string[]> {
  return (await namesIn(directory)).length === 0 ? [] : await readdir(directory, { recursive: true });
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return [];
  });
}

/** The bytes of a file; undefined if there is none, or if it is a folder. */
async function readIfThere(file: string): Promise<Buffer | undefined> {
  return await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'EISDIR') throw error;
    return undefined;
  });
}
