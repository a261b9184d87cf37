import { Argument, type Command } from 'commander';
import type { CommonOptions } from './command-context.js';
import { collect, command } from './command-options.js';
import type { DoctorOptions } from './commands/doctor.js';
import { withRegistryOptions } from './registry-options.js';
import { run } from './run-command.js';

/* The commands that are about Lading itself. */

const COMPLETION_NOTE = `
bash: source <(lading completion bash), in ~/.bashrc
zsh:  source <(lading completion zsh), in ~/.zshrc after compinit
fish: lading completion fish > ~/.config/fish/completions/lading.fish`;

/** All of them. */
export function helpCommands(): readonly Command[] {
  return [doctorCommand(), completionCommand()];
}

function doctorCommand(): Command {
  return withRegistryOptions(command('doctor', 'Check what Lading needs: program, store, disk, registries'))
    .option('--registry <host>', 'also check that this registry answers; repeatable', collect)
    .option('--ssh <host>', 'also check that this machine has lading; repeatable', collect)
    .option('--write-test', 'also write a small file into the store, and remove it')
    .option('--strict', 'exit with 1 for what is only worth a look, too')
    .action((options: DoctorOptions) =>
      run(options, async (context) => (await import('./commands/doctor.js')).doctor(options, context)),
    );
}

function completionCommand(): Command {
  return command('completion', 'Print what completes words in a shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', COMPLETION_NOTE)
    .action((shell: string, options: CommonOptions) =>
      run(options, async () => (await import('./commands/completion.js')).completion(shell)),
    );
}
