import { jsonLine } from './json-line.js';

/** What the caller can do about an error. One category maps to one exit status and one family of HTTP statuses. */
export type ErrorCategory =
  | 'invalid-argument'
  | 'invalid-archive'
  | 'integrity'
  | 'limit'
  | 'not-found'
  | 'conflict'
  | 'storage'
  | 'unsupported'
  | 'trust'
  | 'network'
  | 'aborted';

/** Every error code with its category. `docs/errors.md` adds cause and remedy; a test compares the codes. */
export const ERROR_CODES = {
  ERR_REFERENCE_INVALID: 'invalid-argument',
  ERR_REFERENCE_AMBIGUOUS: 'invalid-argument',
  ERR_PLATFORM_INVALID: 'invalid-argument',
  ERR_DIGEST_INVALID: 'invalid-argument',
  ERR_OPTION_INVALID: 'invalid-argument',
  ERR_TARGET_UNSUPPORTED: 'invalid-argument',
  ERR_KEY_INVALID: 'invalid-argument',
  ERR_POLICY_INVALID: 'invalid-argument',
  ERR_ARCHIVE_FORMAT: 'invalid-archive',
  ERR_ARCHIVE_TRUNCATED: 'invalid-archive',
  ERR_TAR_HEADER: 'invalid-archive',
  ERR_TAR_ENTRY: 'invalid-archive',
  ERR_COMPRESSED_DATA: 'invalid-archive',
  ERR_DOCUMENT_INVALID: 'invalid-archive',
  ERR_DESCRIPTOR_INVALID: 'invalid-archive',
  ERR_DIGEST_MISMATCH: 'integrity',
  ERR_SIZE_MISMATCH: 'integrity',
  ERR_MEDIA_TYPE: 'integrity',
  ERR_DIFF_ID_MISMATCH: 'integrity',
  ERR_PLATFORM_MISMATCH: 'integrity',
  ERR_LIMIT_DOCUMENT: 'limit',
  ERR_LIMIT_ENTRIES: 'limit',
  ERR_LIMIT_DEPTH: 'limit',
  ERR_LIMIT_RATIO: 'limit',
  ERR_LIMIT_BYTES: 'limit',
  ERR_LIMIT_DESCRIPTORS: 'limit',
  ERR_IMAGE_UNKNOWN: 'not-found',
  ERR_BLOB_MISSING: 'not-found',
  ERR_BASE_MISSING: 'not-found',
  ERR_PLATFORM_UNAVAILABLE: 'not-found',
  ERR_SOURCE_UNKNOWN: 'not-found',
  ERR_USER_UNKNOWN: 'not-found',
  ERR_NAME_CONFLICT: 'conflict',
  ERR_NAME_DUPLICATE: 'conflict',
  ERR_TARGET_EXISTS: 'conflict',
  ERR_NO_SPACE: 'storage',
  ERR_STORAGE_IO: 'storage',
  ERR_STORE_READONLY: 'storage',
  ERR_STORE_TAMPERED: 'storage',
  ERR_STORE_UNSAFE: 'storage',
  ERR_STORE_VERSION: 'storage',
  ERR_COMPRESSION_UNSUPPORTED: 'unsupported',
  ERR_FORMAT_UNSUPPORTED: 'unsupported',
  ERR_UNPACK_INCOMPLETE: 'unsupported',
  ERR_STORE_UNSUPPORTED: 'unsupported',
  ERR_SIGNATURE_MISSING: 'trust',
  ERR_SIGNATURE_INVALID: 'trust',
  ERR_ATTESTATION_MISSING: 'trust',
  ERR_DIGEST_REFUSED: 'trust',
  ERR_POLICY_DENIED: 'trust',
  ERR_LOAD_VETOED: 'trust',
  ERR_CREDENTIALS: 'invalid-argument',
  ERR_REGISTRY_UNREACHABLE: 'network',
  ERR_REGISTRY_TLS: 'network',
  ERR_REGISTRY_AUTH: 'network',
  ERR_REGISTRY_DENIED: 'network',
  ERR_REGISTRY_RATE: 'network',
  ERR_REGISTRY_UNAVAILABLE: 'network',
  ERR_REGISTRY_PROTOCOL: 'network',
  ERR_REGISTRY_REFUSED: 'network',
  ERR_REDIRECT_REFUSED: 'network',
  ERR_ABORTED: 'aborted',
} as const satisfies Record<string, ErrorCategory>;

/** A stable code. Callers compare the code, never the message. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Optional parts of an error: facts for programs (`details`) and the error that led to it (`cause`). */
export interface LadingErrorOptions {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The only error class of the library. `name` is `AbortError` for ERR_ABORTED, as in Node's own aborts. */
export class LadingError extends Error {
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: LadingErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code === 'ERR_ABORTED' ? 'AbortError' : 'LadingError';
    this.code = code;
    this.category = ERROR_CODES[code];
    this.details = options.details ?? {};
  }
}

/** Whether the error means bad content. False where the content is missing or could not be read. */
export function isDamage(error: unknown): error is LadingError {
  return error instanceof LadingError && ['integrity', 'invalid-archive', 'limit'].includes(error.category);
}

/** What was thrown, as an Error: foreign code may throw anything, `undefined` too. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) return thrown as Error;
  const what = typeof thrown === 'object' && thrown !== null ? 'an object that is no Error' : String(thrown);
  return new Error(`${what} was thrown`, { cause: thrown });
}

/** Untrusted text made safe to print: quoted, control characters escaped, cut after 200 characters. */
export function quote(text: string): string {
  const cut = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return jsonLine(cut);
}
