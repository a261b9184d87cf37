import { setTimeout as wait } from 'node:timers/promises';
import { throwIfAborted } from '../model/aborted.js';
import { LadingError } from '../model/errors.js';
import { readBody, type Answer } from './answers.js';
import { rateOf } from './broken-answers.js';
import type { OriginMemory } from './origin-memory.js';
import { OriginPace } from './origin-pace.js';
import type { Redaction } from './redaction.js';
import { refusal, unreachable, type Asked } from './registry-errors.js';
import { askedWait, isTemporary, waitBefore } from './retry-policy.js';
import type { RegistrySettings } from './settings.js';
import { TransportError, type FailureKind } from './watch.js';

/** Failures that are the same in every try. */
const FINAL: readonly FailureKind[] = ['certificate', 'not-tls', 'proxy'];

/** Sends requests again, as `retry-policy.ts` says; a registry that asks for a pause gets one from all requests. */
export class Retries {
  readonly #settings: RegistrySettings;
  readonly #memory: OriginMemory;
  readonly #redaction: Redaction;
  readonly #pace = new OriginPace();

  constructor(settings: RegistrySettings, memory: OriginMemory, redaction: Redaction) {
    this.#settings = settings;
    this.#memory = memory;
    this.#redaction = redaction;
  }

  /**
   * Sends a request until its answer is not temporary. Throws the error of the last try. `isPaced`: it waits for a turn
   * at an origin that has complained; not for a request whose work needs another one, such as a body that is read there.
   */
  async run(
    asked: Asked,
    { attempts, isPaced }: { readonly attempts: number; readonly isPaced: boolean },
    attempt: () => Promise<Answer>,
  ): Promise<Answer> {
    for (let failed = 1, stale = 0; ; failed += 1) {
      throwIfAborted(this.#settings.signal, 'the request');
      await this.#pause(asked.origin);
      let retryAfter: string | undefined;
      let error: unknown;
      try {
        const answer = isPaced ? await this.#pace.turn(asked.origin, attempt) : await attempt();
        if (!isTemporary(answer.status)) {
          this.#pace.noteGood(asked.origin);
          return answer;
        }
        retryAfter = answer.headers['retry-after'];
        error = await refusal({ ...answer, body: await readBody(answer) }, asked, this.#redaction);
        if (answer.status === 429 || answer.status === 503) this.#slowDown(asked.origin, retryAfter);
      } catch (thrown) {
        if (!(thrown instanceof TransportError) || this.#settings.signal?.aborted === true) throw thrown;
        // An address that is refused is refused in every try.
        if (thrown.cause instanceof LadingError) throw thrown.cause;
        // A kept connection that the other side had closed: no byte of an answer came, and it costs no try.
        if (thrown.isStale && thrown.kind === 'connection' && (stale += 1) <= 3) {
          failed -= 1;
          continue;
        }
        const raw = rateOf(thrown);
        retryAfter = raw?.retryAfter;
        if (raw !== undefined) this.#slowDown(asked.origin, retryAfter);
        error =
          raw === undefined
            ? unreachable(thrown, asked)
            : await refusal({ ...raw, body: Buffer.alloc(0) }, asked, this.#redaction);
        if (FINAL.includes(thrown.kind)) throw error;
      }
      const ms = waitBefore(failed, retryAfter, { ...this.#settings, attempts });
      if (ms === undefined) throw error;
      await wait(ms, undefined, { signal: this.#settings.signal });
    }
  }

  /** All requests to the origin wait as long as it says, and fewer of them go at once. */
  #slowDown(origin: string, retryAfter: string | undefined): void {
    this.#pace.slower(origin);
    this.#memory.pause(origin, askedWait(retryAfter, this.#settings.now()), this.#settings);
  }

  async #pause(origin: string): Promise<void> {
    const ms = this.#memory.pausedFor(origin, this.#settings.now());
    if (ms > 0) await wait(ms, undefined, { signal: this.#settings.signal });
  }
}
