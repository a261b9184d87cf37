import type { NameMove } from '../index.js';
import { nameOfRepository, repositoryOf } from '../registry/registry-name.js';
import type { Reference } from '../index.js';
import { audited } from './audited.js';
import type { Reply, Request, ServerContext } from './context.js';
import { decisionsIn, type Decision } from './decisions.js';
import { LineOutput } from './line-output.js';
import { withRegistry, type RequestRegistries } from './registry-access.js';
import { registryFailure, type ShownName } from './registry-failures.js';
import { EngineError, failureOf, STATUS } from './statuses.js';

/** A pull or push on its way. */
export interface RunningTransfer extends RequestRegistries {
  readonly context: ServerContext;
  readonly output: LineOutput;
}

/** What a pull or push did. */
export interface Transferred {
  /** The last lines of the answer. */
  readonly lines: readonly object[];
  readonly digests: readonly string[];
  readonly moved: readonly NameMove[];
  readonly decisions?: readonly Decision[];
  readonly bytes: number;
}

/** What a client asks for. */
export interface AskedTransfer {
  readonly kind: 'pull' | 'push';
  readonly request: Request;
  readonly reply: Reply;
  readonly reference: Reference;
}

type Ended =
  | { readonly code: 'OK'; readonly done: Transferred }
  | { readonly code: string; readonly done?: never; readonly cause: unknown };

/** Does a pull or push as one transfer, with its record in the audit, and answers with its lines or its error. */
export async function runTransfer(
  context: ServerContext,
  { kind, request, reply, reference }: AskedTransfer,
  work: (running: RunningTransfer) => Promise<Transferred>,
): Promise<Reply> {
  const output = new LineOutput(reply);
  const { host } = repositoryOf(reference);
  const asked = { action: kind, names: [reference.toString()] } as const;
  const ended = await audited(context, request, asked, async () => {
    const transfer = context.transfers.start(kind);
    const result = await endOf(request, async () =>
      withRegistry(context, { request, reply, host }, async (access) => work({ ...access, context, output })),
    );
    const { lines: _, ...facts } = result.done ?? { lines: [], bytes: 0, ...decisionsIn(result.cause) };
    transfer.end({ code: result.code, bytes: facts.bytes });
    return { result, facts: { code: result.code, ...facts } };
  });
  if (ended.done !== undefined) output.end(ended.done.lines);
  else answerFailure(context, output, { ...ended, shown: shownName(reference) });
  return reply;
}

async function endOf({ raw }: Request, work: () => Promise<Transferred>): Promise<Ended> {
  try {
    return { code: 'OK', done: await work() };
  } catch (cause) {
    return { code: raw.socket.destroyed ? 'CLIENT_GONE' : failureOf(cause).code, cause };
  }
}

function answerFailure(
  context: ServerContext,
  output: LineOutput,
  { code, cause, shown }: { readonly code: string; readonly cause: unknown; readonly shown: ShownName },
): void {
  const toFailure = registryFailure(shown);
  if (output.fail(cause, toFailure)) {
    context.metrics.errors.inc({ code });
    if (failureOf(cause).status === STATUS.internal) context.onError(cause);
    return;
  }
  if (code === 'CLIENT_GONE') return context.metrics.errors.inc({ code });
  throw asEngineError(cause, toFailure);
}

/** The error with its status and words. An unexpected one stays as it is: the error handler reports it. */
export function asEngineError(cause: unknown, toFailure: ReturnType<typeof registryFailure>): unknown {
  const { status, message, headers, code } = toFailure(cause);
  return code.startsWith('ERR_') ? new EngineError(status, message, headers) : cause;
}

/** The names of an image in messages. */
export function shownName(reference: Reference): ShownName {
  const image = reference.familiar();
  return { image, repository: image.replace(/@.*$/, '').replace(/:[^:/]*$/, '') };
}

/** `docker.io/library/app`. */
export function repositoryLabel(reference: Reference): string {
  return nameOfRepository(repositoryOf(reference));
}

/** What registries and copies want to be known, as lines. */
export function warningLines(texts: readonly string[]): readonly object[] {
  return [...new Set(texts)].map((text) => ({ status: `warning: ${text}` }));
}
