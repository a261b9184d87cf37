import { closureOf } from '../content/closure.js';
import { Documents } from '../content/documents.js';
import { parseLayoutIndex } from '../content/parse-document.js';
import { parseStrictJson } from '../content/strict-json.js';
import { LAYOUT_ENTRY } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { parseDockerManifest } from '../model/docker-archive.js';
import { LadingError, quote } from '../model/errors.js';
import { withoutName, type ImageRecord } from '../model/image-list.js';
import { asFields } from '../model/json.js';
import type { Limits } from '../model/limits.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import { parseImageName, parseReference } from '../model/reference.js';
import type { ArchiveContents } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';
import type { Warning } from '../survey/reports.js';
import { dockerArchiveTargets } from './docker-archive-targets.js';

/** The images that an archive names, and the manifests in it that refer to others. */
export interface ArchiveTargets {
  readonly images: readonly ImageRecord[];
  /** Unnamed records. Their annotation `io.containerd.manifest.subject` names what they refer to. */
  readonly referrers: readonly ImageRecord[];
  /** Records of unknown types. They are not images; a load of all platforms keeps them as bytes. */
  readonly opaque: readonly ImageRecord[];
  readonly warnings: readonly Warning[];
}

/** Finds the images of the archive: by its OCI layout if it has one, else as a docker-archive. */
export async function archiveTargets(
  session: DestinationSession,
  contents: ArchiveContents,
  limits: Limits,
): Promise<ArchiveTargets> {
  const { layout, index, manifestJson, links } = contents;
  // Unused links too: a tool that unpacks the archive could follow them in a circle.
  for (const name of links.keys()) followLinks(name, { links });
  if (layout !== undefined && index !== undefined) {
    checkLayoutVersion(layout, limits);
    const found = await layoutTargets(session, { ...contents, index }, limits);
    return { ...found, warnings: disagreements(found.images, manifestJson, limits) };
  }
  if (manifestJson !== undefined) {
    const images = await dockerArchiveTargets(session, contents, manifestJson, limits);
    return { images: withoutRepeats(images), referrers: [], opaque: [], warnings: [] };
  }
  const missing = index === undefined ? 'index.json' : LAYOUT_ENTRY;
  const message =
    layout === undefined && index === undefined
      ? 'the archive is neither an OCI layout nor a docker-archive: it has no index.json and no manifest.json'
      : `the archive is not a complete OCI layout: it has no ${missing}`;
  throw new LadingError('ERR_ARCHIVE_FORMAT', message);
}

function checkLayoutVersion(layout: Buffer, limits: Limits): void {
  const value = parseStrictJson(layout, LAYOUT_ENTRY, limits.maxJsonDepth);
  const version = asFields(value, LAYOUT_ENTRY, ['imageLayoutVersion'])['imageLayoutVersion'];
  if (version === '1.0.0') return;
  const message = `the archive has OCI layout version ${quote(JSON.stringify(version) ?? 'nothing')}; only 1.0.0 is known`;
  throw new LadingError('ERR_FORMAT_UNSUPPORTED', message);
}

async function layoutTargets(
  session: DestinationSession,
  { index, stored }: ArchiveContents & { readonly index: Buffer },
  limits: Limits,
): Promise<Pick<ArchiveTargets, 'images' | 'referrers' | 'opaque'>> {
  const { manifests } = parseLayoutIndex(index, limits);
  const documents = new Documents(session, { limits });
  const listed: Listed[] = [];
  for (const descriptor of manifests) listed.push(await classify(documents, descriptor));
  const resolved = new Map<Listed, string>();
  for (const one of listed) if (one.annotated !== undefined) resolved.set(one, one.annotated);
  const known = listed.some(({ subject }) => subject !== undefined)
    ? await knownDigests(session, listed, limits)
    : new Set<Digest>();
  for (const one of listed) {
    const { subject } = one;
    if (subject === undefined) continue;
    // What this load itself has stored does not count: it depends on the order of the archive's entries.
    const isInStore = !stored.has(subject) && (await session.stat(subject, 'manifest')) !== undefined;
    if (isInStore || known.has(subject)) resolved.set(one, subject);
  }
  const images = listed.filter((one) => !resolved.has(one)).map(({ record }) => record);
  return {
    images: withoutRepeats(images.filter(({ descriptor }) => isImageType(descriptor))),
    opaque: withoutRepeats(images.filter(({ descriptor }) => !isImageType(descriptor))),
    referrers: [...resolved].map(([{ record }, subject]) => ({ descriptor: withSubject(record.descriptor, subject) })),
  };
}

