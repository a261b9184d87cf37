import { Option, type Command } from 'commander';
import { command } from './command-options.js';
import type { UnpackCommandOptions } from './commands/unpack.js';
import { run } from './run-command.js';

const UNPACK_NOTE = `
Every layer is verified before the first byte is written. A directory appears whole, or not at all.`;

/** What a directory is like: of `unpack`, and of `load --unpack`. `where` ends each description. */
export function withTreeOptions(one: Command, where = ''): Command {
  return one
    .option('--bundle', `make an OCI runtime bundle, for runc or crun: rootfs and config.json${where}`)
    .addOption(
      new Option('--owner <whose>', `whose the files are (default: keep for root)${where}`).choices(['keep', 'caller']),
    )
    .option('--no-setid', `take set-id bits and file capabilities off files${where}`)
    .option('--sync', `wait until all files are on stable storage${where}`)
    .option('--max-names <number>', `most names in the tree and in one layer (default: 500000)${where}`);
}

/** `lading unpack`. */
export function unpackCommand(): Command {
  const one = command('unpack', 'Make the root file system of an image')
    .argument('<image>', 'a name or id')
    .argument('<target>', 'a directory that is absent or empty, or - for one tar on stdout')
    .option('-q, --quiet', 'print no warnings')
    .option('--platform <platform>', 'unpack this platform (default: local, the best for this machine)');
  return withTreeOptions(one)
    .addOption(
      new Option('--order <order>', 'of the flat tar: all directories last, or each before its first child').choices([
        'directories-last',
        'parents-first',
      ]),
    )
    .option('--strict', 'refuse, before anything is written, what would leave something out')
    .addHelpText('after', UNPACK_NOTE)
    .action((image: string, target: string, options: UnpackCommandOptions) =>
      run(options, async (context) => (await import('./commands/unpack.js')).unpack(image, target, options, context)),
    );
}
