import type { LoadOptions } from '../../src/load/load-images.js';
import type { ErrorCode } from '../../src/model/errors.js';
import type { WarningCode } from '../../src/survey/reports.js';
import { layoutEntries, type LayoutImage } from '../fixtures/archive-builder.js';
import { blobPath, inOrder, jsonEntry } from '../fixtures/archive-entries.js';
import { example, type Example } from '../fixtures/example.js';
import { endBlocks, tarOf, type TarEntry } from '../fixtures/tar-builder.js';

/** An archive as bytes, or, if it is too large for memory, as a function that opens a new stream of it. */
export type Archive = Buffer | (() => AsyncIterable<Buffer>);

/** The result of a load that accepts the archive. */
export interface Accepted {
  /** The full names of the images, sorted; an empty text for an image without a name. */
  readonly names: readonly string[];
  readonly warnings: readonly WarningCode[];
}

/** The result of a case, the same through library, command and server and in every order of the entries. */
export type Verdict = ErrorCode | Accepted;

/** The input of a case: entries, whose order must not matter, or one archive as it is. */
type Made = readonly TarEntry[] | Archive;

/**
 * One line of a family's table: what is wrong (or only unusual), the result, and how to make the archive. Options are
 * those that the command has too: `strict`. `npm test` leaves out a case with `isLarge`.
 */
export type CorpusCase = readonly [
  what: string,
  verdict: Verdict,
  make: () => Made | Promise<Made>,
  options?: Pick<LoadOptions, 'strict'> & { readonly isLarge?: boolean },
];

/** The verdict of an archive that is accepted, with these names of images; by default that of the base image. */
export function loads(names: readonly string[] = [BASE_NAME], warnings: readonly WarningCode[] = []): Accepted {
  return { names: names.toSorted(), warnings };
}

/** The same archive in all its forms, by the name of the form. The form must make no difference. */
export async function formsOf(made: Made): Promise<ReadonlyMap<string, Archive>> {
  if (typeof made === 'function' || Buffer.isBuffer(made)) return new Map([['as it is', made]]);
  const orders = ['metadata-first', 'blobs-first', 3] as const;
  const archives = orders.map(async (order) => [`order ${order}`, await tarOf(inOrder(made, order))] as const);
  return new Map(await Promise.all(archives));
}

/** The name of the image that most cases are made from. */
export const BASE_NAME = 'docker.io/example/app:1';

/** The base image: small, with two platforms. Cases break a part of it. */
export function base(): Example {
  return example({ seed: 'corpus', platforms: ['linux/amd64', 'linux/arm64'], layers: 2, layerBytes: 1500 });
}

/** The same with one platform, so that a missing blob leaves no complete platform. */
export function single(): Example {
  return example({ seed: 'corpus', platforms: ['linux/amd64'], layers: 2, layerBytes: 1500 });
}

/** The entries of an example's layout. */
export function entriesOf({ images, blobs }: Pick<Example, 'images' | 'blobs'>): TarEntry[] {
  return layoutEntries(images, blobs);
}

/** The entries of the base image, each as `change` returns it; `undefined` removes an entry. */
export function changed(change: (entry: TarEntry) => TarEntry | undefined, built = base()): readonly TarEntry[] {
  return entriesOf(built)
    .map(change)
    .filter((entry) => entry !== undefined);
}

/** The base image with another body in one of its entries. */
export function withBody(name: string, body: Uint8Array | string): readonly TarEntry[] {
  return changed((entry) => (entry.name === name ? { ...entry, body: Buffer.from(body) } : entry));
}

/** The base image and more entries. */
export function withEntries(...extra: readonly TarEntry[]): readonly TarEntry[] {
  return [...entriesOf(base()), ...extra];
}

/** The base image with the bytes of one blob changed. */
export function withBlob(
  pick: (built: Example) => { readonly digest: Example['root']['digest'] },
  change: (body: Buffer) => Uint8Array | undefined,
  built = base(),
): readonly TarEntry[] {
  const name = blobPath(pick(built).digest);
  return changed((entry) => {
    if (entry.name !== name) return entry;
    const body = change(Buffer.from(entry.body ?? []));
    return body && { ...entry, body };
  }, built);
}

/** The archive of the base image, with these parts before its end blocks. */
export async function archiveWith(...parts: readonly Uint8Array[]): Promise<Buffer> {
  return Buffer.concat([(await baseArchive()).subarray(0, -1024), ...parts, endBlocks()]);
}

/** The base image as an archive. */
export async function baseArchive(): Promise<Buffer> {
  return await tarOf(entriesOf(base()));
}

/** A layout whose `index.json` lists these images. */
export function layoutOf(images: readonly LayoutImage[], blobs: Example['blobs']): readonly TarEntry[] {
  return layoutEntries(images, blobs);
}

/** A layout whose `index.json` is this value or text, with the blobs of the base image. */
export function withIndex(value: unknown): readonly TarEntry[] {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return withBody('index.json', value);
  return changed((entry) => (entry.name === 'index.json' ? jsonEntry('index.json', value) : entry));
}

/** The same bytes with their last one changed. */
export function flipped(body: Buffer): Buffer {
  const bytes = Buffer.from(body);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes;
}

/** `bytes` bytes of one value, in chunks. */
export async function* repeated(bytes: number, value = 0): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(Math.min(bytes, 1024 * 1024), value);
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length));
}

/** Several parts one after the other. */
export async function* joined(...parts: readonly (Buffer | AsyncIterable<Buffer>)[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    if (Buffer.isBuffer(part)) yield part;
    else yield* part;
  }
}
