import { closureOf } from '../content/closure.js';
import { Documents } from '../content/documents.js';
import { inTurns } from '../flow/in-turns.js';
import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { companionSubject, isCompanionKind } from '../model/companion-tag.js';
import { groupBy } from '../model/group-by.js';
import { unnamed, withoutName, type ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import { parseKept } from '../model/kept-parts.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import type { ArchiveContents } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';
import { tagOf, withoutRepeats, type ArchiveNames } from './archive-names.js';

/** The images that the `index.json` of a layout lists, and the manifests in it that refer to others. */
export interface LayoutTargets {
  readonly images: readonly ImageRecord[];
  /** Unnamed records. Their annotation `io.containerd.manifest.subject` names what they refer to. */
  readonly referrers: readonly ImageRecord[];
  /** Records of unknown types. They are not images; a load of all platforms keeps them as bytes. */
  readonly opaque: readonly ImageRecord[];
}

/** The limits for documents, and the reader of names. */
export interface LayoutOptions {
  readonly limits: Limits;
  readonly names: ArchiveNames;
  /** Called for an `index.json` that states no version of its schema. */
  readonly onUnversioned?: () => void;
}

/** Sorts what `index.json` lists into images, referrers and the rest. */
export async function layoutTargets(
  session: DestinationSession,
  { index, stored }: Required<Pick<ArchiveContents, 'index' | 'stored'>>,
  { limits, names, onUnversioned }: LayoutOptions,
): Promise<LayoutTargets> {
  const { manifests, schemaVersion } = index;
  if (schemaVersion === 0) onUnversioned?.();
  const documents = new Documents(session, { limits });
  const listed: Listed[] = [];
  for await (const descriptor of inTurns(manifests)) listed.push(await classify(documents, descriptor, names));
  const resolved = new Map<Listed, string>();
  for (const one of listed) if (one.annotated !== undefined) resolved.set(one, one.annotated);
  for (const [one, subject] of subjectsByKind(listed)) resolved.set(one, subject);
  const known = listed.some(({ subject }) => subject !== undefined)
    ? await knownDigests(session, listed, limits)
    : new Set<Digest>();
  for await (const one of inTurns(listed)) {
    const { subject } = one;
    if (subject === undefined) continue;
    // What this load itself has stored does not count: it depends on the order of the archive's entries.
    const isInStore = !stored.has(subject) && (await session.stat(subject, 'manifest')) !== undefined;
    if (isInStore || known.has(subject)) resolved.set(one, subject);
  }
  const own = listed.filter((one) => !resolved.has(one)).map(withoutImageName);
  const children = await childrenOf(new Documents(session, { limits, onDamage: () => {} }), own);
  const roots = withoutRepeats(own.filter((one) => !isListedTwice(one, children)).map(({ record }) => record));
  return {
    images: roots.filter(({ descriptor }) => isImageType(descriptor)),
    opaque: roots.filter(({ descriptor }) => !isImageType(descriptor)),
    referrers: [...resolved].map(([{ record }, subject]) => ({ descriptor: withSubject(record.descriptor, subject) })),
  };
}

/** A descriptor of `index.json`: its name, and the subject that its annotation or else its own document states. */
interface Listed {
  readonly record: ImageRecord;
  /** Whether its annotation `kind` says that it belongs to an image: a signature, for example. */
  readonly isCompanion: boolean;
  /** Not checked to be a digest. */
  readonly annotated?: string;
  readonly subject?: Digest;
}

async function classify(documents: Documents, listed: Descriptor, names: ArchiveNames): Promise<Listed> {
  const name = await names.ofRoot(listed);
  const kept = parseKept(listed.annotations?.[ANNOTATIONS.kept]);
  const root = { descriptor: withoutName(listed), ...(kept && { kept }) };
  const isCompanion = isCompanionKind(listed.annotations?.['kind']);
  if (name !== undefined) return { record: { name, ...root }, isCompanion };
  const annotated = listed.annotations?.[ANNOTATIONS.subject];
  if (annotated !== undefined) return { record: root, isCompanion, annotated };
  const subject = await documents.subject(listed);
  const tag = tagOf(listed);
  const record = { ...(tag !== undefined && { tag }), ...root };
  return { record, isCompanion, ...(subject && { subject }) };
}

/** The images that companions belong to: those of the same name or tag; without both, the only image of the archive. */
function subjectsByKind(listed: readonly Listed[]): ReadonlyMap<Listed, Digest> {
  const isImage = ({ isCompanion, annotated, subject }: Listed): boolean =>
    !isCompanion && annotated === undefined && subject === undefined;
  const images = listed.filter(isImage);
  const byLabel = groupBy(images, ({ record: { name, tag } }) => name ?? tag);
  const subjects = new Map<Listed, Digest>();
  for (const one of listed.filter(({ isCompanion, annotated }) => isCompanion && annotated === undefined)) {
    const label = one.record.name ?? one.record.tag;
    const found = label === undefined ? images : (byLabel.get(label) ?? []);
    const [subject, ...others] = new Set(found.map(({ record }) => record.descriptor.digest));
    if (subject !== undefined && others.length === 0) subjects.set(one, subject);
  }
  return subjects;
}

/** A companion whose image is not here must not take that image's name. One with a name of its own keeps it. */
function withoutImageName(one: Listed): Listed {
  if (!one.isCompanion || companionSubject(one.record) !== undefined) return one;
  return { ...one, record: unnamed(one.record) };
}

/** Some tools list the manifests of an index beside it. Without a name they are no images of their own. */
function isListedTwice({ record }: Listed, children: ReadonlySet<Digest>): boolean {
  return isNameless(record) && children.has(record.descriptor.digest);
}

function isNameless({ name, tag }: ImageRecord): boolean {
  return name === undefined && tag === undefined;
}

/** What the indexes among the roots list, directly or through other indexes. */
async function childrenOf(documents: Documents, roots: readonly Listed[]): Promise<ReadonlySet<Digest>> {
  const children = new Set<Digest>();
  if (!roots.some(({ record }) => isNameless(record))) return children;
  const open = roots.map(({ record }) => record.descriptor);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { manifests = [] } = isIndexType(next.mediaType) ? ((await documents.index(next)) ?? {}) : {};
    for (const child of manifests) {
      if (children.has(child.digest)) continue;
      children.add(child.digest);
      open.push(child);
    }
  }
  return children;
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

function withSubject(descriptor: Descriptor, subject: string): Descriptor {
  return { ...descriptor, annotations: { ...descriptor.annotations, [ANNOTATIONS.subject]: subject } };
}
