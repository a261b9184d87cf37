import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseStrictJson } from '../content/strict-json.js';
import { LadingError, quote } from '../model/errors.js';
import { FLAG, listOf, optionsOf, textOr, TEXT } from '../model/rules.js';
import { checkMirrors, type Mirror } from '../registry/mirrors.js';
import { parseHost } from '../registry/registry-name.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** What `registries.json` says of one registry. Paths are seen from the folder of the file. */
export interface RegistryEntry {
  readonly mirrors?: readonly (string | Mirror)[];
  readonly plainHttp?: boolean;
  readonly skipTlsVerify?: boolean;
  readonly caFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

const ENTRY = optionsOf<RegistryEntry>({
  mirrors: listOf(textOr(optionsOf<Mirror>({ host: TEXT, tags: FLAG, ns: FLAG }, ['host']))),
  plainHttp: FLAG,
  skipTlsVerify: FLAG,
  caFile: TEXT,
  clientCert: TEXT,
  clientKey: TEXT,
});

const CLIENT_HINT = '; a server is told with --client-registries which registries its clients may name';

/** Objects in objects of the file. */
const MAX_DEPTH = 8;

/**
 * What a file says of each registry, by host: of the file that is named, or of the user's own if there is one. Throws
 * ERR_OPTION_INVALID for a file that cannot be read or says something else.
 */
export async function readRegistriesFile(
  named: string | undefined,
  env: Environment,
  home: string,
): Promise<ReadonlyMap<string, RegistryEntry>> {
  const file = named ?? path.join(env['XDG_CONFIG_HOME'] || path.join(home, '.config'), 'lading', 'registries.json');
  if (named === undefined && !existsSync(file)) return new Map();
  try {
    return await parsed(readFileSync(file), path.dirname(file));
  } catch (cause) {
    // So the option of a server was called that says which registries its clients may name.
    const hint = named !== undefined && /^[\w.,:-]+$/.test(named) && !named.endsWith('.json') ? CLIENT_HINT : '';
    throw new LadingError('ERR_OPTION_INVALID', `the file of registries ${quote(file)}: ${reasonOf(cause)}${hint}`, {
      cause,
      details: { option: 'registries', path: file },
    });
  }
}

async function parsed(bytes: Buffer, folder: string): Promise<ReadonlyMap<string, RegistryEntry>> {
  const document = await parseStrictJson(bytes, 'it', MAX_DEPTH);
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new LadingError('ERR_OPTION_INVALID', 'it is no object with a registry for each field');
  const entries = new Map<string, RegistryEntry>();
  for (const [text, entry] of Object.entries(document as Readonly<Record<string, RegistryEntry>>)) {
    const host = parseHost(text);
    if (entries.has(host)) throw new LadingError('ERR_OPTION_INVALID', `it has two entries for ${host}`);
    ENTRY(entry, quote(text));
    if ((entry.clientCert === undefined) !== (entry.clientKey === undefined))
      throw new LadingError(
        'ERR_OPTION_INVALID',
        `${quote(text)} has one of clientCert and clientKey without the other`,
      );
    entries.set(host, withPaths(entry, folder));
  }
  checkMirrors(mirrorsOf(entries, []));
  return entries;
}

function withPaths(entry: RegistryEntry, folder: string): RegistryEntry {
  const files = (['caFile', 'clientCert', 'clientKey'] as const).flatMap((key) => {
    const file = entry[key];
    return file === undefined ? [] : [[key, path.resolve(folder, file)] as const];
  });
  return { ...entry, ...Object.fromEntries(files) };
}

function reasonOf(cause: unknown): string {
  if (cause instanceof LadingError) return cause.message;
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such file' : `cannot read it: ${(cause as Error).message}`;
}

/** The mirrors of each host: those of the file, unless options `HOST=MIRROR` name others. Throws ERR_OPTION_INVALID. */
export function mirrorsOf(
  entries: ReadonlyMap<string, RegistryEntry>,
  options: readonly string[],
): Readonly<Record<string, readonly Mirror[]>> {
  const found = new Map<string, Mirror[]>();
  for (const text of options) {
    const [, host, mirror] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (host === undefined || mirror === undefined)
      throw new LadingError('ERR_OPTION_INVALID', `--mirror is HOST=MIRROR, not ${quote(text)}`, {
        details: { option: 'mirror' },
      });
    found.set(parseHost(host), [...(found.get(parseHost(host)) ?? []), { host: mirror }]);
  }
  for (const [host, { mirrors = [] }] of entries)
    if (!found.has(host))
      found.set(
        host,
        mirrors.map((one) => (typeof one === 'string' ? { host: one } : one)),
      );
  return Object.fromEntries(found);
}
