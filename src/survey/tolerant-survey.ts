import type { ContentProvider } from '../content/content-provider.js';
import { Documents, type OnDamage } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { referrersIn } from '../stores/listed-images.js';
import { labelOfRecord, type Warning } from './reports.js';
import { surveyImages, type Survey } from './survey-images.js';

/** How to read documents while listing. */
export interface ListOptions {
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** A survey that counts damage as missing content, and reports it in warnings. */
export async function tolerantSurvey(
  store: ContentProvider,
  targets: readonly ImageRecord[],
  records: readonly ImageRecord[],
  { limits, signal }: ListOptions,
): Promise<{ survey: Survey; warnings: readonly Warning[] }> {
  const damage = new Map<Digest, LadingError>();
  const onDamage: OnDamage = (error, digest) => void damage.set(digest, error);
  const documents = new Documents(store, { limits: limitsOf(limits), onDamage });
  const survey = await surveyImages(documents, targets, { referrersOf: referrersIn(records), signal });
  const warnings = [...damage].map(([digest, error]) => damageWarning(survey, digest, error));
  return { survey, warnings: [...warnings, ...survey.warnings] };
}

function damageWarning({ nodes }: Survey, digest: Digest, { message }: LadingError): Warning {
  const damaged = nodes.find(
    ({ node, completeness }) => node.descriptor.digest === digest || completeness.missing === digest,
  );
  return { code: 'WARN_DAMAGED', message, ...(damaged && { image: labelOfRecord(damaged.node.target) }) };
}
