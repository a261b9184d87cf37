import { Documents } from '../content/documents.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import type { LoadRequest } from '../load/load-entries.js';
import { IMAGES, loadArchive, loadRequestOf } from '../load/load-images.js';
import type { Digest } from '../model/digest.js';
import { isImage } from '../model/image-list.js';
import { check, optionsOf } from '../model/rules.js';
import { reporting, type Reported } from '../progress/reporting.js';
import { documentStore } from '../stores/memory/document-store.js';
import { isAnyMissing } from '../survey/reports.js';
import type { Warning, WarningCode } from '../survey/reports.js';
import { surveyImages } from '../survey/survey-images.js';
import { checkImages, problemOf, type Problem } from './check-images.js';
import { thinReportOf } from '../load/thin-report.js';
import { withLayers } from '../load/thin-base.js';
import { unmetDemands } from './demands.js';
import { BASES, verifyBase, type BaseSource } from './verify-base.js';
import { VERIFY_RULES, type VerifyOptions, type VerifyReport } from './verify-images.js';
import { MAX_ENVELOPE_BYTES } from '../trust/find-signatures.js';
import { POLICY, policyFrom, type Policy } from '../trust/policy.js';
import { KEYS, type PublicKey } from '../trust/public-key.js';

/** How to verify an archive. */
export interface VerifyArchiveOptions extends VerifyOptions {
  /** Only the images with these names, tags, digests or patterns, and what they need. */
  readonly images?: readonly string[];
  /** Public keys: one of them must have signed every image, or it is denied in `trust`. */
  readonly keys?: readonly PublicKey[];
  /** Made by `parsePolicy`: what it denies is denied in `trust`. Not with `keys`. */
  readonly policy?: Policy;
  /**
   * Stores and archives that may have the layers that a thin archive leaves out. With any, they are hashed there, and
   * those that no place has are an ERR_BASE_MISSING. Without, the report says what was not judged.
   */
  readonly bases?: readonly BaseSource[];
}

const ARGUMENTS = {
  source: ARCHIVE,
  options: optionsOf<VerifyArchiveOptions>({
    ...VERIFY_RULES,
    images: IMAGES,
    keys: KEYS,
    policy: POLICY,
    bases: BASES,
  }),
};

/**
 * Verifies an archive without storing it. Hashes every blob in it, needed or not, or what the chosen images need. Holds its
 * documents, at most 64 MiB. Throws the errors of a load, and ERR_IMAGE_UNKNOWN or ERR_REFERENCE_AMBIGUOUS for a choice.
 * A damaged blob that no image needs is a problem in the report. An image that the policy denies is denied in `trust`.
 */
export async function verifyArchive(source: LoadSource, options: VerifyArchiveOptions = {}): Promise<VerifyReport> {
  check(ARGUMENTS, { source, options });
  const { images: chosen = [], platforms = [], onProgress, signal } = options;
  const about = () => ({ images: chosen, platforms, store: source });
  return await reporting({ op: 'verify', about, onProgress, signal }, async (reported) => {
    const report = await verifySource(source, options, reported);
    reported.progress?.warn(report.warnings);
    return report;
  });
}

async function verifySource(
  source: LoadSource,
  options: VerifyArchiveOptions,
  { progress, signal }: Reported,
): Promise<VerifyReport> {
  const { deep = false, strict = false, limits, images: chosen = [] } = options;
  const policy = policyFrom(options);
  const request: LoadRequest = {
    ...loadRequestOf({
      ...(limits && { limits }),
      ...(signal && { signal }),
      ...(policy && { policy, policyReport: true }),
      images: chosen,
    }),
    passesAll: chosen.length === 0,
    probing: deep ? 'all' : 'heads',
    assumesBase: true,
    progress,
  };
  const { maxDocumentBytes } = request.limits;
  // What is signed is kept as documents are.
  const store = documentStore({
    maxDocumentBytes: policy === undefined ? maxDocumentBytes : Math.max(maxDocumentBytes, MAX_ENVELOPE_BYTES),
  });
  const { report, contents } = await loadArchive(store, source, request);
  const { thin, layers } = contents;
  const { bases = [] } = options;
  const base = thin && bases.length > 0 ? await verifyBase(thin, bases, request) : undefined;
  const provider = thin === undefined ? store : withLayers(store, (digest) => thin.base.get(digest));
  const documents = new Documents(provider, { limits: request.limits });
  const targets = (await store.list()).filter(isImage);
  const survey = await surveyImages(documents, targets, { signal, foreignLayers: 'keep' });
  const factsOf = async (digest: Digest): Promise<LayerFacts | undefined> =>
    layers.get(digest) ?? base?.layers.get(digest);
  const findings = await checkImages(provider, survey.nodes, {
    limits: request.limits,
    deep,
    strict,
    factsOf,
    ...(signal && { signal }),
  });
  const { images, blobs } = report;
  const unmet = await unmetDemands(documents, targets, { images, survey }, options);
  const { refused, warnings } = judgeWarnings(
    report.warnings.filter(({ code }) => code !== 'WARN_POLICY_DENIED'),
    strict,
  );
  const known = new Set(warnings.map(({ message }) => message));
  // Of one image, damage that it does not need is none of its problems, and damage that it needs was thrown.
  const damaged = [...(chosen.length === 0 ? contents.damaged : [])].map(([digest, { damage }]) =>
    problemOf(damage, digest),
  );
  return {
    images,
    blobs: {
      count: blobs.stored + blobs.skipped + (base ? (thin?.base.size ?? 0) : 0),
      bytes: blobs.bytesStored + blobs.bytesSkipped + (base?.bytes ?? 0),
    },
    unmet,
    problems: [...refused, ...damaged, ...(base?.problems ?? []), ...findings.problems],
    warnings: [...warnings, ...findings.warnings.filter(({ message }) => !known.has(message))],
    ...(report.trust && { trust: report.trust }),
    ...(thin && { thin: { ...thinReportOf(thin), judged: base !== undefined } }),
    incomplete: isAnyMissing(images),
  };
}

/** What a strict load would refuse. */
const REFUSED: Readonly<Partial<Record<WarningCode, Problem['code']>>> = {
  WARN_NAME_DROPPED: 'ERR_REFERENCE_INVALID',
  WARN_SCHEMA_VERSION: 'ERR_DOCUMENT_INVALID',
};

/** If strict, names that cannot be used and documents without a version are problems. */
function judgeWarnings(
  warnings: readonly Warning[],
  strict: boolean,
): { readonly refused: readonly Problem[]; readonly warnings: readonly Warning[] } {
  if (!strict) return { refused: [], warnings };
  const refused = warnings.flatMap(({ code, message }): Problem[] => {
    const refusal = REFUSED[code];
    return refusal === undefined ? [] : [{ code: refusal, message }];
  });
  return { refused, warnings: warnings.filter(({ code }) => REFUSED[code] === undefined) };
}
