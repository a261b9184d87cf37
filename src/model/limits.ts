/** Caps on what a stranger's archive may ask of us. Every value is an option; the defaults are below with their source. */
export interface Limits {
  /** Bytes of one manifest, config or nested index. */
  readonly maxDocumentBytes: number;
  /** Bytes of `index.json` and of `manifest.json`. */
  readonly maxIndexBytes: number;
  /** Bytes of the `oci-layout` file. */
  readonly maxLayoutBytes: number;
  /** Levels of arrays and objects in one document. */
  readonly maxJsonDepth: number;
  /** Levels of indexes in one image. */
  readonly maxIndexDepth: number;
  /** Bytes of one descriptor of `index.json`, as compact JSON: the store keeps it. */
  readonly maxDescriptorBytes: number;
  /** Descriptors that one archive or image may lead to. */
  readonly maxDescriptors: number;
  /** Entries of one tar archive. */
  readonly maxEntries: number;
  /** Files and links of one archive that are neither blobs nor documents of a layout: what a docker-archive consists of. */
  readonly maxOtherEntries: number;
  /** Bytes of the names and link names of all these together. */
  readonly maxOtherNameBytes: number;
  /** Bytes of PAX records and GNU long names for one entry. */
  readonly maxEntryHeaderBytes: number;
  /** The same for the whole archive. */
  readonly maxHeaderBytes: number;
  /** PAX records of one header. */
  readonly maxPaxRecords: number;
  /** Bytes of one entry name. */
  readonly maxNameBytes: number;
  /** Layers of one image. */
  readonly maxLayers: number;
  /** Decompressed bytes for each compressed byte, once `ratioGraceBytes` were written. */
  readonly maxRatio: number;
  /** Decompressed bytes before `maxRatio` counts. */
  readonly ratioGraceBytes: number;
  /** Bytes of zeros after the end blocks. */
  readonly maxTrailingBytes: number;
  /** Bytes of the whole archive after decompression. */
  readonly maxArchiveBytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** The default of each limit. */
export const DEFAULT_LIMITS: Limits = {
  // distribution-spec: registries should accept manifests of at least 4 MiB, and in practice accept no larger.
  maxDocumentBytes: 4 * MIB,
  maxIndexBytes: 20 * MIB,
  maxLayoutBytes: 4 * KIB,
  maxJsonDepth: 64,
  maxIndexDepth: 16,
  maxDescriptorBytes: MIB,
  maxDescriptors: 100_000,
  maxEntries: 200_000,
  // Three files for each layer: fifty images of the 127 layers that Docker allows.
  maxOtherEntries: 20_000,
  maxOtherNameBytes: 8 * MIB,
  maxEntryHeaderBytes: MIB,
  // 80 bytes for each entry that there may be.
  maxHeaderBytes: 16 * MIB,
  // Image tools write a handful; the rest is room for extended attributes.
  maxPaxRecords: 1000,
  // PATH_MAX on Linux.
  maxNameBytes: 4096,
  maxLayers: 4096,
  // gzip cannot do better than about 1030:1; real archives stay under 20:1.
  maxRatio: 200,
  ratioGraceBytes: 64 * MIB,
  maxTrailingBytes: MIB,
  maxArchiveBytes: Number.POSITIVE_INFINITY,
};

/**
 * For content that a store has accepted: a load judged it, by whatever limits its caller set. Only the length of a text in
 * JavaScript stays (V8: 2^29 - 24): no load can have read a longer document.
 */
export const STORED_LIMITS: Limits = {
  ...(Object.fromEntries(
    Object.keys(DEFAULT_LIMITS).map((key) => [key, Number.POSITIVE_INFINITY]),
  ) as unknown as Limits),
  maxDocumentBytes: 2 ** 29 - 24,
};

/** The defaults with some of them replaced. */
export function limitsOf(changed: Partial<Limits> = {}): Limits {
  return { ...DEFAULT_LIMITS, ...changed };
}

/** Whether so many packed bytes have become more unpacked ones than they may. */
export function exceedsRatio(bytesIn: number, bytesOut: number, { ratioGraceBytes, maxRatio }: Limits): boolean {
  return bytesOut > ratioGraceBytes && bytesOut > bytesIn * maxRatio;
}
