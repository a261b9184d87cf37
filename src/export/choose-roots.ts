import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { isIndexType } from '../model/media-types.js';
import type { ImageTarget, ManifestNode } from '../stages/records.js';
import type { Survey } from '../survey/survey-images.js';
import { Documents } from '../content/documents.js';

/** Which document becomes the root of an image in an archive. */
export type IndexPolicy = 'auto' | 'preserve' | 'rewrite';

/** The root of one image in the archive. */
export interface ChosenRoot {
  readonly target: ImageTarget;
  readonly descriptor: Descriptor;
}

/** The roots of an archive. */
export interface RootChoice {
  readonly roots: readonly ChosenRoot[];
  /** Indexes that were written anew. */
  readonly made: ReadonlyMap<Digest, Buffer>;
  /** Indexes of the store that are packed. */
  readonly keptIndexes: ReadonlySet<Digest>;
  /** Indexes of the images that the archive does not have. What refers to them has lost its subject. */
  readonly replaced: ReadonlySet<Digest>;
}

/** Chooses the root of each image (docs/design.md, "Which document is the root"). Holds one index at a time. */
export async function chooseRoots(
  documents: Documents,
  survey: Survey,
  targets: readonly ImageTarget[],
  policy: IndexPolicy,
): Promise<RootChoice> {
  const made = new Map<Digest, Buffer>();
  const listed = new Set<Digest>();
  const roots: ChosenRoot[] = [];
  for (const target of targets) {
    const nodes = completeNodesOf(survey, target);
    if (policy === 'rewrite') {
      const packed = new Set(nodes.map(({ descriptor }) => descriptor.digest));
      const rewritten = await rewrite({ documents, packed, made, listed }, target.descriptor);
      roots.push({ target, descriptor: rewritten ?? target.descriptor });
    } else {
      const single = policy === 'auto' && survey.platforms.requested.length === 1 ? onlyManifest(nodes) : undefined;
      roots.push({ target, descriptor: single ?? target.descriptor });
    }
  }
  return { roots, made, ...indexesOf(survey, roots, listed) };
}

function completeNodesOf({ nodes }: Survey, target: ImageTarget): readonly ManifestNode[] {
  return nodes
    .filter(({ node, completeness }) => node.target === target && completeness.state === 'complete')
    .map(({ node }) => node);
}

/** The one manifest that is left, unless something speaks of it: without the index its attestations would lose their tie. */
function onlyManifest(nodes: readonly ManifestNode[]): Descriptor | undefined {
  const images = nodes.filter(({ kind, subject }) => kind !== 'index' && subject === undefined);
  const [only] = images;
  if (only === undefined || images.length > 1) return undefined;
  return nodes.some(({ subject }) => subject === only.descriptor.digest) ? undefined : only.descriptor;
}

/** What a rewrite reads, and what it gathers: the new documents, and the children that they list. */
interface Rewrite {
  readonly documents: Documents;
  readonly packed: ReadonlySet<Digest>;
  readonly made: Map<Digest, Buffer>;
  readonly listed: Set<Digest>;
}

/**
 * The index with only those children that are packed, nested ones too; the same descriptor where nothing falls away, none
 * where nothing is left.
 */
async function rewrite(context: Rewrite, descriptor: Descriptor): Promise<Descriptor | undefined> {
  const { documents, packed, made, listed } = context;
  const index = isIndexType(descriptor.mediaType) ? await documents.index(descriptor) : undefined;
  if (index === undefined) return descriptor;
  const manifests: Descriptor[] = [];
  for (const child of index.manifests.filter(({ digest }) => packed.has(digest))) {
    const rewritten = await rewrite(context, child);
    if (rewritten !== undefined) manifests.push(rewritten);
  }
  const isSame =
    manifests.length === index.manifests.length && manifests.every((child, at) => child === index.manifests[at]);
  if (isSame) return descriptor;
  if (manifests.length === 0) return undefined;
  const bytes = Buffer.from(JSON.stringify({ ...index, manifests }));
  const digest = digestOf(bytes);
  made.set(digest, bytes);
  for (const child of manifests) listed.add(child.digest);
  return { ...descriptor, digest, size: bytes.length };
}

/** Which stored indexes the archive has: those under an unchanged root, and those that a new index lists as they were. */
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
    // Parents come first in a survey, so that what stands under a kept index is known to be kept too.
    const isUnderKept = node.parent !== undefined && kept.has(node.parent);
    if (same.has(node.target) || node.subject !== undefined || listed.has(digest) || isUnderKept) kept.add(digest);
    else replaced.add(digest);
  }
  return { keptIndexes: kept, replaced: new Set([...replaced].filter((digest) => !kept.has(digest))) };
}

function isSameRoot({ target, descriptor }: ChosenRoot): boolean {
  return descriptor.digest === target.descriptor.digest;
}
