import { optionsOf, withDefaults, wholeNumber, type Rule } from './rules.js';

/** Limits for archives from unknown sources. Every value is an option; the defaults are below with their source. */
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
  /** Bytes of one descriptor of `index.json`, as compact JSON. The store keeps each of them. */
  readonly maxDescriptorBytes: number;
  /** Descriptors that all documents of one archive or image contain together. */
  readonly maxDescriptors: number;
  /** Entries of one tar archive. */
  readonly maxEntries: number;
  /** Files and links of one archive, except blobs and documents of a layout. A docker-archive consists of these. */
  readonly maxOtherEntries: number;
  /** Bytes of the names and link names of these files and links together. */
  readonly maxOtherNameBytes: number;
  /** Bytes of PAX records and GNU long names for one entry. */
  readonly maxEntryHeaderBytes: number;
  /** Bytes of PAX records and GNU long names for the whole archive. */
  readonly maxHeaderBytes: number;
  /** PAX records of one header. */
  readonly maxPaxRecords: number;
  /** Bytes of one entry name. */
  readonly maxNameBytes: number;
  /** Layers of one image. */
  readonly maxLayers: number;
  /** Decompressed bytes for each compressed byte. Applies after `ratioGraceBytes`. */
  readonly maxRatio: number;
  /** Decompressed bytes before `maxRatio` applies. */
  readonly ratioGraceBytes: number;
  /** Bytes that zstd may need in memory to look back. For xz it is always 64 MiB, for bzip2 900 kB. */
  readonly maxWindowBytes: number;
  /** Bytes of zeros after the end blocks. */
  readonly maxTrailingBytes: number;
  /** Bytes that a load writes before an archive from a pipe has shown one of its documents. */
  readonly maxStagedBytes: number;
  /** Bytes of the whole archive after decompression. */
  readonly maxArchiveBytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** The default of each limit. */
export const DEFAULT_LIMITS: Limits = {
  // distribution-spec: registries should accept manifests of at least 4 MiB. In practice they accept no larger ones.
  maxDocumentBytes: 4 * MIB,
  maxIndexBytes: 20 * MIB,
  maxLayoutBytes: 4 * KIB,
  maxJsonDepth: 64,
  maxIndexDepth: 16,
  maxDescriptorBytes: MIB,
  maxDescriptors: 100_000,
  maxEntries: 200_000,
  // Enough for 50 images of 127 layers (Docker's maximum) with three files each.
  maxOtherEntries: 20_000,
  maxOtherNameBytes: 8 * MIB,
  maxEntryHeaderBytes: MIB,
  // 80 bytes for each of `maxEntries`.
  maxHeaderBytes: 16 * MIB,
  // Image tools write a handful; the rest is room for extended attributes.
  maxPaxRecords: 1000,
  // PATH_MAX on Linux.
  maxNameBytes: 4096,
  maxLayers: 4096,
  // gzip cannot do better than about 1030:1; real archives stay under 20:1.
  maxRatio: 200,
  ratioGraceBytes: 64 * MIB,
  // zstd(1) takes no more either, unless `--long` or `--memory` tells it to.
  maxWindowBytes: 128 * MIB,
  maxTrailingBytes: MIB,
  // Archives with their documents last are real; what has none after 64 GiB is likely something else.
  maxStagedBytes: 64 * 1024 * MIB,
  maxArchiveBytes: Number.POSITIVE_INFINITY,
};

/**
 * For documents of a store. Loads have checked them with the limits of their callers, so these are the highest that a
 * caller may set. A filter may have skipped a document, so that a hostile one can be as large as this.
 */
export const STORED_LIMITS: Limits = {
  ...(Object.fromEntries(
    Object.keys(DEFAULT_LIMITS).map((key) => [key, Number.POSITIVE_INFINITY]),
  ) as unknown as Limits),
  maxDocumentBytes: 32 * MIB,
  maxJsonDepth: 1024,
};

const LIMIT_NAMES = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];

/** A collection could not read what was loaded with a document limit above `STORED_LIMITS`. */
const LIMIT_RULES = Object.fromEntries(LIMIT_NAMES.map((name) => [name, wholeNumber(STORED_LIMITS[name])])) as Readonly<
  Record<keyof Limits, Rule>
>;

/** Limits as an option: some of them. */
export const SOME_LIMITS: Rule = optionsOf<Limits>(LIMIT_RULES);

/** Limits as an argument: all of them. */
export const ALL_LIMITS: Rule = optionsOf<Limits>(LIMIT_RULES, LIMIT_NAMES);

/** The defaults with some of them replaced. Throws ERR_OPTION_INVALID for a limit that cannot be one. */
export function limitsOf(changed: Partial<Limits> = {}): Limits {
  SOME_LIMITS(changed, 'limits');
  return withDefaults(DEFAULT_LIMITS, changed);
}

/** Whether `bytesIn` packed bytes became more unpacked bytes than the limits allow. */
export function exceedsRatio(bytesIn: number, bytesOut: number, { ratioGraceBytes, maxRatio }: Limits): boolean {
  return bytesOut > ratioGraceBytes && bytesOut > bytesIn * maxRatio;
}
