import { endsEarly, goesOn, isDamaged, isUnsupported, needsMemory } from './unpack-errors.js';
import type { WasmInstance, WasmMemory } from './wasm.js';
import { XzTail } from './xz-tail.js';

/** The functions of the package's xz-embedded. A context has two buffers and their sizes and positions. */
interface XzEmbedded {
  readonly memory: WasmMemory;
  readonly create_context: () => number;
  readonly supply_input: (context: number, bytes: number) => void;
  readonly get_next_output: (context: number) => number;
}

/** The fields of a context, as 32-bit words. */
const FIELD = { bufferBytes: 0, input: 1, inputPosition: 2, inputSize: 3, output: 4, outputPosition: 5 };

/** Results of xz-embedded. */
const RESULT = { ok: 0, end: 1, noMemory: 3, memoryLimit: 4, format: 5, options: 6, data: 7, input: 8 };

/** The largest dictionary for which it takes memory: that of `xz -9`. */
const MAX_DICTIONARY_BYTES = 64 * 1024 * 1024;

const COMMAND = { compression: 'xz', command: 'xz -d' };

/**
 * xz-embedded, compiled to WebAssembly by the package xz-decompress. Reads streams one after another, with padding
 * between them, and checks CRC32 and CRC64. Has memory of its own: the dictionary, 64 MiB at most, and two buffers.
 */
export class XzWasm {
  readonly #lib: XzEmbedded;
  readonly #context: number;
  readonly #tail = new XzTail();

  constructor(lib: XzEmbedded) {
    this.#lib = lib;
    this.#context = lib.create_context();
  }

  static async start(): Promise<XzWasm> {
    const started = last.then(startFresh);
    last = started.catch(() => {});
    return new XzWasm((await started).exports);
  }

  /** What these bytes unpack to. Throws ERR_COMPRESSED_DATA, ERR_COMPRESSION_UNSUPPORTED. */
  *pass(bytes: Buffer): Generator<Buffer> {
    const partBytes = this.#field(FIELD.bufferBytes);
    for (let at = 0; at < bytes.length; at += partBytes) {
      const part = bytes.subarray(at, at + partBytes);
      new Uint8Array(this.#lib.memory.buffer).set(part, this.#field(FIELD.input));
      this.#lib.supply_input(this.#context, part.length);
      this.#tail.add(part);
      do yield this.#step().piece;
      while (this.#field(FIELD.inputPosition) < part.length);
    }
  }

  /** What is left when all bytes have come. Throws ERR_ARCHIVE_TRUNCATED too. */
  *end(): Generator<Buffer> {
    this.#lib.supply_input(this.#context, 0);
    for (;;) {
      const { piece, result } = this.#step();
      yield piece;
      if (result === RESULT.end) return;
      if (piece.length === 0) throw this.#errorOf(RESULT.input);
    }
  }

  #step(): { readonly piece: Buffer; readonly result: number } {
    const result = this.#lib.get_next_output(this.#context);
    if (result !== RESULT.ok && result !== RESULT.end) throw this.#errorOf(result);
    const size = this.#field(FIELD.outputPosition);
    // A copy: the buffer is used again.
    const piece = Buffer.from(new Uint8Array(this.#lib.memory.buffer, this.#field(FIELD.output), size));
    this.#words()[FIELD.outputPosition] = 0;
    return { piece, result };
  }

  #errorOf(result: number): Error {
    return this.#tail.hasMore() ? goesOn() : errorOf(result);
  }

  #field(at: number): number {
    return this.#words()[at] ?? 0;
  }

  #words(): Uint32Array {
    return new Uint32Array(this.#lib.memory.buffer, this.#context, 7);
  }
}

function errorOf(result: number): Error {
  if (result === RESULT.input) return endsEarly();
  if (result === RESULT.memoryLimit || result === RESULT.noMemory) {
    return needsMemory(COMMAND, { maxBytes: MAX_DICTIONARY_BYTES });
  }
  // A check such as SHA-256, or a filter for machine code.
  if (result === RESULT.options) return isUnsupported('needs a filter or check of xz that few use', 'xz', 'xz -d');
  if (result === RESULT.data) return isDamaged('its xz data does not have the form or the checksum that it should');
  // The first stream has the magic number.
  return result === RESULT.format ? goesOn() : isDamaged(`xz error ${result}`);
}

/** The package keeps each new instance in one place, so they are started one after another. */
let last: Promise<unknown> = Promise.resolve();

interface XzModule {
  readonly XzReadableStream: {
    readonly _getModuleInstance: () => Promise<void>;
    readonly _moduleInstance: WasmInstance<XzEmbedded>;
  };
}

/** The package's own stream takes only one xz stream, and lets only one reader of the process work at a time. */
async function startFresh(): Promise<WasmInstance<XzEmbedded>> {
  const { default: module } = (await import('xz-decompress')) as unknown as { readonly default: XzModule };
  await module.XzReadableStream._getModuleInstance();
  return module.XzReadableStream._moduleInstance;
}
