import { Option, type Command } from 'commander';
import { collect, command, platformOption } from './command-options.js';
import type { HaveOptions } from './commands/have.js';
import type { ImagesOptions } from './commands/images.js';
import type { InspectOptions } from './commands/inspect.js';
import { withRegistryOptions } from './registry-options.js';
import { run } from './run-command.js';

/* The commands that show what is there. */

export function imagesCommand(): Command {
  return command('images', 'List the images of the store')
    .argument('[image...]', 'names, ids, repositories, or patterns such as "example/*" (default: all)')
    .option('-q, --quiet', 'print only digests')
    .option('-f, --filter <key=value>', 'only these: reference, dangling, label, platform, ...; repeatable', collect)
    .option('--archive <file>', 'list an archive instead (- for stdin)')
    .option('--tree', 'a row for each platform, with its size, and what it shares')
    .addOption(
      new Option('--sort <by>', 'the largest or the newest first').choices(['name', 'size', 'created']).default('name'),
    )
    .action((names: string[], options: ImagesOptions) =>
      run(options, async (context) => (await import('./commands/images.js')).images(names, options, context)),
    );
}

export function haveCommand(): Command {
  return command('have', 'List the layers that are here, for a save that leaves them out')
    .argument('[image...]', 'only those of these names or ids (default: of the whole store)')
    .option('--archive <file>', 'list those of an archive instead (- for stdin)')
    .addOption(platformOption('only those of these platforms, separated by commas; repeatable (default: all)'))
    .option('--among <list>', 'only those of this list (- for stdin)')
    .option('--hold <time>', 'keep them from a prune for this time: 90s, 15m, 24h at most')
    .action((names: string[], options: HaveOptions) =>
      run(options, async (context) => (await import('./commands/have.js')).have(names, options, context)),
    );
}

export function inspectCommand(): Command {
  return withRegistryOptions(command('inspect', 'Show images and their platforms'))
    .argument('[image...]', 'names or ids; docker://NAME is an image in a registry')
    .option('--archive <file...>', 'inspect archives instead (- for stdin)')
    .option('--check-blobs', 'ask the registry for each config and layer')
    .option('--tree', 'draw a tree (default: on a terminal)')
    .option('--no-layers', 'leave the layers out')
    .option('--html <file>', 'write a page that shows it (- for stdout): one file that asks for nothing')
    .option('--html-env', 'with the values of environment variables, which may hold secrets')
    .option('--html-time', 'with the time')
    .action((images: string[], options: InspectOptions) =>
      run(options, async (context) => (await import('./commands/inspect.js')).inspect(images, options, context)),
    );
}
