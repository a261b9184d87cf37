import { Documents } from '../content/documents.js';
import { partCompanions } from '../model/companion-tag.js';
import { LadingError } from '../model/errors.js';
import { isImage, type ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { resolveRecords } from '../model/resolve-records.js';
import { check, oneOf, optionsOf } from '../model/rules.js';
import { referrersIn } from '../stores/listed-images.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { NAMES, READING_RULES } from '../survey/option-rules.js';
import { surveyImages } from '../survey/survey-images.js';
import { judgeImages, type TrustSources } from './judge-image.js';
import { POLICY, policyFrom, policyOfKeys, type Cover, type Policy } from './policy.js';
import { KEYS, type PublicKey } from './public-key.js';
import type { TrustReport } from './trust-report.js';

/** What to demand of images: signatures by one of some keys, or what a policy says. */
export interface TrustOptions {
  /** Any of them is enough. */
  readonly keys?: readonly PublicKey[];
  /** Made by `parsePolicy`. Not together with `keys`, `cover` or `identity`. */
  readonly policy?: Policy;
  /** Default `each`. */
  readonly cover?: Cover;
  /**
   * What a signature must say of its repository. `stated` (default): if it names one, that of the image. `required`: it
   * must. `any`: nothing.
   */
  readonly identity?: 'stated' | 'required' | 'any';
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

const ARGUMENTS = {
  store: STORE,
  names: NAMES,
  options: optionsOf<TrustOptions>({
    ...READING_RULES,
    keys: KEYS,
    policy: POLICY,
    cover: oneOf('each', 'root'),
    identity: oneOf('stated', 'required', 'any'),
  }),
};

/**
 * Checks whether the named images, or all of the store, are signed by one of the keys, or as a policy demands. Reads
 * documents and signatures, never layers; needs no network. What cannot be checked counts as unsigned. The digests are
 * those of the documents as they are read: `verifyImages` hashes the blobs. Throws ERR_IMAGE_UNKNOWN,
 * ERR_LIMIT_DESCRIPTORS, ERR_OPTION_INVALID, and the errors of storage.
 */
export async function verifyTrust(
  store: Store,
  names: readonly string[],
  options: TrustOptions,
): Promise<readonly TrustReport[]> {
  check(ARGUMENTS, { store, names, options });
  const policy = policyOf(options);
  const records = await store.list();
  const chosen =
    names.length === 0
      ? partCompanions(records).images
      : names.flatMap((name) => resolveRecords(records, name)).flatMap((record) => withItsNames(records, record));
  return await judgeRecords(store, records, [...new Set(chosen.filter(isImage))], policy, options);
}

/** An image that was asked for by its id is judged under each of its names: rules go by names. */
function withItsNames(records: readonly ImageRecord[], record: ImageRecord): readonly ImageRecord[] {
  if (record.name !== undefined) return [record];
  const own = records.filter(({ descriptor }) => descriptor.digest === record.descriptor.digest);
  return own.length === 0 ? [record] : own;
}

function policyOf({ keys, policy, cover, identity }: TrustOptions): Policy {
  if (policy === undefined && keys !== undefined)
    return policyOfKeys(keys, { ...(cover && { cover }), ...(identity && { identity }) });
  const own = policyFrom({ policy, keys });
  if (own !== undefined && cover === undefined && identity === undefined) return own;
  const message = own === undefined ? 'name keys or a policy' : 'cover and identity go with keys, not with a policy';
  throw new LadingError('ERR_OPTION_INVALID', message, { details: { option: own === undefined ? 'keys' : 'cover' } });
}

/** Judges records of a store by the signatures in it. */
export async function judgeRecords(
  store: Pick<Store, 'stat' | 'open'>,
  records: readonly ImageRecord[],
  targets: readonly ImageRecord[],
  policy: Policy,
  { limits: some, signal, holders }: Pick<TrustOptions, 'limits' | 'signal'> & Pick<TrustSources, 'holders'>,
): Promise<readonly TrustReport[]> {
  const limits = limitsOf(some);
  const documents = new Documents(store, { limits, onDamage: () => {} });
  const survey = await surveyImages(documents, targets, {
    referrersOf: referrersIn(records),
    signal,
    foreignLayers: 'keep',
  });
  const sources = { provider: store, limits, survey, records, ...(holders && { holders }) };
  return await judgeImages(sources, targets, policy);
}
