import type { AuditRecord } from './audit.js';
import type { Request, ServerContext } from './context.js';
import { failureOf } from './statuses.js';

/** Tells the audit what was done, and how long it took since `startedMs`. */
export function audit(
  { audit: tell, now }: ServerContext,
  request: Request,
  startedMs: number,
  record: Omit<AuditRecord, 'time' | 'client' | 'durationMs'>,
): void {
  const ended = now();
  tell({
    time: new Date(ended).toISOString(),
    client: request.client,
    durationMs: ended - startedMs,
    ...record,
  });
}

type Edited = Pick<Parameters<typeof audit>[3], 'digests' | 'moved' | 'bytes'>;

/** Does the work, and tells the audit how it went. */
export async function audited(
  context: ServerContext,
  request: Parameters<typeof audit>[1],
  action: 'tag' | 'delete' | 'prune',
  names: readonly string[],
  work: () => Promise<Edited>,
): Promise<void> {
  const started = context.now();
  try {
    audit(context, request, started, { action, names, code: 'OK', ...(await work()) });
  } catch (error) {
    audit(context, request, started, { action, names, code: failureOf(error).code });
    throw error;
  }
}
