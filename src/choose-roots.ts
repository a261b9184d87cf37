import type { Descriptor } from './model/descriptor.js';
import { digestOf, type Digest } from './model/digest.js';
import type { Limits } from './model/limits.js';
import { isIndexType } from './model/media-types.js';
import type { ImageTarget, ManifestNode } from './stages/records.js';
import type { ContentProvider } from './stores/ports.js';
import { findIndex } from './stores/read-document.js';
import type { Survey } from './survey-images.js';

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
  /** Roots of the store that the archive does not have. What refers to them has lost its subject. */
  readonly replaced: ReadonlySet<Digest>;
}

/** Chooses the root of each image (SPEC: docs/design.md, "Which document is the root"). Holds one index at a time. */
export async function chooseRoots(
  provider: ContentProvider,
  survey: Survey,
  targets: readonly ImageTarget[],
  policy: IndexPolicy,
  limits: Limits,
): Promise<RootChoice> {
  const made = new Map<Digest, Buffer>();
  const roots: ChosenRoot[] = [];
  for (const target of targets) {
    const nodes = completeNodesOf(survey, target);
    if (policy === 'rewrite') {
      const packed = new Set(nodes.map(({ descriptor }) => descriptor.digest));
      const rewritten = await rewrite(provider, target.descriptor, packed, made, limits);
      roots.push({ target, descriptor: rewritten ?? target.descriptor });
    } else {
      const single = policy === 'auto' && survey.platforms.requested.length === 1 ? onlyManifest(nodes) : undefined;
      roots.push({ target, descriptor: single ?? target.descriptor });
    }
  }
  return { roots, made, ...indexesOf(survey, roots) };
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

/**
 * The index with only those children that are packed, nested ones too; the same descriptor where nothing falls away, none
 * where nothing is left.
 */
async function rewrite(
  provider: ContentProvider,
  descriptor: Descriptor,
  packed: ReadonlySet<Digest>,
  made: Map<Digest, Buffer>,
  limits: Limits,
): Promise<Descriptor | undefined> {
  const index = isIndexType(descriptor.mediaType) ? await findIndex(provider, descriptor, limits) : undefined;
  if (index === undefined) return descriptor;
  const manifests: Descriptor[] = [];
  for (const child of index.manifests.filter(({ digest }) => packed.has(digest))) {
    const rewritten = await rewrite(provider, child, packed, made, limits);
    if (rewritten !== undefined) manifests.push(rewritten);
  }
  const isSame =
    manifests.length === index.manifests.length && manifests.every((child, at) => child === index.manifests[at]);
  if (isSame) return descriptor;
  if (manifests.length === 0) return undefined;
  const bytes = Buffer.from(JSON.stringify({ ...index, manifests }));
  const digest = digestOf(bytes);
  made.set(digest, bytes);
  return { ...descriptor, digest, size: bytes.length };
}

function indexesOf(survey: Survey, roots: readonly ChosenRoot[]): Pick<RootChoice, 'keptIndexes' | 'replaced'> {
  const isSame = ({ target, descriptor }: ChosenRoot): boolean => descriptor.digest === target.descriptor.digest;
  const kept = new Set(roots.filter(isSame).map(({ target }) => target));
  const replaced = roots.filter((root) => !isSame(root)).map(({ target }) => target.descriptor.digest);
  const nodes = survey.nodes.filter(
    ({ node }) => node.kind === 'index' && (kept.has(node.target) || node.subject !== undefined),
  );
  return { keptIndexes: new Set(nodes.map(({ node }) => node.descriptor.digest)), replaced: new Set(replaced) };
}
