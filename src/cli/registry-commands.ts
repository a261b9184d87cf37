import type { Command } from 'commander';
import {
  collect,
  command,
  indexOption,
  onConflictOption,
  platformOption,
  progressOption,
  referrersOption,
} from './command-options.js';
import type { CopyCommandOptions } from './commands/copy-choices.js';
import type { CopyListOptions } from './commands/copy-list.js';
import type { LoginOptions } from './commands/login.js';
import type { TagsOptions } from './commands/registry.js';
import { withRegistryOptions } from './registry-options.js';
import { run } from './run-command.js';
import { withSkopeoOptions } from './skopeo-options.js';
import type { TrustFiles } from './trust-files.js';

/* The commands that speak with registries. */

const PLACES = `
SRC and DST are docker://NAME for a registry, store:NAME for the store, oci:DIR[:TAG],
oci-archive:FILE[:NAME] or docker-archive:FILE[:NAME]; the FILE - is stdin or stdout.`;

/** All of them. */
export function registryCommands(): readonly Command[] {
  return [
    copyCommand(),
    pullCommand(),
    pushCommand(),
    tagsCommand(),
    registryCommand(),
    loginCommand(),
    logoutCommand(),
  ];
}

function withCopyOptions(one: Command): Command {
  return withRegistryOptions(
    one
      .addOption(platformOption('only these platforms, separated by commas; repeatable (default: all)'))
      .addOption(indexOption())
      .addOption(referrersOption())
      .option('--allow-missing', 'copy the platforms that are there; exit 3 if some are missing')
      .addOption(onConflictOption())
      .option('-a, --all-tags', 'every tag of the repository')
      .option('--key <file>', 'copy nothing unless this public key, or another one given, signed every image', collect)
      .option('--policy <file>', 'copy nothing unless every image meets this policy')
      .option('-q, --quiet', 'print no warnings')
      .addOption(progressOption()),
  );
}

function copyCommand(): Command {
  const copying = command('copy', 'Copy images between registries, the store, layouts and archives');
  return withSkopeoOptions(withCopyOptions(copying))
    .argument('[place...]', 'SRC and DST')
    .option(
      '--from-file <file>',
      'copy the lines "SRC DST" of a file, or a sync document (- for stdin); go on after a failure',
    )
    .option('--fail-fast', 'begin no further line after one that failed')
    .option('--jobs <number>', 'lines at once', '4')
    .option('--report <file>', 'append a line of JSON for each line; a later run with it knows what is up to date')
    .option('--dry-run', 'copy nothing; print what would be copied')
    .option('--plan <file>', 'with --dry-run: write what would be copied; else copy what such a file says')
    .option('--shard <part>', 'only a part of the plan, as in 1/4 to 4/4')
    .option('--digestfile <file>', 'write the digest of each image to a file')
    .option('--blob-jobs <number>', 'blobs at once', '4')
    .addHelpText('after', PLACES)
    .action((places: string[], options: CopyListOptions & TrustFiles) =>
      run(options, async (context) => (await import('./commands/copy-list.js')).copy(places, options, context), 'copy'),
    );
}

function pullCommand(): Command {
  return withCopyOptions(command('pull', 'Copy images from a registry into the store'))
    .argument('<image...>', 'names; without a tag: latest')
    .action((names: string[], options: CopyCommandOptions & TrustFiles) =>
      run(options, async (context) => (await import('./commands/registry.js')).pull(names, options, context), 'copy'),
    );
}

function pushCommand(): Command {
  return withCopyOptions(command('push', 'Copy an image of the store to a registry'))
    .argument('<image>', 'a name or id')
    .argument('[name]', 'the name in the registry (default: the same)')
    .action((name: string, to: string | undefined, options: CopyCommandOptions & TrustFiles) =>
      run(
        options,
        async (context) => (await import('./commands/registry.js')).push(name, to, options, context),
        'copy',
      ),
    );
}

function tagsCommand(): Command {
  return withRegistryOptions(command('tags', 'List the tags of a repository in a registry'))
    .argument('<repository>', 'a name without a tag')
    .option('--match <pattern>', 'only tags that a regular expression matches')
    .option('--exclude <pattern>', 'only tags that a regular expression does not match')
    .option('--semver <range>', 'only tags that are versions in a range, such as ">=6 <8" or "^1.2"')
    .option('--prefix <text>', 'what tags have before their version, besides v')
    .option('--suffix <text>', 'what tags have after their version, such as -alpine')
    .option('--latest <number>', 'of these, only so many, with the highest versions')
    .option('-q, --quiet', 'print no warnings')
    .action((repository: string, options: TagsOptions) =>
      run(options, async (context) => (await import('./commands/registry.js')).tags(repository, options, context)),
    );
}

function registryCommand(): Command {
  const remove = withRegistryOptions(command('rm', 'Remove a tag, or an image by its digest, from a registry'))
    .argument('<image>', 'docker://NAME:TAG or docker://NAME@DIGEST')
    .option('-q, --quiet', 'print no warnings')
    .action((name: string, options: LoginOptions) =>
      run(options, async (context) => (await import('./commands/registry.js')).removeRemote(name, options, context)),
    );
  return command('registry', 'Change a registry').addCommand(remove);
}

function loginCommand(): Command {
  return withRegistryOptions(command('login', 'Check and keep the credentials of a registry'))
    .argument('<host>', 'HOST[:PORT]')
    .option('-q, --quiet', 'print no warnings')
    .action((host: string, options: LoginOptions) =>
      run(options, async (context) => (await import('./commands/login.js')).login(host, options, context)),
    );
}

function logoutCommand(): Command {
  return command('logout', 'Forget the credentials of a registry')
    .argument('<host>', 'HOST[:PORT]')
    .option('--authfile <file>', 'the file of credentials (default: that of docker)')
    .option('-q, --quiet', 'print no warnings')
    .action((host: string, options: LoginOptions) =>
      run(options, async () => (await import('./commands/login.js')).logout(host, options)),
    );
}
