import { createHash } from 'node:crypto';
import type { Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';

/** A copy that is planned: what the names meant, and which configs and layers the images need. */
export interface PlannedCopy {
  readonly records: readonly ImageRecord[];
  readonly blobs: readonly Content[];
}

/** A repository of a registry that images go to, with the blobs that they need there. */
export interface NeededAt {
  readonly host: string;
  readonly path: string;
  readonly blobs: readonly Content[];
}

/** The home of each blob that several repositories of a registry need: by host, then by digest. */
export type Homes = Readonly<Record<string, Readonly<Record<Digest, string>>>>;

/**
 * Chooses for each blob that several repositories of one registry need the one that gets it first, so that the others
 * can mount it. Workers that share nothing but the plan choose alike (rendezvous hashing).
 */
export function homesOf(needed: readonly NeededAt[]): Homes {
  const wanted = new Map<string, Map<Digest, Set<string>>>();
  for (const { host, path, blobs } of needed) {
    const ofHost = wanted.get(host) ?? new Map<Digest, Set<string>>();
    wanted.set(host, ofHost);
    for (const { digest } of blobs) ofHost.set(digest, (ofHost.get(digest) ?? new Set()).add(path));
  }
  const homes = [...wanted].map(([host, blobs]) => {
    const shared = [...blobs].filter(([, paths]) => paths.size > 1);
    return [host, Object.fromEntries(shared.map(([digest, paths]) => [digest, lowest([...paths], digest)]))] as const;
  });
  return Object.fromEntries(homes);
}

/** Which of so many shards, counted from 1, a destination belongs to: the same in every process. */
export function shardOf(destination: string, count: number): number {
  const shards = Array.from({ length: count }, (_, at) => String(at + 1));
  return Number(lowest(shards, destination));
}

/** The candidate whose hash together with the key is the lowest. */
function lowest(candidates: readonly string[], key: string): string {
  const weighed = candidates.map((one) => [createHash('sha256').update(`${one} ${key}`).digest('hex'), one] as const);
  return weighed.reduce((best, next) => (next[0] < best[0] ? next : best))[1];
}
