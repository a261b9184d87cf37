import { Option, type Command } from 'commander';
import { LadingError, quote } from '../model/errors.js';
import { parseRegistryReference, repositoryOf } from '../registry/registry-name.js';
import type { CopyJob } from './copy-lines.js';
import type { RegistryOptions } from './registry-options.js';
import type { Place } from './transports.js';

/** Options that people know from skopeo, in the words of skopeo. */
export interface SkopeoOptions {
  readonly all?: boolean;
  readonly multiArch?: 'all' | 'system' | 'index-only';
  readonly srcTlsVerify?: string;
  readonly destTlsVerify?: string;
  readonly srcCreds?: string;
  readonly destCreds?: string;
}

/** Adds the options. Some are refused, so that the error can say what to do instead. */
export function withSkopeoOptions(command: Command): Command {
  return command
    .option('--all', 'all platforms, as without --platform')
    .addOption(
      new Option('--multi-arch <which>', 'all platforms, or that of this computer').choices([
        'all',
        'system',
        'index-only',
      ]),
    )
    .option('--src-tls-verify <bool>', 'false: do not check certificates of the registries that are read')
    .option('--dest-tls-verify <bool>', 'false: do not check certificates of the registries that are written')
    .addOption(new Option('--src-creds <text>', 'refused, as a password would be seen: use lading login or --authfile'))
    .addOption(new Option('--dest-creds <text>', 'refused, as --src-creds'));
}

type Meant = RegistryOptions & { readonly platform?: readonly string[] };

/** The options in the words of Lading. Throws ERR_OPTION_INVALID for one that has no such words. */
export function fromSkopeo<Options extends SkopeoOptions & Meant>(given: Options, jobs: readonly CopyJob[]): Options {
  const { all = false, multiArch, srcCreds, destCreds, platform, skipTlsVerify = [] } = given;
  if ((srcCreds ?? destCreds) !== undefined)
    throw wrong('a password on the command line would be seen by others; use lading login, or --authfile');
  if (multiArch === 'index-only')
    throw wrong('an index alone is not copied, since registries keep none without its images');
  if (platform !== undefined && (all || multiArch !== undefined))
    throw wrong('--platform already says which platforms to copy; leave --all and --multi-arch out');
  if (all && multiArch === 'system') throw wrong('--all and --multi-arch system exclude each other');
  const unchecked = [
    ...(isFalse('--src-tls-verify', given.srcTlsVerify)
      ? jobs.flatMap((job) => hostsOf(job.map(({ source }) => source)))
      : []),
    ...(isFalse('--dest-tls-verify', given.destTlsVerify)
      ? jobs.flatMap((job) => hostsOf(job.map(({ target }) => target)))
      : []),
  ];
  return {
    ...given,
    ...(multiArch === 'system' && { platform: ['local'] }),
    skipTlsVerify: [...new Set([...skipTlsVerify, ...unchecked])],
  };
}

function isFalse(option: string, text = 'true'): boolean {
  if (text !== 'true' && text !== 'false') throw wrong(`${option} is true or false, not ${quote(text)}`);
  return text === 'false';
}

function hostsOf(places: readonly Place[]): readonly string[] {
  return places.flatMap(({ transport, rest }) =>
    transport === 'docker' ? [repositoryOf(parseRegistryReference(rest)).host] : [],
  );
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
