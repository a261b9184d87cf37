import { readFile, utimes } from 'node:fs/promises';
import path from 'node:path';
import { readStore, type SeenStore } from './layout-reader.js';

/** The visible state of a store, as texts, to compare two stores. */
export interface StoreState {
  /** `name digest` of each image, sorted; an unnamed one has no name. */
  readonly images: readonly string[];
  readonly blobs: readonly string[];
  /** Blobs that the images need and the store does not have. */
  readonly missing: readonly string[];
  /** Blobs that no image needs. */
  readonly unneeded: readonly string[];
}

/** The state, and problems that no store may have. */
export interface Judgement extends StoreState {
  readonly problems: readonly string[];
  readonly seen: SeenStore;
}

/** Judges a store by its files alone. */
export async function judge(directory: string): Promise<Judgement> {
  const seen = await readStore(directory);
  const { missing, walked } = await walk(seen);
  const blobs = [...seen.blobs.keys()].toSorted();
  return {
    seen,
    images: seen.images.map(({ name, digest }) => `${name} ${digest}`).toSorted(),
    blobs,
    missing,
    unneeded: blobs.filter((digest) => !walked.has(digest)),
    problems: seen.problems,
  };
}

/** Files that a prune should have removed. */
export function leftOver({ seen }: Judgement): readonly string[] {
  return [...seen.ingest.map((name) => `ingest/${name}`), ...[...seen.trash.keys()].map((name) => `trash/${name}`)];
}

/** Makes all files of ended processes 25 hours old, so that none of them is kept for a resume any longer. */
export async function passResumeTime(directory: string): Promise<void> {
  const { ingest, leases } = await readStore(directory);
  const long = new Date(Date.now() - 25 * 60 * 60 * 1000);
  const files = [...ingest.map((name) => `ingest/${name}`), ...leases.map((name) => `leases/${name}`)];
  for (const file of files) await utimes(path.join(directory, '.lading', file), long, long);
}

/** All digests that the images need, and those that are neither in `blobs/` nor in the trash, or that are damaged. */
async function walk(seen: SeenStore): Promise<{ missing: readonly string[]; walked: ReadonlySet<string> }> {
  const missing = new Set<string>();
  const walked = new Set<string>();
  const waiting: Need[] = [...seen.images];
  for (let need = waiting.pop(); need !== undefined; need = waiting.pop()) {
    if (walked.has(need.digest)) continue;
    walked.add(need.digest);
    const found = seen.blobs.get(need.digest) ?? seen.trash.get(need.digest);
    if (found === undefined) missing.add(need.digest);
    else if (found.problem !== undefined || found.size !== need.size) missing.add(`${need.digest} (damaged)`);
    else waiting.push(...(await childrenOf(found.file, need)));
  }
  return { missing: [...missing].toSorted(), walked };
}

interface Need {
  readonly digest: string;
  readonly size: number;
  readonly mediaType?: string;
  /** Of a root and what is below it: the only manifests that are needed. */
  readonly kept?: readonly string[] | undefined;
}

interface Document {
  readonly manifests?: readonly Need[];
  readonly layers?: readonly Need[];
  readonly config?: Need;
}

async function childrenOf(file: string, { mediaType, kept }: Need): Promise<readonly Need[]> {
  // A root comes without a media type here; every other need has one.
  if (mediaType !== undefined && !/index|manifest/.test(mediaType)) return [];
  const { manifests = [], layers = [], config } = JSON.parse(await readFile(file, 'utf8')) as Document;
  const needed = manifests.filter(({ digest }) => kept?.includes(digest) ?? true).map((need) => ({ ...need, kept }));
  return [...needed, ...layers, ...(config === undefined ? [] : [config])];
}
