import {
  DOCKER_MANIFEST_ENTRY,
  INDEX_ENTRY,
  LAYOUT_ENTRY,
  METADATA_ENTRIES,
  plainEntryName,
  THIN_ENTRY,
  THIN_INDEX_ENTRY,
} from './archive-layout.js';
import { LadingError, quote } from './errors.js';
import type { Limits } from './limits.js';

/* What people give to a load in place of an image archive, each told in a sentence of its own. */

const TWICE = 'packed twice; unpack it once, and load the result';
const ERROR_ANSWER = 'perhaps an error answer of a server; look at what was downloaded';

const TEXTS: readonly (readonly [head: RegExp, what: string])[] = [
  [/^\s*(?:<!doctype html|<html)/i, 'a web page, perhaps an error page of a server; look at what was downloaded'],
  [/^\s*<\?xml/, `XML, ${ERROR_ANSWER}`],
  [/^\s*[{[]\s*(?:["{}[\]]|$)/, `JSON, ${ERROR_ANSWER}`],
  // The name in a tar header has a NUL behind it, and seldom a space in it.
  [/^(?=[^]*\s)[\s\x20-\x7e\x80-\xff]+$/, 'text, perhaps an error message; look at what was downloaded'],
];

/** Magic numbers, in hexadecimal, a dot for any digit. That of bzip2 includes its first block: three letters are a text. */
const MAGICS: readonly (readonly [head: string, what: string])[] = [
  ['504b0304', 'a zip file; unzip it, and load the archive or the folder in it'],
  ['504b0506', 'a zip file that is empty'],
  ['377abcaf', 'a 7z file; unpack it, and load the archive or the folder in it'],
  ['52617221', 'a rar file; unpack it, and load the archive or the folder in it'],
  ['04224d18', 'packed with lz4; unpack it first: lz4 -dc < FILE | lading load'],
  ['4c5a4950', 'packed with lzip; unpack it first: lzip -dc < FILE | lading load'],
  ['5d0000', 'packed with lzma; unpack it first: lzma -dc < FILE | lading load'],
  ['1f9d', 'packed with compress; unpack it first: uncompress -c < FILE | lading load'],
  ...['1f8b', '28b52ffd', 'fd377a585a', '425a68..31', '425a68..17'].map((magic) => [magic, TWICE] as const),
  ['3037303730', 'a cpio archive; unpack it, and load the folder in it'],
  ['78617221', 'a xar file; unpack it, and load the archive or the folder in it'],
  ['213c617263683e0a', 'an ar file or a Debian package, not an archive of container images'],
  ['edabeedb', 'an RPM package, not an archive of container images'],
  ['68737173', 'a SquashFS image, not an archive of container images'],
  ['7f454c46', 'a program, not an archive of container images'],
];

/** The error of input that is no tar, by its first bytes; undefined if they do not tell what it is. */
export function knownBeginning(head: Uint8Array): LadingError | undefined {
  const bytes = Buffer.from(head);
  const [text, hex] = [bytes.toString('latin1'), bytes.toString('hex')];
  const what =
    MAGICS.find(([magic]) => new RegExp(`^${magic}`).test(hex))?.[1] ??
    TEXTS.find(([pattern]) => pattern.test(text))?.[1];
  if (what === undefined) return undefined;
  return new LadingError('ERR_ARCHIVE_FORMAT', `the input is no archive: it is ${what}`);
}

/** The error of input that is no tar. */
export function notATar(head: Uint8Array): LadingError {
  return knownBeginning(head) ?? new LadingError('ERR_ARCHIVE_FORMAT', 'the input is not a tar archive');
}

/** Refuses an archive whose entries, of these plain names, make neither an OCI layout nor a docker-archive. */
export function checkDocuments(names: Iterable<string>): void {
  const found = new Set<string>();
  let below: string | undefined;
  for (const name of names) {
    if (METADATA_ENTRIES.includes(name)) found.add(name);
    else if (METADATA_ENTRIES.some((document) => name.endsWith(`/${document}`))) below ??= name;
  }
  if (found.has(DOCKER_MANIFEST_ENTRY) || isPair(found, INDEX_ENTRY, LAYOUT_ENTRY)) return;
  if (isPair(found, THIN_ENTRY, THIN_INDEX_ENTRY)) return;
  throw new LadingError('ERR_ARCHIVE_FORMAT', found.size > 0 ? half(found) : withoutDocuments(below));
}

function isPair(found: ReadonlySet<string>, ...names: readonly string[]): boolean {
  return names.every((name) => found.has(name));
}

function half(found: ReadonlySet<string>): string {
  if (found.has(THIN_ENTRY)) return `the archive is not a complete thin archive: it has no ${THIN_INDEX_ENTRY}`;
  if (found.has(THIN_INDEX_ENTRY)) return `the archive is not a complete thin archive: it has no ${THIN_ENTRY}`;
  const missing = found.has(INDEX_ENTRY) ? LAYOUT_ENTRY : INDEX_ENTRY;
  return `the archive is not a complete OCI layout: it has no ${missing}`;
}

function withoutDocuments(below: string | undefined): string {
  const message =
    'the archive is neither an OCI layout nor a docker-archive: it has no index.json and no manifest.json';
  if (below === undefined) return message;
  const folder = plainEntryName(below).split('/').slice(0, -1).join('/');
  return `${message} at its top, only ${quote(below)}; load that folder, or pack it: tar -C ${quote(folder)} -c . | lading load`;
}

/** The error of a folder with the files of a docker-archive, whose layers may have any name. */
export function unpackedDockerArchive(folder: string): LadingError {
  const message = `${quote(folder)} is an unpacked docker-archive, and no OCI layout; pack it: tar -C ${quote(folder)} -c . | lading load`;
  return new LadingError('ERR_ARCHIVE_FORMAT', message);
}

/** Refuses a `manifest.json` that is not that of a docker-archive but of one image, as skopeo's `dir:` has it. */
export function refuseDirForm(manifestJson: unknown): void {
  if (typeof manifestJson !== 'object' || manifestJson === null || !('schemaVersion' in manifestJson)) return;
  const message =
    'this is a folder in the "dir:" form of skopeo: its manifest.json is the manifest of one image; ' +
    'convert it first: skopeo copy dir:FOLDER oci:LAYOUT:TAG';
  throw new LadingError('ERR_ARCHIVE_FORMAT', message);
}

/** Refuses an archive of which so many bytes came before any of its documents. Throws ERR_LIMIT_BYTES. */
export function checkStaged(bytes: number, { maxStagedBytes }: Pick<Limits, 'maxStagedBytes'>): void {
  if (bytes <= maxStagedBytes) return;
  const message = `the archive has ${bytes} bytes before any of its documents, more than ${maxStagedBytes}`;
  throw new LadingError('ERR_LIMIT_BYTES', `${message}; is it an archive of images?`);
}
