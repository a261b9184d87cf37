import { spawn } from 'node:child_process';
import { parseStrictJson } from '../content/strict-json.js';
import { LadingError, quote } from '../model/errors.js';
import type { Credentials } from './settings.js';

/** The longest answer of a helper, in bytes, and the longest time that it may take, in milliseconds. */
const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 30_000;

const HELPER_NAME = /^[a-z0-9._-]+$/i;

/** The user name by which helpers mark an identity token. */
const TOKEN_USER = '<token>';

/** How a helper is run: for it to find its own files and programs. */
export type HelperEnvironment = Readonly<Record<string, string | undefined>>;

/** Asks `docker-credential-NAME get` for a server. Undefined if it has nothing for it. Throws ERR_CREDENTIALS. */
export async function askHelper(
  helper: string,
  server: string,
  env: HelperEnvironment,
): Promise<Credentials | undefined> {
  const { status, output } = await run(helper, 'get', server, env);
  if (status !== 0) {
    if (/credentials not found|no credentials server URL|no credentials username/i.test(output)) return undefined;
    throw failed(helper, `it ended with status ${status}`);
  }
  const { Username: username, Secret: secret } = await fieldsOf(helper, output);
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined;
  if (username === TOKEN_USER) return { kind: 'identity', token: secret };
  return { kind: 'password', username, password: secret };
}

/** Gives a helper credentials to keep. Throws ERR_CREDENTIALS. */
export async function storeInHelper(
  helper: string,
  server: string,
  { username, password }: { readonly username: string; readonly password: string },
  env: HelperEnvironment,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password });
  const { status } = await run(helper, 'store', input, env);
  if (status !== 0) throw failed(helper, `it did not keep the credentials (status ${status})`);
}

/** Lets a helper forget a server. One that it does not know is no error. */
export async function eraseInHelper(helper: string, server: string, env: HelperEnvironment): Promise<void> {
  const { status, output } = await run(helper, 'erase', server, env);
  if (status !== 0 && !/not found/i.test(output))
    throw failed(helper, `it did not remove the credentials (status ${status})`);
}

async function run(
  helper: string,
  action: string,
  input: string,
  env: HelperEnvironment,
): Promise<{ readonly status: number | null; readonly output: string }> {
  if (!HELPER_NAME.test(helper))
    throw new LadingError('ERR_CREDENTIALS', `${quote(helper)} is not the name of a credential helper`);
  const child = spawn(`docker-credential-${helper}`, [action], {
    env: { ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: TIMEOUT_MS,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BYTES) chunks.push(chunk);
    else child.kill();
  });
  // A helper may answer before it has read the name.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(failed(helper, 'it cannot be started; install it, or take it out of the file of credentials', cause)),
    );
    child.once('close', (status) => resolve({ status, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

async function fieldsOf(helper: string, output: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await parseStrictJson(Buffer.from(output), 'the answer', 8)) as Readonly<Record<string, unknown>>;
  } catch {
    // Without the cause, which might quote what the helper said.
    throw failed(helper, 'its answer is not valid JSON');
  }
}

function failed(helper: string, why: string, cause?: unknown): LadingError {
  return new LadingError('ERR_CREDENTIALS', `credential helper docker-credential-${helper}: ${why}`, { cause });
}
