import { setMaxListeners } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { LadingError, quote } from '../model/errors.js';
import { askHelper } from '../registry/credential-helper.js';
import { credentialsIn } from '../registry/credentials.js';
import type { TlsSettings } from '../registry/http-client.js';
import { Registries } from '../registry/registries.js';
import { parseHost } from '../registry/registry-name.js';
import { DEFAULT_WAITS, type Credentials, type FindCredentials, type RegistrySettings } from '../registry/settings.js';
import type { CommandContext } from './command-context.js';
import { warnNow, type OutputOptions } from './console.js';
import { credentialFiles, readCredentialFiles } from './credential-files.js';
import { parseDuration } from './duration.js';
import { proxiesOf } from './proxies.js';
import { readPassword } from './password.js';
import type { RegistryOptions } from './registry-options.js';

/** Credentials that come from the command itself. */
export interface GivenCredentials {
  readonly given?: { readonly host: string; readonly credentials: Credentials };
}

/** Does work with registries, and closes the connections in any case. */
export async function withRegistries<T>(
  options: RegistryOptions & OutputOptions & GivenCredentials,
  { signal }: Pick<CommandContext, 'signal'>,
  host: string | undefined,
  work: (registries: Registries) => Promise<T>,
): Promise<T> {
  // Every request on its way listens for it.
  setMaxListeners(0, signal);
  const registries = new Registries({ ...(await registrySettings(options, host)), signal });
  try {
    return await work(registries);
  } finally {
    registries.close();
  }
}

/** How registries are reached, as the options and the environment say. */
export async function registrySettings(
  options: RegistryOptions & OutputOptions & GivenCredentials,
  host?: string,
): Promise<RegistrySettings> {
  return {
    userAgent: `lading/${versionOf()}`,
    ...(await accessOf(options, host)),
    ...DEFAULT_WAITS,
    attempts: attemptsOf(options.retryTimes),
    maxWaitMs: parseDuration(options.maxWait ?? '10m'),
    now: Date.now,
    random: Math.random,
    onWarning: (message) => warnNow(message, options),
  };
}

async function accessOf(options: RegistryOptions & GivenCredentials, host: string | undefined) {
  const { plainHttp = [], skipTlsVerify = [], allowRedirectTo = [], caFile = [] } = options;
  const unchecked = new Set(skipTlsVerify.map(parseHost));
  const authorities = authoritiesIn(caFile);
  const credentials = await credentialsOf(options, host);
  return {
    credentials,
    credentialPlaces: placesOf(options),
    plainHttp: new Set(plainHttp.map(parseHost)),
    allowedRedirects: new Set(allowRedirectTo.map((one) => one.toLowerCase())),
    proxyFor: proxiesOf(process.env),
    tls: (one: string): TlsSettings =>
      tlsOf(one, { certDir: options.certDir, authorities, isChecked: !unchecked.has(one) }),
  };
}

function placesOf(options: RegistryOptions): string {
  if (options.anonymous === true) return 'none, since --anonymous was given';
  return credentialFiles(options.authfile, process.env, os.homedir())
    .map(({ file }) => file)
    .join(', ');
}

async function credentialsOf(
  options: RegistryOptions & GivenCredentials,
  host: string | undefined,
): Promise<FindCredentials> {
  const { given } = options;
  if (given !== undefined) return async (one) => (one === given.host ? given.credentials : undefined);
  const { anonymous = false, username, passwordStdin = false, authfile } = options;
  if ((username === undefined) === passwordStdin) {
    throw new LadingError(
      'ERR_OPTION_INVALID',
      '--username and --password-stdin go together; a password on the command line would be seen by others',
    );
  }
  if (anonymous) return async () => undefined;
  const inFiles = credentialsIn(
    readCredentialFiles(credentialFiles(authfile, process.env, os.homedir())),
    async (helper, server) => await askHelper(helper, server, process.env),
  );
  if (username === undefined) return inFiles;
  if (host === undefined)
    throw new LadingError('ERR_OPTION_INVALID', '--username is for one registry, and this command uses several');
  const own = { kind: 'password', username, password: await readPassword() } as const;
  return async (one, repository) => (one === host ? own : await inFiles(one, repository));
}

function attemptsOf(text = '5'): number {
  const attempts = Number(text);
  if (Number.isInteger(attempts) && attempts >= 1 && attempts <= 100) return attempts;
  throw new LadingError('ERR_OPTION_INVALID', `--retry-times is a number from 1 to 100, not ${quote(text)}`);
}

function authoritiesIn(files: readonly string[]): readonly string[] {
  return files.map((file) => readPem(file, '--ca-file'));
}

function readPem(file: string, what: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN ')) return text;
  } catch (cause) {
    throw new LadingError('ERR_OPTION_INVALID', `${what}: cannot read ${quote(file)}`, { cause });
  }
  throw new LadingError('ERR_OPTION_INVALID', `${what}: ${quote(file)} has no certificate in it`);
}

/** The settings of one host: the authorities of the options and of its folder, and its own certificate for us. */
function tlsOf(
  host: string,
  {
    certDir,
    authorities,
    isChecked,
  }: { certDir: string | undefined; authorities: readonly string[]; isChecked: boolean },
): TlsSettings {
  const folder = certificateFolders(certDir)
    .map((parent) => path.join(parent, host))
    .find((one) => existsSync(one));
  const names = folder === undefined ? [] : readdirSync(folder);
  const at = (name: string): string => readPem(path.join(folder ?? '', name), 'certificates');
  const own = names.filter((name) => name.endsWith('.crt')).map(at);
  const pair = names.find((name) => name.endsWith('.cert'));
  const key = names.find((name) => name.endsWith('.key'));
  if ((pair === undefined) !== (key === undefined) || (pair && key !== pair.replace(/\.cert$/, '.key')))
    throw new LadingError(
      'ERR_OPTION_INVALID',
      `${folder} has a client certificate without its key, or a key without its certificate`,
    );
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  const added = [...authorities, ...own];
  // Certificates of our own would take the place of those that Node trusts, so all are given.
  const ca =
    added.length === 0
      ? undefined
      : [...tls.rootCertificates, ...(extra ? [readPem(extra, 'NODE_EXTRA_CA_CERTS')] : []), ...added];
  return {
    ...(ca && { ca }),
    ...(pair !== undefined && key !== undefined && { cert: at(pair), key: at(key) }),
    ...(!isChecked && { rejectUnauthorized: false }),
  };
}

function certificateFolders(given: string | undefined): readonly string[] {
  const standard = [
    path.join(os.homedir(), '.config/containers/certs.d'),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ];
  return given === undefined ? standard : [given, ...standard];
}

function versionOf(): string {
  const { version } = createRequire(import.meta.url)('#package') as { version: string };
  return version;
}
