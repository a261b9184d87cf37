import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { labelOf, labelOfRecord } from '../survey/reports.js';
import { judgeImages, type TrustReport, type TrustSources } from './judge-image.js';
import type { PublicKey } from './public-key.js';

/** Throws ERR_DIGEST_REFUSED unless the root of every image has one of the digests. Without digests any may pass. */
export function demandDigests(targets: readonly ImageRecord[], digests: readonly Digest[]): void {
  if (digests.length === 0) return;
  const others = targets.filter(({ descriptor }) => !digests.includes(descriptor.digest));
  const [other] = others;
  if (other === undefined) return;
  const label = labelOfRecord(other);
  const more = others.length > 1 ? `, and ${others.length - 1} more images,` : '';
  const message = `nothing was loaded: ${label}${more} has the digest ${other.descriptor.digest}, which was not asked for`;
  const details = {
    refused: others.map((record) => ({ image: labelOfRecord(record), digest: record.descriptor.digest })),
  };
  throw new LadingError('ERR_DIGEST_REFUSED', message, { details });
}

/** How many images a message tells of. All are in `details.trust`. */
const MAX_TOLD = 5;

/**
 * Judges the images before they get their names. Throws ERR_SIGNATURE_MISSING or ERR_SIGNATURE_INVALID unless one of
 * the keys has signed every manifest of each, itself or by an index above it.
 */
export async function demandTrust(
  sources: TrustSources,
  targets: readonly ImageRecord[],
  keys: readonly PublicKey[],
): Promise<readonly TrustReport[]> {
  const reports = await judgeImages(sources, targets, { keys, cover: 'each', identity: 'stated' });
  const denied = reports.filter(({ decision }) => decision === 'denied');
  if (denied.length === 0) return reports;
  const reasons = denied.flatMap((report) => report.reasons);
  const isInvalid = reasons.some(({ code }) => code === 'ERR_SIGNATURE_INVALID');
  const told = denied.slice(0, MAX_TOLD).map((report) => `${labelOf(report)}: ${report.reasons[0]?.message}`);
  const more = denied.length > MAX_TOLD ? `; and ${denied.length - MAX_TOLD} more images` : '';
  const message = `nothing was loaded, since not every image is signed by a wanted key: ${told.join('; ')}${more}`;
  throw new LadingError(isInvalid ? 'ERR_SIGNATURE_INVALID' : 'ERR_SIGNATURE_MISSING', message, {
    details: { trust: reports },
  });
}
