import type { ContentProvider } from '../content/content-provider.js';
import type { PlannedEntry } from '../export/lay-out-archive.js';
import type { ExportPlan } from '../export/plan-export.js';
import { closeArchive } from '../load/close-archive.js';
import { digestOfEntry } from '../model/archive-layout.js';
import { decorated } from '../model/decorated.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { limitsOf } from '../model/limits.js';
import type { DestinationSession, ImageDestination } from '../stores/store.js';
import type { TrustReport } from '../trust/trust-report.js';
import { closingOf, contentsOf, type CopyOptions } from './closing.js';

/** A store to which a plan is copied: it may have signatures that the source lacks. */
export interface JudgedTarget {
  readonly destination: ImageDestination;
  readonly session: DestinationSession;
}

/** What an archive is to the judgement of its images: a place that has none yet. */
const NOWHERE: ImageDestination = {
  holders: async () => new Map(),
  session: () => Promise.reject(new Error('an archive has no session')),
};

/** Refuses to judge what is left behind. Throws ERR_OPTION_INVALID. */
export function checkSignaturesTravel({ policy, referrers }: Pick<CopyOptions, 'policy' | 'referrers'>): void {
  if (policy === undefined || referrers !== 'drop') return;
  const message = 'signatures cannot be checked if referrers are dropped; choose one of the two';
  throw new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'policy' } });
}

/**
 * Judges the images of a plan by the policy, before a byte of them is copied: by the very documents and signatures that
 * the plan names. Reads those, and no layers. Undefined without a policy. Throws what the end of a copy throws.
 */
export async function judgePlan(
  source: ContentProvider,
  plan: ExportPlan,
  options: CopyOptions,
  target?: JudgedTarget,
): Promise<readonly TrustReport[] | undefined> {
  checkSignaturesTravel(options);
  if (options.policy === undefined) return undefined;
  const planned = plannedContent(source, plan, target?.session);
  const session = target === undefined ? planned : decorated<DestinationSession>(target.session, planned);
  const here = new Map(digestsOf(plan).map(({ digest, size }) => [digest, size]));
  const { beforeCommit: _, ...judging } = options;
  const closed = await closeArchive(
    target?.destination ?? NOWHERE,
    session as DestinationSession,
    await contentsOf(plan, here, limitsOf(options.limits)),
    closingOf(judging),
  );
  return closed.trust;
}

function digestsOf({ entries }: ExportPlan): readonly (PlannedEntry & { readonly digest: Digest })[] {
  return entries.flatMap((entry) => {
    const digest = entry.type === 'file' ? digestOfEntry(entry.name) : undefined;
    return digest === undefined ? [] : [{ ...entry, digest }];
  });
}

/** The content of a plan, then that of the store it goes to. Nothing is published. */
function plannedContent(
  source: ContentProvider,
  plan: ExportPlan,
  beside: ContentProvider | undefined,
): ContentProvider & Pick<DestinationSession, 'publish'> {
  const planned = new Map(digestsOf(plan).map((entry) => [entry.digest, entry]));
  return {
    stat: async (digest, kind) => {
      const size = planned.get(digest)?.size;
      return size === undefined ? await beside?.stat(digest, kind) : { size };
    },
    open: (digest, options) => {
      const entry = planned.get(digest);
      if (entry === undefined) return (beside ?? source).open(digest, options);
      if ('bytes' in entry.content)
        return inMemory(entry.content.bytes.subarray(options.range?.start, options.range?.end));
      return source.open(digest, { ...options, kind: entry.content.kind });
    },
    publish: async () => {},
  };
}

async function* inMemory(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
