import { once } from 'node:events';
import { pack, type Pack } from 'tar-stream';
import { Stage } from '../flow/stage.js';
import { tarEntryBytes } from '../model/archive-layout.js';
import { LadingError } from '../model/errors.js';
import { paddingOf, TAR_BLOCK } from '../model/tar-header.js';
import { ENTRY, type ArchiveEntry } from './records.js';

const FILE_MODE = 0o444;
const DIRECTORY_MODE = 0o755;

/**
 * Entries to tar bytes: headers, bodies, padding, end blocks. Owner, group and time are zero, so that the same entries
 * make the same bytes. Every chunk but the last ends inside an entry, since many readers accept an archive that was cut
 * between two entries. Holds one chunk of one body, and the end of the entry before.
 */
export class TarPack extends Stage<ArchiveEntry, Buffer> {
  readonly #pack: Pack = pack();
  /** Output of the packer that this stage has not passed on yet: one header or one chunk. */
  #packed: Buffer[] = [];
  /** The entries in progress, as positions in the archive: its start, the end of its body, and its end after padding. */
  #entries: { readonly start: number; readonly bodyEnd: number; readonly end: number }[] = [];
  #entriesEnd = 0;
  #position = 0;
  /** The end of an entry, which is sent together with the start of the next one. */
  #held: Buffer[] = [];

  protected override readonly rule = ENTRY;

  constructor() {
    super({
      objectMode: false,
      writableObjectMode: true,
      writableHighWaterMark: 1,
      readableHighWaterMark: 256 * 1024,
    });
    this.#pack.on('error', (error: Error) => this.destroy(error));
    // The packer emits Buffers; its type definitions say unknown.
    this.#pack.on('data', (chunk: unknown) => void this.#packed.push(chunk as Buffer));
  }

  /** Bytes of the archive that were made so far, with those that are held back. */
  get position(): number {
    return this.#position;
  }

  protected override async *each(entry: ArchiveEntry): AsyncGenerator<Buffer> {
    this.#expect(entry);
    const sink = this.#pack.entry(headerOf(entry));
    sink.on('error', () => {});
    if (entry.type === 'directory') return;
    for await (const chunk of entry.body) {
      this.#checkAlive();
      if (!sink.write(chunk)) await once(sink, 'drain');
      yield* this.#take();
    }
    this.#checkAlive();
    sink.end(undefined);
    await once(sink, 'finish');
    yield* this.#take();
  }

  protected override async *atEnd(): AsyncGenerator<Buffer> {
    this.#pack.finalize();
    await once(this.#pack, 'end');
    yield Buffer.concat([...this.#take(), ...this.#held]);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // Always with an error: without one, `each` would wait for the packer for ever, with a body open.
    this.#pack.destroy(error ?? abortError());
    super._destroy(error, callback);
  }

  /** A destroyed packer never calls back. */
  #checkAlive(): void {
    if (this.destroyed) throw abortError();
  }

  #expect({ name, size }: ArchiveEntry): void {
    const start = this.#entriesEnd;
    this.#entriesEnd += tarEntryBytes(name, size);
    // Readers in Go accept an archive that ends without the padding of its last entry.
    this.#entries.push({ start, bodyEnd: this.#entriesEnd - paddingOf(size), end: this.#entriesEnd });
  }

  /** The packed bytes that may be sent now. */
  #take(): Buffer[] {
    const taken = this.#packed;
    this.#packed = [];
    return taken.flatMap((piece) => this.#pass(piece));
  }

  /** The held bytes and this piece. Holds its last block back if an archive cut after it would look complete. */
  #pass(piece: Buffer): Buffer[] {
    this.#position += piece.length;
    const kept = this.#isInside(this.#position) ? 0 : Math.min(TAR_BLOCK, piece.length);
    const going = piece.subarray(0, piece.length - kept);
    const out = going.length === 0 ? [] : [this.#held.length === 0 ? going : Buffer.concat([...this.#held, going])];
    if (going.length > 0) this.#held = [];
    // A copy, so that a large chunk is not kept for its last block.
    if (kept > 0) this.#held.push(Buffer.from(piece.subarray(-kept)));
    return out;
  }

  /** Whether this position is inside the header or body of an entry. */
  #isInside(position: number): boolean {
    while ((this.#entries[0]?.end ?? Number.POSITIVE_INFINITY) <= position) this.#entries.shift();
    const [entry] = this.#entries;
    return entry !== undefined && position > entry.start && position < entry.bodyEnd;
  }
}

function abortError(): LadingError {
  return new LadingError('ERR_ABORTED', 'writing the archive was aborted');
}

function headerOf({ name, type, size, mode }: ArchiveEntry): Parameters<Pack['entry']>[0] {
  const owner = { uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) };
  const isDirectory = type === 'directory';
  return { name, type, size, mode: mode ?? (isDirectory ? DIRECTORY_MODE : FILE_MODE), ...owner };
}
