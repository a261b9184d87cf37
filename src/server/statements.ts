import {
  algorithmOf,
  digestOf,
  LadingError,
  parseDigest,
  signaturesIn,
  type Descriptor,
  type ImageDescription,
  type Store,
} from '../index.js';
import { EngineError, STATUS } from './statuses.js';

/** The most bytes of a statement that are read. An SBOM has some megabytes. */
const MAX_STATEMENT_BYTES = 32 * 1024 * 1024;

/** An in-toto statement: a layer of an attestation manifest, and the type of its predicate. */
export interface Statement {
  readonly layer: Descriptor;
  readonly type: string;
}

/** The statements that an image has about one of its manifests. Reads only those whose descriptor names no type. */
export async function statementsOf(
  store: Store,
  { manifests }: ImageDescription,
  subject: string,
): Promise<readonly Statement[]> {
  const about = manifests.filter((manifest) => manifest.subject === subject);
  const found = about.flatMap(({ manifest }) => (manifest ? signaturesIn(manifest, parseDigest(subject)) : []));
  const statements: Statement[] = [];
  for (const { kind, layer, predicateType } of found) {
    if (kind === 'in-toto') statements.push({ layer, type: predicateType ?? (await readStatement(store, layer)).type });
  }
  return statements;
}

/** Reads a statement and its type. Throws ERR_BLOB_MISSING, the errors of damage, and an EngineError if it is large. */
export async function readStatement(
  store: Store,
  { digest, size }: Descriptor,
): Promise<{ readonly text: string; readonly type: string }> {
  if (size > MAX_STATEMENT_BYTES) {
    const message = `statement ${digest} has ${size} bytes; at most ${MAX_STATEMENT_BYTES} are sent`;
    throw new EngineError(STATUS.contentTooLarge, message);
  }
  const chunks: Buffer[] = [];
  if ((await store.stat(digest, 'blob')) === undefined) {
    throw new LadingError('ERR_BLOB_MISSING', `statement ${digest} is not in the store`, { details: { digest } });
  }
  let length = 0;
  for await (const chunk of store.open(digest, { kind: 'blob' })) {
    length += chunk.length;
    if (length <= size) chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (length !== size) throw damaged('ERR_SIZE_MISMATCH', digest, `has ${length} bytes instead of ${size}`);
  if (digestOf(bytes, algorithmOf(digest)) !== digest)
    throw damaged('ERR_DIGEST_MISMATCH', digest, 'has other content');
  const text = bytes.toString('utf8');
  return { text, type: typeIn(text, digest) };
}

function typeIn(text: string, digest: string): string {
  try {
    const { predicateType } = Object(JSON.parse(text)) as { readonly predicateType?: unknown };
    return typeof predicateType === 'string' ? predicateType : '';
  } catch {
    throw damaged('ERR_DOCUMENT_INVALID', digest, 'is not JSON');
  }
}

function damaged(
  code: 'ERR_SIZE_MISMATCH' | 'ERR_DIGEST_MISMATCH' | 'ERR_DOCUMENT_INVALID',
  digest: string,
  why: string,
): LadingError {
  return new LadingError(code, `statement ${digest} ${why}`, { details: { digest } });
}
