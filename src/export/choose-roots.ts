import { Documents } from '../content/documents.js';
import { inTurns } from '../flow/in-turns.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { isIndexType } from '../model/media-types.js';
import type { ManifestNode } from '../stages/records.js';
import { nodesOf } from '../survey/nodes-of.js';
import type { Survey } from '../survey/survey-images.js';

/**
 * Which document becomes the root of an image in an archive. `auto`: the manifest if one platform was requested and
 * nothing refers to the index, else the index; `preserve`: the index as it is; `rewrite`: a new index of what is packed.
 */
export type IndexPolicy = 'auto' | 'preserve' | 'rewrite';

/** The root of one image in the archive. */
export interface ChosenRoot {
  readonly target: ImageRecord;
  readonly descriptor: Descriptor;
}

/** The roots of an archive. */
export interface RootChoice {
  readonly roots: readonly ChosenRoot[];
  /** New indexes, by digest. */
  readonly made: ReadonlyMap<Digest, Buffer>;
  /** Indexes of the store that are packed. */
  readonly keptIndexes: ReadonlySet<Digest>;
  /** Indexes of the images that the archive leaves out. Their referrers have lost their subject. */
  readonly replaced: ReadonlySet<Digest>;
  /** Those of them in whose place stands one manifest: what they listed beside it loses its place. */
  readonly unlisted: ReadonlySet<Digest>;
}

/** Which roots to choose, and the roots that signatures or other referrers speak of. */
export interface RootOptions {
  readonly policy: IndexPolicy;
  readonly subjects: ReadonlySet<Digest>;
}

/** Chooses the root of each image (docs/design/pipelines.md, "Which document is the root"). Holds one index. */
export async function chooseRoots(
  documents: Documents,
  survey: Survey,
  targets: readonly ImageRecord[],
  options: RootOptions,
): Promise<RootChoice> {
  const rewriter = new IndexRewriter(documents);
  const roots: ChosenRoot[] = [];
  for await (const target of inTurns(targets)) {
    const nodes = completeNodesOf(survey, target);
    roots.push({
      target,
      descriptor: (await chooseRoot(nodes, survey, target, options, rewriter)) ?? target.descriptor,
    });
  }
  const indexes = indexesOf(survey, roots, rewriter.listed);
  // A rewritten index lists what is packed; a manifest lists nothing.
  const unlisted = options.policy === 'rewrite' ? new Set<Digest>() : indexes.replaced;
  return { roots, made: rewriter.made, ...indexes, unlisted };
}

/** The new root; undefined if the image keeps its own. */
async function chooseRoot(
  nodes: readonly ManifestNode[],
  { platforms }: Survey,
  { descriptor }: ImageRecord,
  { policy, subjects }: RootOptions,
  rewriter: IndexRewriter,
): Promise<Descriptor | undefined> {
  if (policy === 'rewrite') {
    return await rewriter.rewrite(descriptor, new Set(nodes.map((node) => node.descriptor.digest)));
  }
  // No signature over the index can hold for another root.
  const isFree = policy === 'auto' && !subjects.has(descriptor.digest);
  return isFree && platforms.requested.length === 1 ? onlyManifest(nodes) : undefined;
}

function completeNodesOf(survey: Survey, target: ImageRecord): readonly ManifestNode[] {
  return nodesOf(survey, target)
    .filter(({ completeness }) => completeness.state === 'complete')
    .map(({ node }) => node);
}

/** The one manifest that is left. What refers to it stands beside it in the archive, tied by an annotation. */
function onlyManifest(nodes: readonly ManifestNode[]): Descriptor | undefined {
  const [only, ...more] = nodes.filter(({ kind, subject }) => kind !== 'index' && subject === undefined);
  return more.length === 0 ? only?.descriptor : undefined;
}

/** Rewrites indexes to list only what is packed. Holds the new documents, and the digests that they list. */
export class IndexRewriter {
  readonly made = new Map<Digest, Buffer>();
  readonly listed = new Set<Digest>();
  readonly #documents: Documents;

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  /** The index with only the packed children, also in nested indexes. Unchanged if all stay, undefined if none does. */
  async rewrite(descriptor: Descriptor, packed: ReadonlySet<Digest>): Promise<Descriptor | undefined> {
    const index = isIndexType(descriptor.mediaType) ? await this.#documents.index(descriptor) : undefined;
    if (index === undefined) return descriptor;
    const manifests: Descriptor[] = [];
    for (const child of index.manifests.filter(({ digest }) => packed.has(digest))) {
      const rewritten = await this.rewrite(child, packed);
      if (rewritten !== undefined) manifests.push(rewritten);
    }
    const isSame =
      manifests.length === index.manifests.length && manifests.every((child, at) => child === index.manifests[at]);
    if (isSame) return descriptor;
    if (manifests.length === 0) return undefined;
    const bytes = Buffer.from(JSON.stringify({ ...index, schemaVersion: 2, manifests }));
    const digest = digestOf(bytes);
    this.made.set(digest, bytes);
    for (const child of manifests) this.listed.add(child.digest);
    return { ...descriptor, digest, size: bytes.length };
  }
}

/** The archive keeps the stored indexes under an unchanged root, and those that a new index lists unchanged. */
function indexesOf(
  survey: Survey,
  roots: readonly ChosenRoot[],
  listed: ReadonlySet<Digest>,
): Pick<RootChoice, 'keptIndexes' | 'replaced'> {
  const same = new Set(roots.filter(isSameRoot).map(({ target }) => target));
  const kept = new Set<Digest>();
  const replaced = new Set<Digest>();
  for (const { node } of survey.nodes.filter(({ node: { kind } }) => kind === 'index')) {
    const { digest } = node.descriptor;
    // A survey has parents first, so the parent of this index was judged before.
    const isUnderKept = node.parent !== undefined && kept.has(node.parent);
    if (same.has(node.target) || node.subject !== undefined || listed.has(digest) || isUnderKept) kept.add(digest);
    else replaced.add(digest);
  }
  return { keptIndexes: kept, replaced: new Set([...replaced].filter((digest) => !kept.has(digest))) };
}

function isSameRoot({ target, descriptor }: ChosenRoot): boolean {
  return descriptor.digest === target.descriptor.digest;
}
