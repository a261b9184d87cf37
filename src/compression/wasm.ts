/** The memory of a WebAssembly module, as far as we use it. The types of Node.js and of ES2023 have no WebAssembly. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A module that can be started more than once, each time with memory of its own. */
export type WasmModule = object;

/** A started module. */
export interface WasmInstance<Exports> {
  readonly exports: Exports;
}

/** Starts a module with memory of its own, which is free again once nobody has the instance. */
export async function startWasm<Exports>(module: WasmModule, imports: object): Promise<WasmInstance<Exports>> {
  return await (globalThis as unknown as WithWasm<Exports>).WebAssembly.instantiate(module, imports);
}

interface WithWasm<Exports> {
  readonly WebAssembly: {
    readonly instantiate: (module: WasmModule, imports: object) => Promise<WasmInstance<Exports>>;
  };
}
