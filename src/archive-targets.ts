import { LAYOUT_ENTRY } from './model/archive-layout.js';
import { ANNOTATIONS, type Descriptor } from './model/descriptor.js';
import type { Digest } from './model/digest.js';
import { LadingError, quote } from './model/errors.js';
import { withoutName, type ImageRecord } from './model/image-list.js';
import { asObject } from './model/json.js';
import type { Limits } from './model/limits.js';
import { isIndexType, isManifestType } from './model/media-types.js';
import { parseReference } from './model/reference.js';
import { dockerArchiveTargets } from './docker-archive.js';
import type { Warning } from './reports.js';
import type { ArchiveContents } from './stages/commit.js';
import type { ImageTarget } from './stages/records.js';
import type { StoreSession } from './stores/ports.js';
import { findIndex, findManifest, parseIndexBytes } from './stores/read-document.js';
import { parseStrictJson } from './stores/strict-json.js';
import { parseDockerManifest } from './model/docker-archive.js';

/** The images that an archive names, and the manifests in it that speak of others. */
export interface ArchiveTargets {
  readonly images: readonly ImageTarget[];
  /** Records without a name whose `io.containerd.manifest.subject` says what they refer to. */
  readonly referrers: readonly ImageRecord[];
  /** Records of types that we do not know: no images, and kept as bytes where everything is. */
  readonly opaque: readonly ImageRecord[];
  readonly warnings: readonly Warning[];
}

/** Finds the images: of the OCI layout where the archive has one, else of the docker-archive. */
export async function archiveTargets(
  session: StoreSession,
  contents: ArchiveContents,
  limits: Limits,
): Promise<ArchiveTargets> {
  const { layout, index, dockerManifest } = contents;
  if (layout !== undefined && index !== undefined) {
    checkLayoutVersion(layout, limits);
    const found = await layoutTargets(session, index, limits);
    return { ...found, warnings: disagreements(found.images, dockerManifest, limits) };
  }
  if (dockerManifest !== undefined) {
    const images = await dockerArchiveTargets(session, contents, dockerManifest, limits);
    return { images: withoutRepeats(images), referrers: [], opaque: [], warnings: [] };
  }
  const missing = index === undefined ? 'index.json' : LAYOUT_ENTRY;
  const message =
    layout === undefined && index === undefined
      ? 'the archive is neither an OCI layout nor a docker-archive: it has no index.json and no manifest.json'
      : `the archive is no whole OCI layout: it has no ${missing}`;
  throw new LadingError('ERR_ARCHIVE_FORMAT', message);
}

function checkLayoutVersion(layout: Buffer, limits: Limits): void {
  const version = asObject(parseStrictJson(layout, LAYOUT_ENTRY, limits.maxJsonDepth), LAYOUT_ENTRY)[
    'imageLayoutVersion'
  ];
  if (version === '1.0.0') return;
  const message = `the archive has OCI layout version ${quote(JSON.stringify(version) ?? 'nothing')}; only 1.0.0 is known`;
  throw new LadingError('ERR_FORMAT_UNSUPPORTED', message);
}

async function layoutTargets(
  session: StoreSession,
  bytes: Buffer,
  limits: Limits,
): Promise<Pick<ArchiveTargets, 'images' | 'referrers' | 'opaque'>> {
  const { manifests } = parseIndexBytes(bytes, 'index.json', limits);
  const images: ImageTarget[] = [];
  const referrers: ImageRecord[] = [];
  const opaque: ImageRecord[] = [];
  for (const listed of manifests) {
    const descriptor = withoutName(listed);
    const name = nameOf(listed);
    const subject = name === undefined ? await subjectOf(session, listed, limits) : undefined;
    if (subject !== undefined) referrers.push({ descriptor: withSubject(descriptor, subject) });
    else (isImageType(listed) ? images : opaque).push({ descriptor, ...(name !== undefined && { name }) });
  }
  return { images: withoutRepeats(images), referrers, opaque: withoutRepeats(opaque) };
}

function isImageType({ mediaType }: Descriptor): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/** The full name that an archive gives an image. Throws ERR_REFERENCE_INVALID for a full name that is none. */
function nameOf({ annotations, digest }: Descriptor): string | undefined {
  const full = annotations?.[ANNOTATIONS.imageName];
  if (full !== undefined && full !== '' && full !== NO_NAME) return checkedName(full, digest);
  const short = annotations?.[ANNOTATIONS.refName];
  // A bare tag such as `latest` says nothing about which repository it is a tag of.
  if (short === undefined || short === NO_NAME || !/[/:@]/.test(short)) return undefined;
  try {
    return checkedName(short, digest);
  } catch {
    return undefined;
  }
}

const NO_NAME = '<none>:<none>';

function checkedName(text: string, digest: Digest): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(text)} names another digest than its image has, ${digest}`);
  }
  return (reference.digest === undefined ? reference.withDefaultTag() : reference).toString();
}

/** What an unnamed top-level manifest speaks of: by annotation, or by its own `subject` where that is here. */
async function subjectOf(session: StoreSession, listed: Descriptor, limits: Limits): Promise<string | undefined> {
  const annotated = listed.annotations?.[ANNOTATIONS.subject];
  if (annotated !== undefined) return annotated;
  if (!isImageType(listed)) return undefined;
  const find = isIndexType(listed.mediaType) ? findIndex : findManifest;
  const subject = (await find(session, listed, limits))?.subject?.digest;
  return subject !== undefined && (await session.stat(subject)) !== undefined ? subject : undefined;
}

function withSubject(descriptor: Descriptor, subject: string): Descriptor {
  return { ...descriptor, annotations: { ...descriptor.annotations, [ANNOTATIONS.subject]: subject } };
}

/** One target for each name and for each unnamed digest. Throws ERR_NAME_DUPLICATE for one name of two images. */
function withoutRepeats(targets: readonly ImageTarget[]): readonly ImageTarget[] {
  const kept = new Map<string, ImageTarget>();
  for (const target of targets) {
    const key = target.name ?? target.descriptor.digest;
    const known = kept.get(key);
    if (known !== undefined && known.descriptor.digest !== target.descriptor.digest)
      throw duplicate(key, known, target);
    kept.set(key, target);
  }
  return [...kept.values()];
}

function duplicate(name: string, a: ImageTarget, b: ImageTarget): LadingError {
  const digests = [a.descriptor.digest, b.descriptor.digest];
  const message = `the archive gives the name ${quote(name)} to two images, ${digests.join(' and ')}`;
  return new LadingError('ERR_NAME_DUPLICATE', message, { details: { name, digests } });
}

/** The OCI layout wins over `manifest.json`; that they differ is worth a word. */
function disagreements(
  images: readonly ImageTarget[],
  dockerManifest: Buffer | undefined,
  limits: Limits,
): readonly Warning[] {
  if (dockerManifest === undefined) return [];
  const names = new Set(images.map(({ name }) => name));
  const listed = parseDockerManifest(parseStrictJson(dockerManifest, 'manifest.json', limits.maxJsonDepth));
  return listed
    .flatMap(({ repoTags }) => repoTags)
    .filter((tag) => !names.has(parseReference(tag).withDefaultTag().toString()))
    .map((tag) => ({
      code: 'WARN_MANIFEST_JSON',
      message: `manifest.json names ${quote(tag)}, index.json does not; index.json was followed`,
    }));
}
