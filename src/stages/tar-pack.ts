import { once } from 'node:events';
import { pack, type Pack } from 'tar-stream';
import { LadingError } from '../model/errors.js';
import type { ArchiveEntry } from './records.js';
import { Stage } from './stage.js';

const FILE_MODE = 0o444;
const DIRECTORY_MODE = 0o755;

/**
 * Entries to tar bytes: headers, bodies, padding, end blocks. Owner, group and time are zero, so that the same entries give
 * the same bytes. Holds one chunk of one body.
 */
export class TarPack extends Stage<ArchiveEntry, Buffer> {
  readonly #pack: Pack = pack();
  /** What the packer gave and this stage has not yet passed on: one header or one chunk. */
  #packed: Buffer[] = [];

  constructor() {
    super({
      objectMode: false,
      writableObjectMode: true,
      writableHighWaterMark: 1,
      readableHighWaterMark: 256 * 1024,
    });
    this.#pack.on('error', (error: Error) => this.destroy(error));
    // The packer gives Buffers; its type definitions say unknown.
    this.#pack.on('data', (chunk: unknown) => void this.#packed.push(chunk as Buffer));
  }

  protected override async *each(entry: ArchiveEntry): AsyncGenerator<Buffer> {
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
    yield* this.#take();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // With an error in any case: without one, whoever waits for the packer would wait for ever, its body open.
    this.#pack.destroy(error ?? givenUp());
    super._destroy(error, callback);
  }

  /** A packer that was destroyed answers nothing any more. */
  #checkAlive(): void {
    if (this.destroyed) throw givenUp();
  }

  #take(): Buffer[] {
    const taken = this.#packed;
    this.#packed = [];
    return taken;
  }
}

function givenUp(): LadingError {
  return new LadingError('ERR_ABORTED', 'the archive was given up');
}

function headerOf({ name, type, size, mode }: ArchiveEntry): Parameters<Pack['entry']>[0] {
  const owner = { uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) };
  const isDirectory = type === 'directory';
  return { name, type, size, mode: mode ?? (isDirectory ? DIRECTORY_MODE : FILE_MODE), ...owner };
}
