import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { publishRecords, removeRecords, unnamed, type ImageRecord, type NameMove } from '../model/image-list.js';
import { parseImageName } from '../model/reference.js';
import { check, optionsOf, TEXT } from '../model/rules.js';
import { inSession, publishNames } from '../stores/in-session.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { oneOf } from '../survey/one-image.js';
import { demandAllowed } from '../trust/demand-trust.js';
import { demandNames } from '../trust/judge-name.js';
import { POLICY, type Policy } from '../trust/policy.js';
import type { TrustReport } from '../trust/trust-report.js';
import { judgeRecords } from '../trust/verify-trust.js';

/** The result of tagging an image: its full name, its digest, and what the name meant before. */
export interface TagReport {
  readonly name: string;
  readonly digest: Digest;
  readonly moved: readonly NameMove[];
  /** The judgement of the image under its new name, if there was a policy. */
  readonly trust?: readonly TrustReport[];
}

/** What an image must meet to get the name. */
export interface TagOptions {
  /** Made by `parsePolicy`: nothing is tagged that it denies. */
  readonly policy?: Policy;
}

const ARGUMENTS = { store: STORE, source: TEXT, name: TEXT, options: optionsOf<TagOptions>({ policy: POLICY }) };

/**
 * Adds a name to an image. What the list shows as `<none>:TAG` gets the name in place of its tag, if the source means
 * that record alone: `<none>:TAG`, or the id of an image that has this tag and no name. Throws ERR_IMAGE_UNKNOWN,
 * ERR_REFERENCE_INVALID, and the errors of the policy.
 */
export async function tagImage(
  store: Store,
  source: string,
  name: string,
  options: TagOptions = {},
): Promise<TagReport> {
  check(ARGUMENTS, { store, source, name, options });
  const reference = parseImageName(name);
  if (reference.digest !== undefined) {
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(name)} has a digest; a new name needs a tag`);
  }
  const full = reference.toString();
  const judged = await judge(store, source, full, options);
  return await inSession(store, async (session) => {
    let tagged: ImageRecord | undefined;
    const moved = await publishNames(session, (records) => {
      const found = oneOf(records, source);
      if (judged !== undefined && judged.digest !== found.descriptor.digest) throw changed(source);
      tagged = { ...unnamed(found), name: full };
      demandNames(options.policy, records, [tagged]);
      return publishRecords(removeRecords(records, placeholdersOf(records, found)), [tagged]);
    });
    const { digest } = (tagged as ImageRecord).descriptor;
    return { name: full, digest, moved, ...(judged && { trust: judged.reports }) };
  });
}

/** Judges the image under its new name. Throws the errors of the policy. */
async function judge(
  store: Store,
  source: string,
  name: string,
  { policy }: TagOptions,
): Promise<{ readonly digest: Digest; readonly reports: readonly TrustReport[] } | undefined> {
  if (policy === undefined) return undefined;
  const records = await store.list();
  const target = { ...unnamed(oneOf(records, source)), name };
  const holders = await store.holders([name]);
  const reports = await judgeRecords(store, records, [target], policy, { holders });
  demandAllowed(reports, 'nothing was tagged');
  return { digest: target.descriptor.digest, reports };
}

function changed(source: string): LadingError {
  return new LadingError('ERR_NAME_CONFLICT', `${quote(source)} means another image since it was judged; try again`);
}

/** The records with a tag and no repository that a name for the image takes the place of. */
function placeholdersOf(records: readonly ImageRecord[], found: ImageRecord): readonly ImageRecord[] {
  if (found.tag !== undefined) return [found];
  if (found.name !== undefined) return [];
  const { digest } = found.descriptor;
  const own = records.filter(({ descriptor }) => descriptor.digest === digest);
  return own.length === 1 ? own.filter(({ tag }) => tag !== undefined) : [];
}
