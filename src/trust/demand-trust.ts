import type { Digest } from '../model/digest.js';
import { LadingError, type ErrorCode } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { labelOf, labelOfRecord, type Warning } from '../survey/reports.js';
import type { TrustReport } from './trust-report.js';

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

/** How many images, and how many reasons of one, a message tells of. All are in `details.trust`. */
const MAX_TOLD = 5;

/** The code of an error that has several reasons: the first of these that is among them. */
const GRAVEST = [
  'ERR_POLICY_DENIED',
  'ERR_PLATFORM_MISMATCH',
  'ERR_SIGNATURE_INVALID',
  'ERR_SIGNATURE_MISSING',
  'ERR_ATTESTATION_MISSING',
  'ERR_NAME_CONFLICT',
] as const satisfies readonly ErrorCode[];

/** Throws the gravest reason why images are denied, with all of them; `outcome` says what did not happen. */
export function demandAllowed(reports: readonly TrustReport[], outcome: string): void {
  const denied = reports.filter(({ decision }) => decision === 'denied');
  if (denied.length === 0) return;
  const codes = new Set(denied.flatMap(({ reasons }) => reasons.map(({ code }) => code)));
  const code = GRAVEST.find((one) => codes.has(one)) ?? 'ERR_POLICY_DENIED';
  const told = denied.slice(0, MAX_TOLD).map(reasonOf);
  const more = denied.length > MAX_TOLD ? [`and ${denied.length - MAX_TOLD} more images`] : [];
  throw new LadingError(code, `${outcome}: ${[...told, ...more].join('; ')}`, { details: { trust: reports } });
}

/** What would be denied, where that is only told. */
export function deniedWarnings(reports: readonly TrustReport[]): readonly Warning[] {
  return reports
    .filter(({ decision }) => decision === 'denied')
    .map((report) => ({
      code: 'WARN_POLICY_DENIED',
      message: `the policy would deny ${reasonOf(report)}`,
      image: labelOf(report),
    }));
}

function reasonOf(report: TrustReport): string {
  const told = report.reasons.slice(0, MAX_TOLD).map(({ message }) => message);
  const more = report.reasons.length > MAX_TOLD ? [`and ${report.reasons.length - MAX_TOLD} more reasons`] : [];
  return `${labelOf(report)}: ${[...told, ...more].join('; ')}`;
}
