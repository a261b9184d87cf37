import { setImmediate } from 'node:timers/promises';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { LadingError, type Store } from '../index.js';

/** What goes on its way: an archive from or to a client, or images from or to a registry. */
export type TransferKind = 'load' | 'save' | 'pull' | 'push';

/** How long a measured size of the store is used, in milliseconds. */
const STORE_SIZE_MS = 30_000;

/** How many blobs are looked up before other work gets its turn. */
const BLOBS_PER_TURN = 256;

/** The numbers of one server, in its own registry. Names follow Prometheus: base units, `_total` for counters. */
export class Metrics {
  readonly registry = new Registry();
  readonly active = this.#gauge('lading_transfers_active', 'Archives, pulls and pushes on their way right now.', [
    'kind',
  ]);
  readonly transfers = this.#counter('lading_transfers_total', 'Archives, pulls and pushes that ended, by outcome.', [
    'kind',
    'code',
  ]);
  readonly bytes = this.#counter('lading_transfer_bytes_total', 'Bytes received and sent by them.', ['kind']);
  readonly refused = this.#counter(
    'lading_transfers_refused_total',
    'Those refused because too many were on their way.',
    ['kind'],
  );
  readonly errors = this.#counter('lading_errors_total', 'Requests that failed, by code.', ['code']);
  readonly requests = this.#counter('lading_http_requests_total', 'Requests, by route and status.', [
    'method',
    'route',
    'status',
  ]);
  readonly duration = new Histogram({
    name: 'lading_transfer_duration_seconds',
    help: 'How long they took.',
    labelNames: ['kind'],
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200],
    registers: [this.registry],
  });
  readonly #storeBytes = this.#gauge('lading_store_bytes', 'Bytes of all blobs.', []);
  readonly #storeBlobs = this.#gauge('lading_store_blobs', 'Blobs in the store.', []);
  readonly #storeImages = this.#gauge('lading_store_images', 'Images in the store, with or without a name.', []);
  #measured = Number.NEGATIVE_INFINITY;

  /** All numbers as Prometheus text. Measures the store again after 30 s; `now` in milliseconds. */
  async text(store: Store, now: number): Promise<string> {
    this.#storeImages.set((await store.list()).length);
    if (now - this.#measured >= STORE_SIZE_MS) {
      // A store that cannot list its blobs has no size to tell.
      await this.#measure(store).catch((error: unknown) => {
        if (!(error instanceof LadingError) || error.category !== 'unsupported') throw error;
      });
      this.#measured = now;
    }
    return await this.registry.metrics();
  }

  async #measure(store: Store): Promise<void> {
    let blobs = 0;
    let bytes = 0;
    for await (const digest of store.digests()) {
      blobs += 1;
      if (blobs % BLOBS_PER_TURN === 0) await setImmediate();
      bytes += (await store.stat(digest, 'blob'))?.size ?? 0;
    }
    this.#storeBlobs.set(blobs);
    this.#storeBytes.set(bytes);
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
