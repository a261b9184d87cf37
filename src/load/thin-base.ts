import { Documents } from '../content/documents.js';
import type { ContentProvider } from '../content/content-provider.js';
import { totalBytes } from '../model/content.js';
import { decorated } from '../model/decorated.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { contentOf, type ImageManifest } from '../model/image-manifest.js';
import type { Limits } from '../model/limits.js';
import { byDigest, wrongThin, type ThinList } from '../model/thin-list.js';
import type { ArchiveContents } from '../stages/records.js';
import type { Survey } from '../survey/survey-images.js';

/** The content, with the layers that have a size here as if they were in it. They cannot be read. */
export function withLayers<Provider extends ContentProvider>(
  provider: Provider,
  sizeOf: (digest: Digest) => number | undefined,
): Provider {
  const own: Partial<ContentProvider> = {
    stat: async (digest, kind) => {
      const found = await provider.stat(digest, kind);
      const size = sizeOf(digest);
      return found ?? (size === undefined ? undefined : { size });
    },
  };
  return decorated(provider, own as Partial<Provider>);
}

/** What a thin archive is judged by: what its images need, and where to look. */
export interface BaseSources {
  readonly survey: Survey;
  readonly provider: ContentProvider;
  readonly limits: Limits;
  /** Whether a filter may have left out images that need something of the list. */
  readonly isFiltered: boolean;
}

/** What came of a thin archive. */
type Thin = Required<Pick<ArchiveContents, 'thin' | 'hasCome'>>;

/**
 * Judges an archive if it is a thin one. Returns the ERR_BASE_MISSING of layers that are not here. Throws
 * ERR_ARCHIVE_FORMAT for a list that is not what its images need.
 */
export async function judgeBase(
  { thin, hasCome }: ArchiveContents,
  sources: BaseSources,
): Promise<LadingError | undefined> {
  if (thin === undefined || hasCome === undefined) return undefined;
  const missing = await judgeThin({ thin, hasCome }, sources);
  return missing.size === 0 ? undefined : baseMissing(missing, thin);
}

/**
 * Checks that the list of a thin archive is what its images need beside its own blobs, no more and no less, and layers
 * only. Returns those that are missing. Throws ERR_ARCHIVE_FORMAT. Holds one manifest, and a digest for each blob.
 */
async function judgeThin(came: Thin, sources: BaseSources): Promise<ReadonlyMap<Digest, number>> {
  const { thin, hasCome } = came;
  const { survey, provider, limits, isFiltered } = sources;
  const documents = new Documents(provider, { limits, onDamage: () => {} });
  const judged = new Set<Digest>();
  const needed = new Map<Digest, number>();
  for (const { node } of survey.nodes) {
    const { digest } = node.descriptor;
    // Of a manifest that the store had, nothing need be in the archive or in its list.
    if (node.kind !== 'manifest' || judged.has(digest) || !hasCome(digest)) continue;
    judged.add(digest);
    const manifest = await documents.manifest(node.descriptor);
    if (manifest !== undefined) for (const layer of leftOf(manifest, came)) needed.set(...layer);
  }
  for (const digest of thin.base.keys()) {
    if (hasCome(digest)) throw wrongThin(`lists ${digest} as left out, and has it`, { digest });
    if (!isFiltered && !needed.has(digest))
      throw wrongThin(`lists ${digest}, which none of its images needs`, { digest });
  }
  return await missingOf(needed, provider);
}

/** The layers of a manifest that the archive leaves out. */
function leftOf(manifest: ImageManifest, { thin, hasCome }: Thin): readonly (readonly [Digest, number])[] {
  const left = contentOf(manifest).filter(({ digest }) => !hasCome(digest));
  return left.map(({ digest, size }) => {
    const listed = thin.base.get(digest);
    if (listed === undefined) throw wrongThin(`needs ${digest}, which is neither in it nor in its list`, { digest });
    if (digest === manifest.config.digest) throw wrongThin(`leaves out ${digest}, which is no layer`, { digest });
    if (listed !== size) throw wrongThin(`lists ${digest} with ${listed} bytes; its manifest says ${size}`, { digest });
    return [digest, size];
  });
}

/** Those of the layers that are not here with the right size. */
export async function missingOf(
  layers: Iterable<readonly [Digest, number]>,
  provider: ContentProvider,
): Promise<ReadonlyMap<Digest, number>> {
  const missing = new Map<Digest, number>();
  for (const [digest, size] of layers)
    if ((await provider.stat(digest, 'blob'))?.size !== size) missing.set(digest, size);
  return missing;
}

/** Throws ERR_BASE_MISSING if a layer is missing. `place` is where it was looked for. */
export function refuseMissing(missing: ReadonlyMap<Digest, number>, thin: ThinList, place = 'the store'): void {
  if (missing.size > 0) throw baseMissing(missing, thin, place);
}

/** How many missing layers a message names. */
const MAX_SHOWN = 3;

/** The error of a thin archive whose base is not here. `details.missing` has every layer. */
function baseMissing(missing: ReadonlyMap<Digest, number>, { from }: ThinList, place = 'the store'): LadingError {
  const layers = [...missing].map(([digest, size]) => ({ digest, size })).toSorted(byDigest);
  const count = layers.length === 1 ? 'a layer' : `${layers.length} layers`;
  const bytes = totalBytes(missing.values());
  const shown = layers.slice(0, MAX_SHOWN).map(({ digest }) => digest);
  const more = layers.length > MAX_SHOWN ? `, and ${layers.length - MAX_SHOWN} more` : '';
  const where =
    from.length === 0
      ? 'the archive or store that it was made against'
      : from.slice(0, MAX_SHOWN).map(quote).join(', ');
  const message = `the thin archive counts on ${count} of ${bytes} bytes that are not in ${place}: ${shown.join(', ')}${more}; they are in ${where}`;
  return new LadingError('ERR_BASE_MISSING', message, { details: { missing: layers, from } });
}
