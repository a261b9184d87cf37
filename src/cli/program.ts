import { createRequire } from 'node:module';
import { Command, Option } from 'commander';
import {
  collect,
  command,
  indexOption,
  onConflictOption,
  platformOption,
  progressOption,
  referrersOption,
  withCommonOptions,
} from './command-options.js';
import type { CommonOptions } from './command-context.js';
import type { RemoveCommandOptions } from './commands/edit.js';
import type { LoadCommandOptions } from './commands/load.js';
import type { PruneCommandOptions } from './commands/prune.js';
import type { SaveOptions } from './commands/save.js';
import type { ServeOptions } from './commands/serve.js';
import type { VerifyCommandOptions } from './commands/verify.js';
import { helpCommands } from './help-commands.js';
import { withExamples } from './help-examples.js';
import { haveCommand, imagesCommand, inspectCommand } from './looking-commands.js';
import { registryCommands } from './registry-commands.js';
import { withServedRegistries } from './registry-options.js';
import { run } from './run-command.js';
import { unpackCommand, withTreeOptions } from './unpack-command.js';

const LOAD_NOTE = `
A blob that the store has already is not read again, so damage in the archive's copy
of it is not told. "lading verify --archive <file>" reads every byte of an archive.`;

function takeCommonOptions(lading: Command, chosen: Command): void {
  const own = chosen.opts();
  for (const [name, value] of Object.entries(lading.opts())) if (!(name in own)) chosen.setOptionValue(name, value);
}

/** The command `lading`, with all of its commands and options. */
export function program(): Command {
  const { version } = createRequire(import.meta.url)('#package') as { version: string };
  const lading = withCommonOptions(new Command('lading'))
    .description('Moves multi-platform container images as streams.')
    .version(version)
    .enablePositionalOptions()
    .hook('preAction', takeCommonOptions)
    .addCommand(saveCommand())
    .addCommand(loadCommand())
    .addCommand(imagesCommand())
    .addCommand(inspectCommand())
    .addCommand(haveCommand())
    .addCommand(tagCommand())
    .addCommand(removeCommand())
    .addCommand(pruneCommand())
    .addCommand(verifyCommand())
    .addCommand(unpackCommand())
    .addCommand(serveCommand());
  for (const one of [...registryCommands(), ...helpCommands()]) lading.addCommand(one);
  for (const one of lading.commands) withExamples(one);
  return lading;
}

// Each command is loaded when it runs: `images` must not wait for what only `load` needs.

function saveCommand(): Command {
  return command('save', 'Write images as one tar archive')
    .argument('[image...]', 'names, ids, or repositories')
    .option('-a, --all', 'every image of the store, but not those whose name another image has taken')
    .option('--from-file <list>', 'also the images of this list, one in each line (- for stdin); # starts a comment')
    .option('-o, --output <file>', 'write to a file (default: stdout)')
    .option(
      '--compress <how>',
      'pack the archive: gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19 (default: plain tar)',
    )
    .option('-q, --quiet', 'print no warnings')
    .addOption(platformOption('only these platforms, separated by commas; repeatable (default: all)'))
    .addOption(indexOption())
    .addOption(referrersOption())
    .option('--exclude-blobs <list>', 'leave out the layers of this list of "lading have" (- for stdin)', collect)
    .option('--base <archive>', 'leave out the layers that this archive has; repeatable', collect)
    .option('--allow-missing', 'save the platforms that are here; exit 3 if some are missing')
    .option('--dry-run', 'write nothing; print what the archive would be, to the byte')
    .addOption(
      new Option('--print <what>', 'with --dry-run: only the size in bytes, or the digest of the plan').choices([
        'size',
        'digest',
      ]),
    )
    .addOption(progressOption())
    .action((names: string[], options: SaveOptions) =>
      run(options, async (context) => (await import('./commands/save.js')).save(names, options, context), 'save'),
    );
}

function loadCommand(): Command {
  const one = command('load', 'Load images from an archive, a pipe or an OCI layout directory')
    .option('-i, --input <file>', 'read a file or directory (default: stdin); FILE:TAG loads one image of it')
    .option('--image <name>', 'only this image, repository or pattern such as "example/*"; repeatable', collect)
    .option('--name <repo>', 'a repository for images that have only a tag; with a tag, the name of the only image')
    .option('-q, --quiet', 'print no warnings')
    .addOption(platformOption('only these platforms, separated by commas; repeatable (default: all)'))
    .addOption(referrersOption())
    .option('--allow-missing', 'load the platforms that are there; exit 3 if some are missing')
    .option('--strict', 'refuse unusable names, and a config whose platform differs from its descriptor')
    .option('--verify-base', 'hash the layers in the store that a thin archive leaves out')
    .option('--key <file>', 'load nothing unless this public key, or another one given, signed every image', collect)
    .option('--policy <file>', 'load nothing unless every image meets this policy (default: $LADING_POLICY)')
    .option('--no-policy', 'check no policy, whatever LADING_POLICY says')
    .option('--policy-report', 'load all the same, and tell what the policy or the keys would deny')
    .option(
      '--require-digest <digest>',
      'load nothing unless every image has this digest, or another one given',
      collect,
    )
    .addOption(onConflictOption())
    .option('--unpack <dir>', 'then make the root file system of the one image that was loaded');
  return withTreeOptions(one, ', with --unpack')
    .addHelpText('after', LOAD_NOTE)
    .addOption(progressOption())
    .action((options: LoadCommandOptions) =>
      run(options, async (context) => (await import('./commands/load.js')).load(options, context), 'load'),
    );
}

