import { readAll } from '../content/check-document.js';
import { DamagedBlobs } from '../content/damaged-blobs.js';
import type { FilePart, PouredPart } from '../files/file-part.js';
import { ActiveBodies, type ActiveBody } from '../flow/active-bodies.js';
import { SideWork } from '../flow/side-work.js';
import { Stage } from '../flow/stage.js';
import { LayerProbe, type LayerFacts } from '../layers/layer-probe.js';
import { DOCKER_MANIFEST_ENTRY, LAYOUT_ENTRY } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import { isDamage, LadingError } from '../model/errors.js';
import { ALL_LIMITS, type Limits } from '../model/limits.js';
import { CALLBACK, check, oneOf, optionsOf } from '../model/rules.js';
import { SESSION } from '../stores/port-rules.js';
import type { DestinationSession, PartCopies } from '../stores/store.js';
import type { ArchiveContents, ArchiveFile, CommitEvent, SelectedEntry, VerifiedEntry } from './records.js';
import { ENTRY } from './records.js';

/** What to find out about blobs as layers while they pass: nothing, their compression, or also their diff ids. */
export type LayerProbing = 'none' | 'heads' | 'all';

/** What to find out about bodies on their way into the store, and the limits for it. */
export interface CommitOptions {
  /** `none` is enough for a store that keeps all bytes, since its layers can be read later. */
  readonly probing: LayerProbing;
  readonly limits: Limits;
  /** Is told of each blob at once; the events of the stage come later where several blobs are copied side by side. */
  readonly onStored?: (event: CommitEvent) => void;
}

const ARGUMENTS = {
  session: SESSION,
  options: optionsOf<CommitOptions>(
    { probing: oneOf('none', 'heads', 'all'), limits: ALL_LIMITS, onStored: CALLBACK },
    ['probing', 'limits'],
  ),
};

/** Files without a digest in their name stay in memory up to this size each, and up to this size together. */
const SMALL_BYTES = 64 * 1024;
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/** Blobs copied at once, each with up to two open files: work for every thread of a store, and one more message. */
const MAX_COPIES = 64;

/**
 * Writes bodies into the store: one after another, or several at once if they stand in a file or come through a pipe
 * and the store can copy them. A damaged blob ends the load if it is known to be needed; a damaged candidate is
 * remembered. Holds one digest for each blob, the layout's own documents, and up to 8 MiB of small files without a
 * digest in their name: an archive may have thousands of them, and a docker-archive needs few.
 */
export class Commit extends Stage<VerifiedEntry<SelectedEntry>, CommitEvent> {
  readonly #session: DestinationSession;
  #documents: Pick<ArchiveContents, 'layout' | 'manifestJson' | 'index' | 'thin'> = {};
  readonly #options: CommitOptions;
  readonly #copies: PartCopies | undefined;
  readonly #layers = new Map<Digest, LayerFacts>();
  readonly #files = new Map<string, ArchiveFile>();
  readonly #links = new Map<string, string>();
  readonly #stored = new Map<Digest, number>();
  readonly #storedByOthers = new Set<Digest>();
  readonly #repeated = new Set<string>();
  #keptBytes = 0;
  #skipped = { count: 0, bytes: 0 };
  readonly #damaged = new DamagedBlobs();
  readonly #copying = new SideWork<CommitEvent[]>(MAX_COPIES);
  readonly #active = new ActiveBodies();

  protected override readonly rule = ENTRY;

  constructor(session: DestinationSession, options: CommitOptions) {
    super({ writableHighWaterMark: 1 });
    check(ARGUMENTS, { session, options });
    this.#session = session;
    this.#options = options;
    // Probing needs the bytes in this process, so blobs are not copied from file to file.
    this.#copies = options.probing === 'none' ? session.copies : undefined;
  }

  /** The bodies that are being written now. */
  get active(): Iterable<ActiveBody> {
    return this.#active;
  }

  /** The contents of the archive so far; complete once the stage has ended. */
  get contents(): ArchiveContents {
    return {
      ...this.#documents,
      files: this.#files,
      layers: this.#layers,
      links: this.#links,
      repeated: this.#repeated,
      skipped: this.#skipped,
      stored: this.#stored,
      storedByOthers: this.#storedByOthers,
      damaged: this.#damaged.blobs,
    };
  }

  protected override async *each(entry: VerifiedEntry<SelectedEntry>): AsyncGenerator<CommitEvent> {
    const promised = entry.digest;
    if (entry.use === 'link') this.#enterLink(entry);
    else if (entry.use === 'metadata') await this.#takeMetadata(entry);
    else if (this.#isKept(entry)) await this.#keep(entry);
    else yield* await this.#write(entry, promised);
  }

  override async settled(): Promise<void> {
    await super.settled();
    await this.#copying.settled();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#copying.giveUp();
    super._destroy(error, callback);
  }

  protected override async *atEnd(): AsyncGenerator<CommitEvent> {
    yield* (await this.#copying.finish()).flat();
    await this.#copies?.end();
  }

  async #takeMetadata({ name, index, thin, body, size }: SelectedEntry): Promise<void> {
    const bytes = await readAll(body, size);
    const kept = { [LAYOUT_ENTRY]: { layout: bytes }, [DOCKER_MANIFEST_ENTRY]: { manifestJson: bytes } }[name];
    this.#documents = { ...this.#documents, ...kept, ...(index && { index }), ...(thin && { thin }) };
  }

  #enterLink({ name, linkname = '' }: SelectedEntry): void {
    const before = this.#links.get(name);
    if (this.#files.has(name) || (before !== undefined && before !== linkname)) this.#repeated.add(name);
    this.#links.set(name, linkname);
  }

  /** Returns whether the name is new. The same bytes under it once more are skipped. */
  #enterFile(name: string, file: ArchiveFile): boolean {
    const before = this.#files.get(name);
    if (this.#links.has(name) || (before !== undefined && before.digest !== file.digest)) this.#repeated.add(name);
    if (before === undefined) this.#files.set(name, file);
    else this.#skipped = { count: this.#skipped.count + 1, bytes: this.#skipped.bytes + file.size };
    return before === undefined;
  }

  #isKept({ digest, size }: SelectedEntry): boolean {
    return digest === undefined && size <= SMALL_BYTES && this.#keptBytes + size <= MAX_KEPT_BYTES;
  }

