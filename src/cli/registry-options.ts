import type { Command } from 'commander';
import { collect } from './command-options.js';

/** How to reach registries, as options of a command. */
export interface RegistryOptions {
  readonly authfile?: string;
  readonly anonymous?: boolean;
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly caFile?: readonly string[];
  readonly certDir?: string;
  readonly plainHttp?: readonly string[];
  readonly skipTlsVerify?: readonly string[];
  readonly allowRedirectTo?: readonly string[];
  readonly retryTimes?: string;
  readonly maxWait?: string;
  readonly mirror?: readonly string[];
  readonly registries?: string;
}

/** Adds the options by which a registry is reached. */
export function withRegistryOptions(command: Command): Command {
  return withConnectionOptions(
    command
      .option('--authfile <file>', 'a file of credentials, as docker and podman have it')
      .option('--anonymous', 'use no credentials')
      .option('-u, --username <name>', 'a user name, for the one registry of the command; with --password-stdin')
      .option('--password-stdin', 'read the password from stdin'),
  );
}

/** Those of them that are not about credentials. */
function withConnectionOptions(command: Command): Command {
  return command
    .option('--ca-file <file>', "certificates of authorities that sign registries' certificates; repeatable", collect)
    .option('--cert-dir <dir>', 'a folder with a folder HOST:PORT of certificates, as docker has it')
    .option('--plain-http <host>', 'use http without TLS for this registry; repeatable', collect)
    .option('--skip-tls-verify <host>', 'do not check the certificate of this registry; repeatable', collect)
    .option('--allow-redirect-to <host>', 'follow redirects to this host inside the network; repeatable', collect)
    .option('--mirror <host=mirror>', 'read images of a registry from this mirror first; repeatable', collect)
    .option(
      '--registries <file>',
      'mirrors and settings of registries (default: lading/registries.json in the folder of settings)',
    )
    .option('--retry-times <number>', 'tries of one request', '5')
    .option('--max-wait <time>', 'the longest wait that a registry may ask for: 30s, 10m', '10m');
}

/** Adds the options by which a server speaks to registries for its clients. */
export function withServedRegistries(command: Command): Command {
  return withConnectionOptions(
    command
      .option(
        '--client-registries <hosts>',
        'registries that clients may name: any, none, or HOST,… (default: any on a unix socket, none over TCP)',
      )
      .option('--registry-credentials', 'use the files of credentials of this user for clients that send none')
      .option('--authfile <file>', 'a file of credentials, for --registry-credentials')
      .option(
        '--pull-platforms <list>',
        'what a pull takes that names no platform: host, all, or a list (default: host; all if the store is a registry)',
      ),
  );
}
