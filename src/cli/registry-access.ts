import { setMaxListeners } from 'node:events';
import { createRequire } from 'node:module';
import os from 'node:os';
import { LadingError, quote } from '../model/errors.js';
import { askHelper } from '../registry/credential-helper.js';
import { credentialsIn } from '../registry/credentials.js';
import { Mirrors } from '../registry/mirrors.js';
import { Registries } from '../registry/registries.js';
import { parseHost } from '../registry/registry-name.js';
import { DEFAULT_WAITS, type Credentials, type FindCredentials, type RegistrySettings } from '../registry/settings.js';
import type { CommandContext } from './command-context.js';
import { warnNow, type OutputOptions } from './console.js';
import { credentialFiles, readCredentialFiles } from './credential-files.js';
import { parseDuration } from './duration.js';
import { proxiesOf } from './proxies.js';
import { mirrorsOf, readRegistriesFile } from './registries-file.js';
import { readPassword } from './password.js';
import type { RegistryOptions } from './registry-options.js';
import { authoritiesIn, tlsSettings } from './registry-certificates.js';

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
  const { plainHttp = [], skipTlsVerify = [], allowRedirectTo = [], caFile = [], mirror = [] } = options;
  const entries = await readRegistriesFile(options.registries, process.env, os.homedir());
  const hostsWith = (key: 'plainHttp' | 'skipTlsVerify'): readonly string[] =>
    [...entries].filter(([, entry]) => entry[key] === true).map(([one]) => one);
  const unchecked = new Set([...skipTlsVerify.map(parseHost), ...hostsWith('skipTlsVerify')]);
  const authorities = authoritiesIn(caFile);
  const credentials = await credentialsOf(options, host);
  return {
    credentials,
    credentialPlaces: placesOf(options),
    mirrors: new Mirrors(mirrorsOf(entries, mirror), Date.now),
    plainHttp: new Set([...plainHttp.map(parseHost), ...hostsWith('plainHttp')]),
    allowedRedirects: new Set(allowRedirectTo.map((one) => one.toLowerCase())),
    proxyFor: proxiesOf(process.env),
    tls: tlsSettings({ certDir: options.certDir, authorities, unchecked, entries }),
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

function versionOf(): string {
  const { version } = createRequire(import.meta.url)('#package') as { version: string };
  return version;
}
