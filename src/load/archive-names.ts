import { setImmediate } from 'node:timers/promises';
import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { distinctRecords, type ImageRecord } from '../model/image-list.js';
import { readImageName } from '../model/reference.js';
import type { Warning } from '../survey/reports.js';
import type { WarningList } from '../survey/warning-list.js';

/** How many names are read before other work gets a turn. */
const NAMES_PER_TURN = 1000;

/** What to do about a name that cannot be used: refuse the archive, or only warn. */
export interface ArchiveNamesOptions {
  readonly strict: boolean;
  readonly warnings: WarningList;
}

/**
 * Reads the names that an archive gives to its images. A text that is no name, or that has the digest of another image,
 * costs only itself: it is dropped with a warning. If strict, it is an ERR_REFERENCE_INVALID.
 */
export class ArchiveNames {
  readonly #options: ArchiveNamesOptions;
  #read = 0;

  constructor(options: ArchiveNamesOptions) {
    this.#options = options;
  }

  /** The name in the annotations of a root: its full name, or else a `ref.name` that is more than a bare tag. */
  async ofRoot({ annotations, digest }: Descriptor): Promise<string | undefined> {
    const full = annotations?.[ANNOTATIONS.imageName] ?? '';
    const short = annotations?.[ANNOTATIONS.refName] ?? '';
    const name = await this.#nameOf(full, digest);
    if (name !== undefined || short === full || BARE_TAG.test(short)) return name;
    return await this.#nameOf(short, digest);
  }

  /** The names among the RepoTags of an image, each once. */
  async ofTags(repoTags: readonly unknown[], digest?: Digest): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const tag of repoTags) {
      const name = await this.#nameOf(tag, digest);
      if (name !== undefined) names.add(name);
    }
    return [...names];
  }

  /** An empty text means that there is no name. */
  async #nameOf(text: unknown, digest: Digest | undefined): Promise<string | undefined> {
    if (text === '') return undefined;
    this.#read += 1;
    if (this.#read % NAMES_PER_TURN === 0) await setImmediate();
    const read = typeof text === 'string' ? readImageName(text) : 'it is not a text';
    const fault = typeof read === 'string' ? read : digestFault(read.digest, digest);
    if (fault === undefined) return read.toString();
    this.#drop(typeof text === 'string' ? text : JSON.stringify(text), digest, fault);
    return undefined;
  }

  #drop(text: string, digest: Digest | undefined, fault: string): void {
    const { strict, warnings } = this.#options;
    const problem = (): string => `${digest ?? 'manifest.json'}: the name ${quote(text)} cannot be used: ${fault}`;
    const warning = (): Omit<Warning, 'code'> => ({
      message: `${problem()}; it was dropped`,
      ...(digest && { image: digest }),
    });
    if (!strict) return warnings.add('WARN_NAME_DROPPED', warning);
    throw new LadingError('ERR_REFERENCE_INVALID', problem(), { details: { name: text, ...(digest && { digest }) } });
  }
}

function digestFault(named: Digest | undefined, digest: Digest | undefined): string | undefined {
  return named === undefined || digest === undefined || named === digest
    ? undefined
    : 'it has the digest of another image';
}

/** The bare tag in the annotations of a root that has no name: it does not say which repository it belongs to. */
export function tagOf({ annotations }: Descriptor): string | undefined {
  const short = annotations?.[ANNOTATIONS.refName] ?? '';
  return BARE_TAG.test(short) && !NO_TAG.test(short) ? short : undefined;
}

/** What docker writes for no tag, and an image id, which no name has as its tag. */
const NO_TAG = /^(?:<none>|[0-9a-f]{64})$/;

/** A `ref.name` as tools write it, without control characters. It may not be a tag as docker has it (`1.0+git`). */
const BARE_TAG = /^[^\p{C}/:@]{1,255}$/u;

/**
 * One target for each name, for each tag of an image without a name, and for each digest without any. Throws
 * ERR_NAME_DUPLICATE if two images have one name.
 */
export function withoutRepeats(targets: readonly ImageRecord[]): readonly ImageRecord[] {
  const kept = new Map<string, ImageRecord>();
  for (const target of targets) {
    const key = target.name ?? `${target.descriptor.digest} ${target.tag ?? ''}`;
    const known = kept.get(key);
    if (known !== undefined && known.descriptor.digest !== target.descriptor.digest)
      throw duplicate(key, known, target);
    kept.set(key, target);
  }
  const distinct = new Set(distinctRecords([...kept.values()]));
  return [...kept.values()].filter((target) => distinct.has(target));
}

function duplicate(name: string, a: ImageRecord, b: ImageRecord): LadingError {
  const digests = [a.descriptor.digest, b.descriptor.digest];
  const message = `the archive gives the name ${quote(name)} to two images, ${digests.join(' and ')}`;
  return new LadingError('ERR_NAME_DUPLICATE', message, { details: { name, digests } });
}
