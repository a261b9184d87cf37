import { parseStrictJson } from '../content/strict-json.js';
import { LadingError } from '../model/errors.js';
import { parseHost } from './registry-name.js';
import type { Credentials, FindCredentials } from './settings.js';

/** A file like docker's `config.json` or `auth.json` of the containers tools: its path, for messages, and its text. */
export interface CredentialFile {
  readonly path: string;
  readonly text: string;
}

/** Asks a credential helper for the credentials of a server; undefined if it has none. Throws ERR_CREDENTIALS. */
export type AskHelper = (helper: string, server: string) => Promise<Credentials | undefined>;

/** What such a file says. */
export interface CredentialConfig {
  readonly auths: Readonly<Record<string, unknown>>;
  /** Helpers by host. */
  readonly credHelpers: Readonly<Record<string, unknown>>;
  /** The helper for every other host. */
  readonly credsStore: string | undefined;
}

/** What docker calls Docker Hub in its file, and to helpers. */
const HUB_KEY = 'https://index.docker.io/v1/';

/** The name of a host in these files and for helpers. */
export function serverKeyOf(host: string): string {
  return host === 'docker.io' ? HUB_KEY : host;
}

/**
 * Finds credentials in files, the first file first: in each its helper for the host, then its own entries, the longest
 * path first, then its helper for all hosts. Each helper is asked once for each host.
 */
export function credentialsIn(files: readonly CredentialFile[], ask: AskHelper): FindCredentials {
  let configs: Promise<readonly CredentialConfig[]> | undefined;
  const asked = new Map<string, Promise<Credentials | undefined>>();
  const askOnce = async (helper: string, host: string): Promise<Credentials | undefined> => {
    const key = `${helper} ${host}`;
    const answer = asked.get(key) ?? ask(helper, serverKeyOf(host));
    asked.set(key, answer);
    return await answer;
  };
  return async (host, path) => {
    configs ??= Promise.all(files.map(parseConfig));
    for (const config of await configs) {
      const found = await findIn(config, host, path, askOnce);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

async function findIn(
  config: CredentialConfig,
  host: string,
  path: string,
  ask: AskHelper,
): Promise<Credentials | undefined> {
  const helper = helperOf(config, host);
  const found = helper === undefined ? undefined : await ask(helper, host);
  if (found !== undefined) return found;
  const entry = entryFor(config.auths, host, path);
  const own = entry === undefined ? undefined : credentialsOf(entry.value, entry.key);
  if (own !== undefined) return own;
  return config.credsStore === undefined ? undefined : await ask(config.credsStore, host);
}

/** The helper that a file names for a host. */
export function helperOf({ credHelpers }: CredentialConfig, host: string): string | undefined {
  const key = Object.keys(credHelpers).find((name) => hostOfKey(name) === host);
  const helper = key === undefined ? undefined : credHelpers[key];
  return typeof helper === 'string' && helper !== '' ? helper : undefined;
}

/** Parses a file. Throws ERR_CREDENTIALS, without its content. */
export async function parseConfig({ path, text }: CredentialFile): Promise<CredentialConfig> {
  let value: unknown;
  try {
    value = await parseStrictJson(Buffer.from(text), 'the file', 32);
  } catch {
    throw new LadingError(
      'ERR_CREDENTIALS',
      `the file of credentials ${path} is not valid JSON; mend it or log in again`,
      { details: { path } },
    );
  }
  const { auths, credHelpers, credsStore } = recordOf(value);
  return {
    auths: recordOf(auths),
    credHelpers: recordOf(credHelpers),
    credsStore: typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined,
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** The entry with the longest path that the repository starts with. */
function entryFor(auths: CredentialConfig['auths'], host: string, path: string) {
  const parts = path === '' ? [] : path.split('/');
  for (let count = parts.length; count >= 0; count -= 1) {
    const wanted = [host, ...parts.slice(0, count)].join('/');
    const key = Object.keys(auths).find((name) => keyWithPath(name) === wanted);
    if (key !== undefined) return { key, value: auths[key] };
  }
  return undefined;
}

/** `https://HOST/v1/` as `HOST`, and the names of Docker Hub as one. */
function keyWithPath(key: string): string {
  const bare = key
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/\/(?:v[12]\/?)?$/, '');
  const [first = '', ...rest] = bare.split('/');
  return [hostOfKey(first), ...rest].join('/');
}

function hostOfKey(key: string): string {
  try {
    return parseHost(key);
  } catch {
    return key.toLowerCase();
  }
}

function credentialsOf(value: unknown, key: string): Credentials | undefined {
  const { auth, username, password, identitytoken, registrytoken } = recordOf(value);
  if (typeof identitytoken === 'string' && identitytoken !== '') return { kind: 'identity', token: identitytoken };
  if (typeof registrytoken === 'string' && registrytoken !== '') return { kind: 'bearer', token: registrytoken };
  if (typeof username === 'string' && typeof password === 'string' && username !== '')
    return { kind: 'password', username, password };
  if (typeof auth !== 'string' || auth === '') return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const at = text.indexOf(':');
  if (at > 0) return { kind: 'password', username: text.slice(0, at), password: text.slice(at + 1) };
  throw new LadingError('ERR_CREDENTIALS', `the entry of ${key} in the file of credentials is damaged; log in again`);
}
