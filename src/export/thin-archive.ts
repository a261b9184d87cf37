import type { Documents } from '../content/documents.js';
import { THIN_ENTRY, THIN_INDEX_ENTRY, INDEX_ENTRY } from '../model/archive-layout.js';
import { bytesOfBlobs, type Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { formatThinList } from '../model/thin-list.js';
import type { Survey } from '../survey/survey-images.js';
import { digestOfPlan, layOut, madeFile, type PlannedEntry, type UnplacedEntry } from './lay-out-archive.js';

/** What a thin archive leaves out, and the archive that it would be with everything in it. */
export interface ThinPlan {
  readonly excluded: { readonly count: number; readonly bytes: number };
  /** Bytes of the full archive, and the digest of its plan. */
  readonly full: Content;
}

/** The layers to leave out, and the file names of the archives that have them. */
export interface LeftLayers {
  readonly digests: ReadonlySet<Digest>;
  readonly from: readonly string[];
}

/** The entries of an archive, before they have their places. */
export interface ArchiveParts {
  readonly metadata: readonly UnplacedEntry[];
  readonly blobs: readonly UnplacedEntry[];
}

/** A planned archive; `thin` is undefined if it is whole. */
export interface LaidOut {
  readonly entries: readonly PlannedEntry[];
  readonly size: number;
  readonly digest: Digest;
  readonly thin?: ThinPlan;
}

/**
 * Lays an archive out without the layers that are to be left out. A thin archive has names that no other tool looks for:
 * it would take an image without some of its layers. Where nothing is left out, the archive is an ordinary one.
 */
export async function layOutWithout(
  { documents, survey }: { readonly documents: Documents; readonly survey: Survey },
  { metadata, blobs }: ArchiveParts,
  { digests, from }: LeftLayers,
): Promise<LaidOut> {
  const whole = layOut(metadata, blobs);
  const full = { digest: digestOfPlan(whole.entries), size: whole.size };
  const listed = new Map(blobs.flatMap((entry) => layerOf(entry, digests)));
  // What is a layer here may be a config there, and documents always come along.
  if (listed.size > 0) for (const digest of await configsOf(documents, survey)) listed.delete(digest);
  if (listed.size === 0) return { ...whole, digest: full.digest };
  const index = metadata
    .filter(({ name }) => name === INDEX_ENTRY)
    .map((entry) => ({ ...entry, name: THIN_INDEX_ENTRY }));
  const list = madeFile(THIN_ENTRY, formatThinList({ base: listed, from, full }), 0o644);
  const rest = blobs.filter(({ content }) => !('digest' in content && listed.has(content.digest)));
  const thin = layOut([list, ...index], rest);
  return {
    ...thin,
    digest: digestOfPlan(thin.entries),
    thin: { excluded: { count: listed.size, bytes: bytesOfBlobs(listed) }, full },
  };
}

/** The entry, if it is one of these layers. Content of an unknown type that is an image of its own is no layer. */
function layerOf(
  { content, need, size }: UnplacedEntry,
  digests: ReadonlySet<Digest>,
): readonly (readonly [Digest, number])[] {
  if (!('digest' in content) || need?.kind !== 'layer' || content.digest === need.manifest) return [];
  return content.kind === 'blob' && digests.has(content.digest) ? [[content.digest, size]] : [];
}

async function configsOf(documents: Documents, { nodes }: Survey): Promise<ReadonlySet<Digest>> {
  const configs = new Set<Digest>();
  for (const { node, completeness } of nodes) {
    if (node.kind !== 'manifest' || completeness.state !== 'complete') continue;
    const manifest = await documents.manifest(node.descriptor);
    if (manifest !== undefined) configs.add(manifest.config.digest);
  }
  return configs;
}
