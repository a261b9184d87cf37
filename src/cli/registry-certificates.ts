import { existsSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { LadingError, quote } from '../model/errors.js';
import type { TlsSettings } from '../registry/http-client.js';
import { hostOfApi } from '../registry/registry-name.js';
import type { RegistryEntry } from './registries-file.js';

/** Where certificates come from, and which registries are not asked for one. */
interface CertificateOptions {
  readonly certDir: string | undefined;
  /** Texts of `--ca-file`. */
  readonly authorities: readonly string[];
  readonly unchecked: ReadonlySet<string>;
  readonly entries: ReadonlyMap<string, RegistryEntry>;
}

/** The TLS settings of each host. Reads the files that `registries.json` names at once. Throws ERR_OPTION_INVALID. */
export function tlsSettings({ entries, ...options }: CertificateOptions): (host: string) => TlsSettings {
  const named = new Map([...entries].map(([host, entry]) => [host, filesOf(host, entry)]));
  return (apiHost) => {
    const { ca: authorities = [], ...own } = named.get(hostOfApi(apiHost)) ?? {};
    const isChecked = !options.unchecked.has(hostOfApi(apiHost));
    const { certDir } = options;
    return { ...tlsOf(apiHost, { certDir, authorities: [...options.authorities, ...authorities], isChecked }), ...own };
  };
}

function filesOf(host: string, { caFile, clientCert, clientKey }: RegistryEntry): TlsSettings {
  const read = (file: string, key: string): string => readPem(file, `${key} of ${host}`);
  return {
    ...(caFile !== undefined && { ca: [read(caFile, 'caFile')] }),
    ...(clientCert !== undefined && { cert: read(clientCert, 'clientCert') }),
    ...(clientKey !== undefined && { key: read(clientKey, 'clientKey') }),
  };
}

/** The texts of the files of `--ca-file`. Throws ERR_OPTION_INVALID. */
export function authoritiesIn(files: readonly string[]): readonly string[] {
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
