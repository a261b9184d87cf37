import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { Stage } from '../flow/stage.js';
import type { Limits } from '../model/limits.js';
import { inTurns } from './in-turns.js';
import { isDamaged } from './unpack-errors.js';
import { PIECE_BYTES, ZlibDriver } from './zlib-driver.js';
import { ZstdFrames } from './zstd-frames.js';
import { ZstdWasm } from './zstd-wasm.js';

/** What unpacks the frames of data. */
interface FrameDecoder {
  readonly pass: (bytes: Buffer) => AsyncIterable<Buffer>;
  readonly destroy?: () => void;
}

/** The widest window for which zstddec's libzstd takes memory: the same as that of zstd(1) without `--long`. */
const WASM_WINDOW_BYTES = 128 * 1024 * 1024;

/**
 * Unpacks zstd: all frames, with skippable ones anywhere. By zlib where Node.js has zstd (from 22.15 on), else by
 * zstddec. Holds the window that the widest frame asks for, 8 MiB as a rule, `maxWindowBytes` at most.
 */
export class Unzstd extends Stage<Buffer, Buffer> {
  readonly #frames: ZstdFrames;
  #decoder: FrameDecoder | undefined;

  constructor({ maxWindowBytes }: Pick<Limits, 'maxWindowBytes'>) {
    super({ objectMode: false });
    const isNative = openNative !== undefined;
    this.#frames = new ZstdFrames(isNative ? maxWindowBytes : Math.min(maxWindowBytes, WASM_WINDOW_BYTES));
  }

  protected override async *each(chunk: Buffer): AsyncGenerator<Buffer> {
    this.#decoder ??= openNative?.() ?? inTurnsOf(await ZstdWasm.start());
    for (const bytes of this.#frames.take(chunk)) yield* this.#decoder.pass(bytes);
  }

  protected override atEnd(): readonly Buffer[] {
    this.#frames.end();
    return [];
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#decoder?.destroy?.();
    super._destroy(error, callback);
  }
}

function inTurnsOf(decoder: ZstdWasm): FrameDecoder {
  return { pass: (bytes) => inTurns(decoder.pass(bytes)) };
}

/** Node has zstd from 22.15 on; the type definitions of older releases lack it. */
const native = zlib as typeof zlib & {
  readonly createZstdDecompress?: (options: { chunkSize: number; params: Record<number, number> }) => Transform;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
};

const { createZstdDecompress } = native;

const openNative = createZstdDecompress && (() => new NativeZstd(createZstdDecompress));

/** zlib takes what one write has behind a frame for the end, so it needs one write for each frame. */
class NativeZstd implements FrameDecoder {
  readonly #driver: ZlibDriver;

  constructor(create: NonNullable<typeof createZstdDecompress>) {
    // `ZstdFrames` has judged the windows.
    const params = { [native.constants.ZSTD_d_windowLogMax ?? 0]: 31 };
    this.#driver = new ZlibDriver(create({ chunkSize: PIECE_BYTES, params }));
  }

  async *pass(bytes: Buffer): AsyncGenerator<Buffer> {
    try {
      yield* this.#driver.pass(bytes);
    } catch (cause) {
      throw isDamaged((cause as Error).message, cause);
    }
  }

  destroy(): void {
    this.#driver.destroy();
  }
}
