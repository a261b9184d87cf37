import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LadingError } from '../../model/errors.js';
import { eraseInHelper, storeInHelper } from '../../registry/credential-helper.js';
import { helperOf, parseConfig, serverKeyOf } from '../../registry/credentials.js';
import { parseHost } from '../../registry/registry-name.js';
import { dockerConfig } from '../credential-files.js';
import type { CommandContext } from '../command-context.js';
import { printLines, printReport, warnNow, type OutputOptions } from '../console.js';
import { readPassword } from '../password.js';
import { withRegistries } from '../registry-access.js';
import type { RegistryOptions } from '../registry-options.js';

export type LoginOptions = OutputOptions & RegistryOptions;

/** `lading login`: checks the credentials with the registry, then keeps them in a helper or in a file. */
export async function login(text: string, options: LoginOptions, context: CommandContext): Promise<number> {
  const host = parseHost(text);
  const { username } = options;
  if (username === undefined || options.passwordStdin !== true)
    throw new LadingError(
      'ERR_OPTION_INVALID',
      'login takes --username NAME --password-stdin; a password on the command line would be seen by others',
    );
  const { username: _, passwordStdin: __, ...access } = options;
  const credentials = { kind: 'password', username, password: await readPassword() } as const;
  await withRegistries(
    { ...access, given: { host, credentials } },
    context,
    host,
    async (registries) => await registries.checkLogin(host),
  );
  const file = fileOf(options);
  await keep(file, host, credentials);
  if (options.json === true) await printReport('login', { host, file });
  else await printLines([`Logged in to ${host}; the credentials are in ${file}`]);
  return 0;
}

/** `lading logout`: removes the credentials of a registry. */
export async function logout(text: string, options: LoginOptions): Promise<number> {
  const host = parseHost(text);
  const file = fileOf(options);
  const config = await readConfig(file);
  const helper = await helperIn(file, config.text, host);
  if (helper !== undefined) await eraseInHelper(helper, serverKeyOf(host), process.env);
  const auths = { ...config.value.auths };
  const keys = Object.keys(auths).filter((key) => hostOf(key) === host);
  for (const key of keys) delete auths[key];
  if (keys.length > 0) writeConfig(file, { ...config.value, auths });
  const isKnown = helper !== undefined || keys.length > 0;
  if (!isKnown) warnNow(`${file} has no credentials for ${host}`, options);
  if (options.json === true) await printReport('logout', { host, file, removed: isKnown });
  else if (isKnown) await printLines([`Removed the credentials of ${host}`]);
  return 0;
}

function hostOf(key: string): string {
  try {
    return parseHost(key);
  } catch {
    return '';
  }
}

/** The file that is written: the named one, else docker's, which docker, podman and we read. */
function fileOf({ authfile }: LoginOptions): string {
  return authfile ?? (process.env['REGISTRY_AUTH_FILE'] || dockerConfig(process.env, os.homedir()));
}

async function keep(
  file: string,
  host: string,
  credentials: { readonly username: string; readonly password: string },
): Promise<void> {
  const config = await readConfig(file);
  const helper = await helperIn(file, config.text, host);
  const key = serverKeyOf(host);
  if (helper !== undefined) return await storeInHelper(helper, key, credentials, process.env);
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  writeConfig(file, { ...config.value, auths: { ...config.value.auths, [key]: { auth } } });
}

async function helperIn(file: string, text: string, host: string): Promise<string | undefined> {
  const config = await parseConfig({ path: file, text });
  return helperOf(config, host) ?? config.credsStore;
}

interface ConfigFile {
  readonly auths?: Readonly<Record<string, unknown>>;
}

async function readConfig(file: string): Promise<{ readonly text: string; readonly value: ConfigFile }> {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '{}';
  await parseConfig({ path: file, text });
  // Parsed and checked just now; all that we do not know stays in it.
  return { text, value: JSON.parse(text) as ConfigFile };
}

/** Replaces the file at once, readable by its owner only. A link to it stays. */
function writeConfig(file: string, value: ConfigFile): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
  const temporary = path.join(path.dirname(target), `.lading-${randomUUID()}.part`);
  try {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(temporary, target);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new LadingError('ERR_CREDENTIALS', `cannot write the file of credentials ${file}`, { cause });
  }
}
