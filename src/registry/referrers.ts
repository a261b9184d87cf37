import { Documents } from '../content/documents.js';
import { parseIndexBytes } from '../content/parse-document.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, digestOf, encodedOf, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageIndex } from '../model/image-index.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { isIndexType, MEDIA_TYPES } from '../model/media-types.js';
import { readBody } from './answers.js';
import { Manifests, putManifest } from './manifests.js';
import { nextLink } from './pages.js';
import type { Repository } from './repository.js';

/** Bytes of one page of a list, and pages of one list. */
const MAX_BYTES = DEFAULT_LIMITS.maxDocumentBytes;
const MAX_PAGES = 100;

/** The tag that lists the referrers of a digest where a registry has no endpoint for them (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject).slice(0, 32)}-${encodedOf(subject).slice(0, 64)}`;
}

/** The manifests that refer to a digest, from the registry's own list and from the tag that stands for one. */
export async function listReferrers(repository: Repository, subject: Digest): Promise<readonly Descriptor[]> {
  const own = await askApi(repository, subject);
  // A registry that has got the endpoint lately does not know there what the tag lists.
  const tagged = own === undefined || own.length === 0 ? await askTag(repository, subject) : [];
  return [...new Map([...(own ?? []), ...tagged].map((one) => [one.digest, one])).values()];
}

async function askApi(repository: Repository, subject: Digest): Promise<readonly Descriptor[] | undefined> {
  const { memory } = repository.exchange;
  const { host } = repository.name;
  if (memory.lacks(host, 'referrers')) return undefined;
  const found: Descriptor[] = [];
  let next: string | URL | undefined = repository.path(`referrers/${subject}`);
  for (let pages = 0; next !== undefined && pages < MAX_PAGES; pages += 1) {
    const page: Page | undefined = await askPage(repository, subject, next);
    if (page === undefined) return undefined;
    found.push(...page.manifests);
    next = page.next;
  }
  return found;
}

interface Page {
  readonly manifests: readonly Descriptor[];
  readonly next: URL | undefined;
}

/** One page of the list; undefined if the registry keeps no such list. */
async function askPage(repository: Repository, subject: Digest, to: string | URL): Promise<Page | undefined> {
  const { memory } = repository.exchange;
  const { host } = repository.name;
  const call = { method: 'GET', to, what: `referrers of ${subject}` } as const;
  const answer = await repository.send({ ...call, headers: { accept: MEDIA_TYPES.ociIndex } });
  if (answer.status === 401) throw await repository.refusalOf(answer, call);
  const isIndex = isIndexType((answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '');
  if (answer.status !== 200 || !isIndex) {
    answer.discard();
    memory.note(host, 'referrers');
    return undefined;
  }
  const bytes = await readBody(answer, MAX_BYTES, repository.askedOf(answer, call));
  const { manifests } = await parseIndexBytes(bytes, call.what, DEFAULT_LIMITS);
  return { manifests, next: nextLink(repository, answer, call.what) };
}

async function askTag(repository: Repository, subject: Digest): Promise<readonly Descriptor[]> {
  const found = await taggedIndex(repository, subject);
  return found?.manifests ?? [];
}

/** The index of the tag. Some registries take the tag for the digest itself, and then give the subject: no list. */
async function taggedIndex(repository: Repository, subject: Digest): Promise<ImageIndex | undefined> {
  const found = await new Manifests(repository, MAX_BYTES).get(referrersTag(subject)).catch(noneIfDenied);
  if (found === undefined || found.descriptor.digest === subject) return undefined;
  if (!isIndexType(found.descriptor.mediaType)) return undefined;
  return await parseIndexBytes(found.bytes, `referrers of ${subject}`, DEFAULT_LIMITS, found.descriptor.mediaType);
}

/** Some registries forbid to read what is not there. */
function noneIfDenied(error: unknown): undefined {
  if (error instanceof LadingError && error.code === 'ERR_REGISTRY_DENIED') return undefined;
  throw error;
}

/** How often an update of the list is tried again, when another client has written it meanwhile. */
const UPDATES = 5;

/** Adds a referrer to the list of its subject, if the registry does not keep that list itself. */
export async function addReferrer(repository: Repository, subject: Digest, referrer: Descriptor): Promise<void> {
  for (let tries = 0; tries < UPDATES; tries += 1) {
    const listed = await listReferrers(repository, subject);
    if (listed.some(({ digest }) => digest === referrer.digest)) return;
    const before = await taggedIndex(repository, subject);
    const manifests = [...(before?.manifests ?? []), referrer];
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
    const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(bytes), size: bytes.length };
    const outcome = await putManifest(repository, referrersTag(subject), { bytes, descriptor });
    if (!outcome.isTaken) throw outcome.error;
  }
  if ((await listReferrers(repository, subject)).some(({ digest }) => digest === referrer.digest)) return;
  repository.exchange.settings.onWarning(
    `registry ${repository.name.host} lists no referrers of ${subject}: clients will not find ${referrer.digest} by it`,
  );
}

/** Those of the listed referrers whose own document names the subject. A list may be wrong or out of date. */
export async function ofSubject(
  documents: Documents,
  listed: readonly Descriptor[],
  subject: Digest,
): Promise<readonly Descriptor[]> {
  const own: Descriptor[] = [];
  for (const one of listed) if ((await documents.subject(one)) === subject) own.push(one);
  return own;
}