function tagCommand(): Command {
  return command('tag', 'Give an image one more name')
    .argument('<source>', 'a name or id')
    .argument('<name>', 'the new name')
    .action((source: string, name: string, options: CommonOptions) =>
      run(options, async () => (await import('./commands/edit.js')).tag(source, name, options)),
    );
}

function removeCommand(): Command {
  return command('rm', 'Remove images, or platforms of an image')
    .argument('<image...>', 'names or ids; a name without a tag means its tag latest')
    .option('-a, --all-tags', 'a name without a tag means every tag of its repository')
    .addOption(platformOption('remove only the content of these platforms (default: the whole image)'))
    .action((names: string[], options: RemoveCommandOptions) =>
      run(options, async () => (await import('./commands/edit.js')).remove(names, options)),
    );
}

function pruneCommand(): Command {
  return command('prune', 'Remove images that have lost their name, and unused blobs')
    .option('--dangling', 'also remove images that were loaded without a name')
    .option('--grace <time>', 'keep what is younger than this: 0, 90s, 15m, 24h, 7d', '1h')
    .option('--resume <time>', 'how long to keep blobs of interrupted loads, for a new try', '24h')
    .option('--dry-run', 'delete nothing; print what would go, and what keeps the rest')
    .action((options: PruneCommandOptions) =>
      run(options, async () => (await import('./commands/prune.js')).prune(options)),
    );
}

function verifyCommand(): Command {
  return command('verify', 'Hash every blob, report what is damaged or missing, and move damaged blobs away')
    .argument('[image...]', 'names or ids (default: the whole store)')
    .option('--archive <file>', 'verify an archive instead (- for stdin)')
    .option('--base <place>', 'an archive or store that has what a thin archive leaves out; repeatable', collect)
    .option('--deep', 'also unpack every layer and compare it with its diff id')
    .option('--strict', 'count unusable names, and a config whose platform differs from its descriptor, as damage')
    .option('--complete', 'demand that all that the images list is there; exit 4 if not')
    .addOption(platformOption('demand that each image has these platforms whole; exit 4 if not'))
    .option(
      '--key <file>',
      'demand a signature by this public key; exit 9 if not (may be repeated: by any of them)',
      collect,
    )
    .option('--policy <file>', 'demand that every image meets this policy; exit 9 if not')
    .option('--dry-run', 'leave damaged blobs where they are')
    .addOption(progressOption())
    .action((names: string[], options: VerifyCommandOptions) =>
      run(options, async (context) => (await import('./commands/verify.js')).verify(names, options, context), 'verify'),
    );
}

const HOSTS =
  'unix:///PATH, tcp://HOST:PORT or fd:// (sockets of systemd); repeatable (default: lading/lading.sock in $XDG_RUNTIME_DIR)';

function serveCommand(): Command {
  return withServedRegistries(command('serve', 'Serve the image part of the Docker Engine API, for the docker command'))
    .option('-H, --host <url>', HOSTS, collect)
    .option('--socket-mode <mode>', 'permissions of a unix socket', '0600')
    .option('--tlsverify', 'use TLS over TCP; every client needs a certificate')
    .option('--tlscacert <file>', 'certificate of the authority that signs the certificates of clients')
    .option('--tlscert <file>', "the server's certificate")
    .option('--tlskey <file>', "the server's key")
    .option('--insecure-no-tls', 'TCP without TLS, on loopback only')
    .option('--server-name <name>', 'a host name by which clients reach this server; repeatable', collect)
    .option('--max-transfers <number>', 'most archives on their way at once', '256')
    .option('--max-connections <number>', 'most connections at once on each socket', '1024')
    .option('--headers-timeout <time>', 'how long the headers of a request may take', '10s')
    .option('--idle-timeout <time>', 'how long an upload may bring no data', '30s')
    .option('--stall-timeout <time>', 'how long a client may read nothing', '10m')
    .option('--stop-timeout <time>', 'how long transfers may go on after the first signal', '30s')
    .option('--ui', 'serve the pages of the images, GET /ui, over TCP, too')
    .option('--allow-prune-all', 'let docker image prune -a remove every image')
    .option('--policy <file>', 'give a name only to images that meet this policy (default: $LADING_POLICY)')
    .option('--no-policy', 'check no policy, whatever LADING_POLICY says')
    .option('--audit-log <file>', 'append the audit to this file (default: stderr)')
    .action((options: ServeOptions) =>
      run(options, async (context) => (await import('./commands/serve.js')).serve(options, context)),
    );
}
