import { isDamaged } from './unpack-errors.js';
import { startWasm, type WasmMemory, type WasmModule } from './wasm.js';

/** The functions of libzstd that we call; `*` in its headers is a number here. Sizes above -128 are error codes. */
interface Libzstd {
  readonly memory: WasmMemory;
  readonly malloc: (bytes: number) => number;
  readonly ZSTD_createDCtx: () => number;
  readonly ZSTD_decompressStream: (context: number, output: number, input: number) => number;
}

/** Bytes of one piece of input, and of output: what libzstd recommends. */
const IN_BYTES = 128 * 1024;
const OUT_BYTES = 128 * 1024;

/** A `ZSTD_inBuffer` or `ZSTD_outBuffer`: address, size, position. */
const BUFFER_BYTES = 12;

/**
 * libzstd, compiled to WebAssembly by the package zstddec, for Node.js without zstd. Has memory of its own: the window
 * of the widest frame so far, 16 MiB at least, most of it untouched. Checks the checksums of frames.
 */
export class ZstdWasm {
  readonly #lib: Libzstd;
  readonly #context: number;
  readonly #in: number;
  readonly #out: number;
  readonly #input: number;
  readonly #output: number;

  constructor(lib: Libzstd) {
    this.#lib = lib;
    this.#context = lib.ZSTD_createDCtx();
    this.#in = lib.malloc(IN_BYTES);
    this.#out = lib.malloc(OUT_BYTES);
    this.#input = lib.malloc(BUFFER_BYTES);
    this.#output = lib.malloc(BUFFER_BYTES);
  }

  static async start(): Promise<ZstdWasm> {
    const imports = { env: { emscripten_notify_memory_growth: () => {} } };
    return new ZstdWasm((await startWasm<Libzstd>(await loadModule(), imports)).exports);
  }

  /** What these bytes unpack to, in pieces that may be empty. Throws ERR_COMPRESSED_DATA. */
  *pass(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += IN_BYTES) yield* this.#passPart(bytes.subarray(at, at + IN_BYTES));
  }

  *#passPart(bytes: Buffer): Generator<Buffer> {
    new Uint8Array(this.#lib.memory.buffer).set(bytes, this.#in);
    this.#set(this.#input, this.#in, bytes.length);
    // Full output may mean that there is more, also if all input was taken.
    for (let isFull = true; isFull || this.#position(this.#input) < bytes.length;) {
      this.#set(this.#output, this.#out, OUT_BYTES);
      const result = this.#lib.ZSTD_decompressStream(this.#context, this.#output, this.#input);
      if (result < 0 && result > -128) throw isDamaged(`zstd error ${-result}`);
      const size = this.#position(this.#output);
      yield Buffer.from(new Uint8Array(this.#lib.memory.buffer, this.#out, size));
      isFull = size === OUT_BYTES;
    }
  }

  #set(buffer: number, address: number, size: number): void {
    new Uint32Array(this.#lib.memory.buffer, buffer, 3).set([address, size, 0]);
  }

  #position(buffer: number): number {
    return new Uint32Array(this.#lib.memory.buffer, buffer, 3)[2] ?? 0;
  }
}

let loaded: Promise<WasmModule> | undefined;

/** The compiled module. The package hides it; it shows it only to `_init`, which its types declare. */
async function loadModule(): Promise<WasmModule> {
  loaded ??= import('zstddec/stream').then(async ({ ZSTDDecoder }) => {
    const decoder = new ZSTDDecoder();
    const init = decoder._init.bind(decoder);
    return await new Promise<WasmModule>((resolve, reject) => {
      decoder._init = (result) => {
        init(result);
        resolve((result as { readonly module: WasmModule }).module);
      };
      decoder.init().catch(reject);
    });
  });
  return await loaded;
}