/** A descriptor of `index.json`: its name, and the subject that its annotation or else its own document states. */
interface Listed {
  readonly record: ImageRecord;
  /** Not checked to be a digest. */
  readonly annotated?: string;
  readonly subject?: Digest;
}

async function classify(documents: Documents, listed: Descriptor): Promise<Listed> {
  const name = nameOf(listed);
  const descriptor = withoutName(listed);
  if (name !== undefined) return { record: { name, descriptor } };
  const annotated = listed.annotations?.[ANNOTATIONS.subject];
  if (annotated !== undefined) return { record: { descriptor }, annotated };
  const subject = await documents.subject(listed);
  return { record: { descriptor }, ...(subject && { subject }) };
}

/** Every digest that the archive lists, at the top or under an image, also of blobs that are not here. */
async function knownDigests(
  session: DestinationSession,
  listed: readonly Listed[],
  limits: Limits,
): Promise<ReadonlySet<Digest>> {
  const images = listed
    .filter((one) => one.subject === undefined && one.annotated === undefined)
    .map(({ record }) => record.descriptor);
  const top = listed.map(({ record }) => record.descriptor.digest);
  const tolerant = new Documents(session, { limits, onDamage: () => {} });
  return new Set([...top, ...(await closureOf(tolerant, images))]);
}

function isImageType({ mediaType }: Descriptor): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/** The full name of an image in the archive. Throws ERR_REFERENCE_INVALID if that is not a valid name. */
function nameOf({ annotations, digest }: Descriptor): string | undefined {
  const full = annotations?.[ANNOTATIONS.imageName];
  if (full !== undefined && full !== '' && full !== NO_NAME) return checkedName(full, digest);
  const short = annotations?.[ANNOTATIONS.refName];
  // A bare tag such as `latest` does not say which repository it belongs to.
  if (short === undefined || short === NO_NAME || !/[/:@]/.test(short)) return undefined;
  try {
    return checkedName(short, digest);
  } catch {
    return undefined;
  }
}

const NO_NAME = '<none>:<none>';

function checkedName(text: string, digest: Digest): string {
  const reference = parseImageName(text);
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(text)} has another digest than its image, ${digest}`);
  }
  return reference.toString();
}

function withSubject(descriptor: Descriptor, subject: string): Descriptor {
  return { ...descriptor, annotations: { ...descriptor.annotations, [ANNOTATIONS.subject]: subject } };
}

/** One target for each name and for each unnamed digest. Throws ERR_NAME_DUPLICATE if two images have one name. */
function withoutRepeats(targets: readonly ImageRecord[]): readonly ImageRecord[] {
  const kept = new Map<string, ImageRecord>();
  for (const target of targets) {
    const key = target.name ?? target.descriptor.digest;
    const known = kept.get(key);
    if (known !== undefined && known.descriptor.digest !== target.descriptor.digest)
      throw duplicate(key, known, target);
    kept.set(key, target);
  }
  return [...kept.values()];
}

function duplicate(name: string, a: ImageRecord, b: ImageRecord): LadingError {
  const digests = [a.descriptor.digest, b.descriptor.digest];
  const message = `the archive gives the name ${quote(name)} to two images, ${digests.join(' and ')}`;
  return new LadingError('ERR_NAME_DUPLICATE', message, { details: { name, digests } });
}

/** The OCI layout wins over `manifest.json`. Warns of each name that only `manifest.json` has. */
function disagreements(
  images: readonly ImageRecord[],
  manifestJson: Buffer | undefined,
  limits: Limits,
): readonly Warning[] {
  if (manifestJson === undefined) return [];
  const names = new Set(images.map(({ name }) => name));
  const listed = parseDockerManifest(parseStrictJson(manifestJson, 'manifest.json', limits.maxJsonDepth));
  return listed
    .flatMap(({ repoTags }) => repoTags)
    .filter((tag) => !names.has(parseReference(tag).withDefaultTag().toString()))
    .map((tag) => ({
      code: 'WARN_MANIFEST_JSON',
      message: `manifest.json names ${quote(tag)}, index.json does not; index.json was followed`,
    }));
}