  async #keep({ name, size, body, digester }: VerifiedEntry<SelectedEntry>): Promise<void> {
    this.#keptBytes += size;
    const bytes = await readAll(body, size);
    if (!this.#enterFile(name, { digest: digester.digest(), size, bytes })) this.#keptBytes -= size;
  }

  /** Lets the store copy the body if it can. Otherwise its bytes pass through here. */
  async #write(
    entry: VerifiedEntry<SelectedEntry>,
    promised: Digest | undefined,
  ): Promise<AsyncIterable<CommitEvent> | readonly CommitEvent[]> {
    const part = entry.part ?? (this.#copies?.pours === true ? entry.poured : undefined);
    if (promised === undefined || part === undefined || this.#copies === undefined)
      return this.#ingest(entry, promised);
    return (await this.#copying.start(this.#copy(entry, promised, this.#copies, part))).flat();
  }

  /** Returns a function that copies one blob from its file or pipe. */
  #copy(
    entry: VerifiedEntry<SelectedEntry>,
    digest: Digest,
    copies: PartCopies,
    part: FilePart | PouredPart,
  ): (signal: AbortSignal) => Promise<CommitEvent[]> {
    const { name, size, kind, poured } = entry;
    return async (signal) => {
      const body = this.#active.enter(entry, digest);
      try {
        const outcome = await copies.copy(part, { digest, size, kind }, signal, body.meter);
        return [this.#note({ name, size, digest, outcome })];
      } catch (error) {
        if (this.#keepsDamage(entry, error)) return [];
        // The error would be seen when the next entry comes, and that is after the rest of this body.
        if (poured !== undefined) this.destroy(error as Error);
        throw error;
      } finally {
        this.#active.leave(body);
      }
    };
  }

  #note(event: CommitEvent): CommitEvent {
    const { digest, size, outcome } = event;
    if (outcome === 'stored') this.#stored.set(digest, size);
    else if (!this.#stored.has(digest)) this.#storedByOthers.add(digest);
    this.#options.onStored?.(event);
    return event;
  }

  /** Remembers the damage of a candidate, which may not be needed. Returns false for every other error. */
  #keepsDamage({ use, digest, size }: SelectedEntry, error: unknown): boolean {
    if (use !== 'candidate' || digest === undefined || !isDamage(error)) return false;
    this.#damaged.add(digest, size, error.code, () => error);
    return true;
  }

  async *#ingest(entry: VerifiedEntry<SelectedEntry>, promised: Digest | undefined): AsyncGenerator<CommitEvent> {
    try {
      yield* this.#store(entry, promised);
    } catch (error) {
      if (!this.#keepsDamage(entry, error)) throw error;
    }
  }

  async *#store(entry: VerifiedEntry<SelectedEntry>, promised: Digest | undefined): AsyncGenerator<CommitEvent> {
    const { name, size, kind, digester } = entry;
    // A small blob is verified before a file is made for it: an archive may be full of blobs with wrong digests.
    const small = promised !== undefined && size <= SMALL_BYTES ? [await readAll(entry.body, size)] : undefined;
    const ingest = await this.#session.begin(promised && { digest: promised, size, kind }, digester);
    const probe = this.#probeFor(promised);
    const body = this.#active.enter(entry, promised);
    let bytes = 0;
    body.meter.follow(() => bytes);
    try {
      for await (const chunk of small ?? entry.body) {
        if (this.destroyed) throw new LadingError('ERR_ABORTED', `blob ${name} was given up`);
        await probe?.write(chunk);
        await ingest.write(chunk);
        bytes += chunk.length;
      }
      const digest = promised ?? digester.digest();
      const event = this.#note({ name, size, digest, outcome: await ingest.commit({ digest, size }) });
      if (probe !== undefined) this.#learn(name, promised, { digest, size }, await probe.end());
      yield event;
    } finally {
      this.#active.leave(body);
      // Runs also if the consumer stops between two events. After a commit, abort does nothing.
      probe?.destroy();
      await ingest.abort();
    }
  }

  /** A file without a digest in its name may be a layer of a docker-archive, whose diff id must be known. */
  #probeFor(promised: Digest | undefined): LayerProbe | undefined {
    const { probing, limits } = this.#options;
    if (promised === undefined) return new LayerProbe({ limits });
    return probing === 'none' ? undefined : new LayerProbe({ limits, headOnly: probing === 'heads' });
  }

  #learn(name: string, promised: Digest | undefined, file: ArchiveFile, layer: LayerFacts): void {
    if (promised === undefined) this.#enterFile(name, file);
    this.#layers.set(file.digest, layer);
  }
}
