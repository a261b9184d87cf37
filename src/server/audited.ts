import type { AuditRecord } from './audit.js';
import type { Request, ServerContext } from './context.js';
import { decisionsIn } from './decisions.js';
import { failureOf } from './statuses.js';

/** What an audit record says of work that has ended; `code` is `OK` unless given. */
type Facts = Partial<Pick<AuditRecord, 'digests' | 'moved' | 'bytes' | 'decisions' | 'code'>>;

/** What audited work returns, and the facts for its record. No facts, no record: nothing was changed or sent. */
export interface Outcome<Result> {
  readonly result: Result;
  readonly facts?: Facts;
}

/** Does the work, adds one record to the audit when it has ended, and returns its result. Throws its errors. */
export async function audited<Result>(
  context: ServerContext,
  request: Request,
  asked: Pick<AuditRecord, 'action' | 'names'>,
  work: () => Promise<Outcome<Result>>,
): Promise<Result> {
  const started = context.now();
  const record = (facts: Facts): void => {
    const ended = context.now();
    const time = new Date(ended).toISOString();
    context.audit({ time, client: request.client, durationMs: ended - started, ...asked, code: 'OK', ...facts });
  };
  try {
    const { result, facts } = await work();
    if (facts !== undefined) record(facts);
    return result;
  } catch (error) {
    record({ code: failureOf(error).code, ...decisionsIn(error) });
    throw error;
  }
}
