import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readError } from '../files/storage-error.js';
import { LadingError, quote } from '../model/errors.js';
import { parsePolicy } from '../trust/parse-policy.js';
import { policyFrom, type Policy } from '../trust/policy.js';
import { MAX_KEY_BYTES, parsePublicKey, type PublicKey } from '../trust/public-key.js';

/** The options of commands that check who made an image. */
export interface TrustFiles {
  readonly key?: readonly string[];
  /** False for `--no-policy`. */
  readonly policy?: string | false;
}

/**
 * The policy of the options: of a file, or the one that keys stand for. Throws ERR_SOURCE_UNKNOWN, ERR_KEY_INVALID,
 * ERR_POLICY_INVALID, and ERR_OPTION_INVALID for both.
 */
export async function readTrust({ key = [], policy: file }: TrustFiles): Promise<Policy | undefined> {
  const policy = file === undefined || file === false ? undefined : await readPolicy(file);
  return policyFrom({ policy, keys: await readKeys(key) });
}

/**
 * The same where LADING_POLICY names the policy unless an option does. A key alone must not take its place: that would
 * switch it off without a word. `--no-policy` is told on stderr.
 */
export async function readTrustOrDefault({ key = [], policy }: TrustFiles): Promise<Policy | undefined> {
  const preset = process.env['LADING_POLICY'] || undefined;
  if (policy === false) process.stderr.write('lading: --no-policy: no policy is checked\n');
  if (key.length > 0 && policy === undefined && preset !== undefined) {
    const message = 'LADING_POLICY names a policy, and --key another one; add --no-policy to check the key alone';
    throw new LadingError('ERR_OPTION_INVALID', message, { details: { option: '--key' } });
  }
  const chosen = policy ?? preset;
  return await readTrust({ key, ...(chosen !== undefined && { policy: chosen }) });
}

async function readPolicy(file: string): Promise<Policy> {
  const bytes = await readWhole(file, 'policy');
  const folder = path.dirname(file);
  return parsePolicy(bytes, { readFile: (name) => readFileSync(path.resolve(folder, name)) });
}

/** Each key is called by the name of its file. */
async function readKeys(files: readonly string[]): Promise<readonly PublicKey[]> {
  return await Promise.all(
    files.map(async (file) => {
      const bytes = await readWhole(file, 'key');
      if (bytes.length <= MAX_KEY_BYTES) return parsePublicKey(bytes.toString('latin1'), path.basename(file));
      throw new LadingError('ERR_KEY_INVALID', `key ${quote(file)} is larger than any key`);
    }),
  );
}

async function readWhole(file: string, noun: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw readError(error, `cannot read ${noun} ${quote(file)}`);
    throw new LadingError('ERR_SOURCE_UNKNOWN', `there is no ${noun} ${quote(file)}`, { cause: error });
  }
}
