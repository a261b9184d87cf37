import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readError } from '../../files/storage-error.js';
import { LadingError, quote } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import { parsePublicKey, type PublicKey } from '../../trust/public-key.js';
import type { SignatureReport } from '../../trust/judge-signature.js';
import type { TrustReport } from '../../trust/judge-image.js';

/** Far more than any key or certificate. */
const MAX_KEY_BYTES = 64 * 1024;

/** The public keys in the files; each is called by the name of its file. Throws ERR_SOURCE_UNKNOWN, ERR_KEY_INVALID. */
export async function readKeys(files: readonly string[]): Promise<readonly PublicKey[]> {
  return await Promise.all(files.map(async (file) => parsePublicKey(await readKey(file), path.basename(file))));
}

async function readKey(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    if (bytes.length <= MAX_KEY_BYTES) return bytes.toString('latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw readError(error, `cannot read key ${quote(file)}`);
    throw new LadingError('ERR_SOURCE_UNKNOWN', `there is no key ${quote(file)}`, { cause: error });
  }
  throw new LadingError('ERR_KEY_INVALID', `key ${quote(file)} is larger than any key`);
}

/** What a verification of signatures found, as lines. */
export function trustLines(reports: readonly TrustReport[]): readonly string[] {
  return reports.flatMap((report) => [
    `${labelOf(report)}: ${report.decision === 'allowed' ? 'signed' : 'not trusted'}`,
    ...report.reasons.map(({ code, message }) => `  ${message} [${code}]`),
    ...report.signatures.map((signature) => `  ${signatureLine(signature)}`),
    ...(report.decision === 'allowed' && !report.isRootSigned ? ['  its root is not signed, only what it lists'] : []),
  ]);
}

function labelOf({ name, digest }: TrustReport): string {
  return name === undefined ? digest : parseReference(name).familiar();
}

function signatureLine({ kind, over, state, by, reason, identity, predicateType }: SignatureReport): string {
  const what = predicateType === undefined ? kind : `${kind} attestation ${quote(predicateType)}`;
  const who = by === undefined ? '' : ` by ${quote(by)}`;
  const named = identity === 'none' ? ', it names no repository' : '';
  return `${what} over ${over}: ${state}${who}${reason === undefined ? named : `, ${reason}`}`;
}
