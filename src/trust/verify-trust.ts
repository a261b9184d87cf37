import { Documents } from '../content/documents.js';
import { partCompanions } from '../model/companion-tag.js';
import { isImage } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { resolveRecords } from '../model/resolve-records.js';
import { check, oneOf, optionsOf } from '../model/rules.js';
import { referrersIn } from '../stores/listed-images.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { NAMES, READING_RULES } from '../survey/option-rules.js';
import { surveyImages } from '../survey/survey-images.js';
import { judgeImages, type Cover, type TrustReport } from './judge-image.js';
import { KEYS, type PublicKey } from './public-key.js';

/** Which keys count, and what they must have signed. */
export interface TrustOptions {
  /** Any of them is enough. */
  readonly keys: readonly PublicKey[];
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
  options: optionsOf<TrustOptions>(
    {
      ...READING_RULES,
      keys: KEYS,
      cover: oneOf('each', 'root'),
      identity: oneOf('stated', 'required', 'any'),
    },
    ['keys'],
  ),
};

/**
 * Checks whether the named images, or all of the store, are signed by one of the keys. Reads documents and signatures,
 * never layers; needs no network. What cannot be checked counts as unsigned. The digests are those of the documents as
 * they are read: `verifyImages` hashes the blobs. Throws ERR_IMAGE_UNKNOWN, ERR_LIMIT_DESCRIPTORS, and the errors of
 * storage.
 */
export async function verifyTrust(
  store: Store,
  names: readonly string[],
  options: TrustOptions,
): Promise<readonly TrustReport[]> {
  check(ARGUMENTS, { store, names, options });
  const { keys, cover = 'each', identity = 'stated', signal } = options;
  const records = await store.list();
  const chosen =
    names.length === 0 ? partCompanions(records).images : names.flatMap((name) => resolveRecords(records, name));
  const targets = chosen.filter(isImage);
  const limits = limitsOf(options.limits);
  const documents = new Documents(store, { limits, onDamage: () => {} });
  const survey = await surveyImages(documents, targets, {
    referrersOf: referrersIn(records),
    signal,
    foreignLayers: 'keep',
  });
  return await judgeImages({ provider: store, limits, survey, records }, targets, { keys, cover, identity });
}
