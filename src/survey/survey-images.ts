import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Documents } from '../content/documents.js';
import { inTurns } from '../flow/in-turns.js';
import { throwIfAborted } from '../model/aborted.js';
import type { Completeness } from '../model/completeness.js';
import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { keepsPart } from '../model/kept-parts.js';
import { PlatformSet, type PlatformRequest } from '../model/platform-set.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import { DedupeBlobs } from '../stages/dedupe-blobs.js';
import { FilterPlatforms } from '../stages/filter-platforms.js';
import { ListBlobs } from '../stages/list-blobs.js';
import type { BlobNeed, ManifestNode } from '../stages/records.js';
import { WalkIndex } from '../stages/walk-index.js';
import { labelOfRecord, type Warning } from './reports.js';

/** Finds the manifests that refer to a digest. */
export type ReferrersOf = (subject: Digest) => Promise<readonly Descriptor[]>;

/** What to look for, and how. */
export interface SurveyOptions {
  readonly platforms?: readonly PlatformRequest[];
  readonly referrers?: ReferrerPolicy;
  readonly foreignLayers?: 'drop' | 'keep';
  /** Finds referrers that no index lists. */
  readonly referrersOf?: ReferrersOf;
  readonly signal?: AbortSignal | undefined;
}

/** A node that the filter kept, and whether all of it is here. */
export interface ListedNode {
  readonly node: ManifestNode;
  readonly completeness: Completeness;
}

/** What images have and need: the one answer that save, load, inspect and verify share. */
export interface Survey {
  /** Each blob once, parents first, grouped by image and manifest. */
  readonly needs: readonly BlobNeed[];
  /** Every index and manifest that the filter kept, in the order of the walk. */
  readonly nodes: readonly ListedNode[];
  readonly platforms: PlatformSet<ImageRecord>;
  readonly warnings: readonly Warning[];
}

/**
 * Walks the images and finds out which of their blobs are here. Reads documents, never layers. Damage that `documents`
 * tolerates counts as missing.
 */
export async function surveyImages(
  documents: Documents,
  targets: readonly ImageRecord[],
  options: SurveyOptions = {},
): Promise<Survey> {
  const { referrers = 'follow', foreignLayers = 'drop', signal } = options;
  const platforms = new PlatformSet<ImageRecord>(options.platforms);
  const needs: BlobNeed[] = [];
  const nodes: ListedNode[] = [];
  const walked = pipeline(
    // A repository may have a thousand tags, and small documents are read with blocking calls.
    Readable.from(inTurns(targets)),
    new WalkIndex({ documents, referrersOf: referrersOfWanted(platforms, options) }),
    new FilterPlatforms({ platforms, referrers }),
    new ListBlobs({
      documents,
      platforms,
      foreignLayers,
      onListed: (node, completeness) => void nodes.push({ node, completeness }),
    }),
    new DedupeBlobs(documents.limits),
    collectInto(needs),
    { signal },
  );
  await walked.catch((error: unknown) => {
    throwIfAborted(signal, 'the survey of the images');
    throw error;
  });
  return { needs, nodes, platforms, warnings: referrerWarnings(nodes) };
}

/** A sink that puts every record into a list. */
function collectInto(list: BlobNeed[]): Writable {
  return new Writable({
    objectMode: true,
    write: (record: BlobNeed, _encoding, callback) => {
      list.push(record);
      callback();
    },
  });
}

/** Looks up referrers only for nodes that the filter may keep: each look-up may be a request to a registry. */
function referrersOfWanted(
  platforms: PlatformSet<ImageRecord>,
  { referrers, referrersOf }: SurveyOptions,
): (node: ManifestNode) => Promise<readonly Descriptor[]> {
  if (referrersOf === undefined || referrers === 'drop') return async () => [];
  // The best platform is known only after all of them were seen.
  const mayPass = ({ subject, platform }: ManifestNode): boolean =>
    subject !== undefined || platforms.choosesBest || platforms.wants(platform);
  return async (node) => (mayPass(node) ? await referrersOf(node.descriptor.digest) : []);
}

/** Warns of a missing referrer only if its subject itself is complete. */
function referrerWarnings(nodes: readonly ListedNode[]): readonly Warning[] {
  const complete = new Set(nodes.filter(isComplete).map(({ node }) => node.descriptor.digest));
  return nodes
    .filter(
      ({ node, completeness }) =>
        completeness.state === 'missing' &&
        node.subject !== undefined &&
        complete.has(node.subject) &&
        keepsPart(node.target, node.descriptor.digest),
    )
    .map(({ node, completeness }) => ({
      code: 'WARN_REFERRER_MISSING',
      message: `${node.descriptor.digest}, which refers to ${node.subject}, was left out: ${completeness.missing} is missing`,
      image: labelOfRecord(node.target),
    }));
}

function isComplete({ completeness }: ListedNode): boolean {
  return completeness.state === 'complete';
}

/**
 * The complete referrers that no index lists, or only one of the indexes `gone`, as descriptors to stand beside the
 * images, in digest order.
 */
export function unlistedReferrers(survey: Survey, gone: ReadonlySet<Digest> = new Set()): readonly Descriptor[] {
  const found = new Map<Digest, Descriptor>();
  for (const { node, completeness } of survey.nodes) {
    if (node.subject === undefined || completeness.state !== 'complete') continue;
    if (node.parent !== undefined && !gone.has(node.parent)) continue;
    const { platform: _, ...descriptor } = node.descriptor;
    const annotations = { ...descriptor.annotations, [ANNOTATIONS.subject]: node.subject };
    found.set(descriptor.digest, { ...descriptor, annotations });
  }
  return [...found.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}
