import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { TrustReason } from './trust-report.js';
import { ruleFor, type Policy, type PolicyRule } from './policy.js';

/** The name that an image is judged by, from the one that it gets. */
export type JudgedName = (name: string) => string;

/** The record under the name that it is judged by. */
export function asJudged(record: ImageRecord, judgedName: JudgedName | undefined): ImageRecord {
  return record.name === undefined || judgedName === undefined ? record : { ...record, name: judgedName(record.name) };
}

/** Why an image may not have its name, since the store has that name already. */
export function nameReasons(
  { overwrite, label }: Pick<PolicyRule, 'overwrite' | 'label'>,
  { name, descriptor }: ImageRecord,
  holders: ReadonlyMap<string, Digest> = new Map(),
): readonly TrustReason[] {
  const holder = name === undefined ? undefined : holders.get(name);
  if (holder === undefined || overwrite === 'allow') return [];
  if (overwrite === 'same-digest' && holder === descriptor.digest) return [];
  const kept = overwrite === 'deny' ? 'allows no name to be given again' : 'keeps names with their images';
  return [{ code: 'ERR_NAME_CONFLICT', message: `the store has the name already, for ${holder}; ${label} ${kept}` }];
}

/**
 * Throws ERR_NAME_CONFLICT if a name was given meanwhile that the policy protects. It belongs into the change of the
 * list of images itself: another process may have changed the list since the images were judged.
 */
export function demandNames(
  policy: Policy | undefined,
  before: readonly ImageRecord[],
  additions: readonly ImageRecord[],
  judgedName?: JudgedName,
): void {
  const guarded = policy === undefined ? [] : additions.filter(({ name }) => name !== undefined);
  if (policy === undefined || guarded.length === 0) return;
  const holders = new Map(before.map(({ name, descriptor }) => [name ?? '', descriptor.digest]));
  for (const record of guarded) {
    const rule = ruleFor(policy, asJudged(record, judgedName));
    const [reason] = rule === undefined ? [] : nameReasons(rule, record, holders);
    if (reason !== undefined)
      throw new LadingError('ERR_NAME_CONFLICT', `${quote(record.name ?? '')}: ${reason.message}`, {
        details: { names: [record.name] },
      });
  }
}
