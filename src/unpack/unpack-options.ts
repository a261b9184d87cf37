import { SOME_LIMITS, type Limits } from '../model/limits.js';
import type { Platform } from '../model/platform.js';
import {
  CALLBACK,
  FLAG,
  OBJECT,
  oneOf,
  optionsOf,
  PLATFORM,
  SIGNAL,
  textOr,
  wholeNumber,
  type Rule,
} from '../model/rules.js';
import type { Ownership, UnpackReport } from './report-shapes.js';

/** Where an unpacking is. */
export interface UnpackProgress {
  /** `plan`: the layers are read for the first time, and bytes are those stored. `write`: bytes are those of files. */
  readonly phase: 'plan' | 'write';
  /** The layer that is being read, counted from 1, and how many there are. */
  readonly layer: number;
  readonly layers: number;
  readonly bytes: number;
  readonly total: number;
  /** `plan`: entries of layers that have been read. `write`: those of all layers. */
  readonly entries: number;
}

/** The order of a flat tar: all directories at the end, or each before its first child. */
export type TarOrder = 'directories-last' | 'parents-first';

/** What to unpack of an image, and how. */
export interface UnpackOptions {
  /** Exactly one platform, as a text or an OCI object. Default `local`: the best for the host. */
  readonly platform?: string | Platform;
  readonly hostPlatform?: Platform;
  /** Of a directory. Default: `keep` for root, `caller` for others. */
  readonly owner?: Ownership;
  /** False: regular files lose their set-id bits and file capabilities. Default true. */
  readonly setId?: boolean;
  /** True: fails before anything is written if something would be left out. Default false. */
  readonly strict?: boolean;
  /** Of a flat tar. Default `directories-last`. */
  readonly order?: TarOrder;
  /** True: an OCI runtime bundle, a directory (0700) of `rootfs` and `config.json`. Default false. */
  readonly bundle?: boolean;
  /** Of a directory: whether to wait until all is on stable storage. Default false. */
  readonly sync?: boolean;
  /** Names in the tree and in one layer. Default 500 000; more need more memory. */
  readonly maxNames?: number;
  readonly limits?: Partial<Limits>;
  readonly onProgress?: (progress: UnpackProgress) => void;
  /** Of a flat tar: called with the report before the first byte. */
  readonly onReport?: (report: UnpackReport) => void;
  readonly signal?: AbortSignal;
}

/** Rules of the options of an unpacking. */
export const UNPACK_OPTIONS: Rule = optionsOf<UnpackOptions>({
  // What is wrong with a platform itself is ERR_PLATFORM_INVALID.
  platform: textOr(OBJECT),
  hostPlatform: PLATFORM,
  owner: oneOf('keep', 'caller'),
  setId: FLAG,
  strict: FLAG,
  order: oneOf('directories-last', 'parents-first'),
  bundle: FLAG,
  sync: FLAG,
  maxNames: wholeNumber(),
  limits: SOME_LIMITS,
  onProgress: CALLBACK,
  onReport: CALLBACK,
  signal: SIGNAL,
});
