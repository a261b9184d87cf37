import { Command, InvalidArgumentError, Option } from 'commander';
import { addPlatforms } from './command-context.js';
import { PROGRESS_MODES, type ProgressMode } from './progress/progress-mode.js';

/* What several commands have. */

export const platformOption = (description: string): Option =>
  new Option('--platform <list>', description).argParser(addPlatforms);
export const referrersOption = (): Option =>
  new Option('--referrers <what>', 'what to do with attestations and signatures')
    .choices(['follow', 'drop'])
    .default('follow');

export const indexOption = (): Option =>
  new Option('--index <policy>', 'keep the index of all platforms, or write a new one')
    .choices(['auto', 'preserve', 'rewrite'])
    .default('auto');
export const onConflictOption = (): Option =>
  new Option('--on-conflict <what>', 'what to do with a name that another image has')
    .choices(['replace', 'keep', 'fail'])
    .default('replace');

/** A command with the options that every command has. */
export function command(name: string, description: string): Command {
  return withCommonOptions(new Command(name).description(description));
}

/** They may stand before the command, as those of git and docker do, or behind it, where they count more. */
export function withCommonOptions(one: Command): Command {
  return one
    .option('--store <dir>', 'folder of the store (default: $LADING_STORE, or lading in the user data folder)')
    .option('--json', 'print one JSON document instead of text')
    .option('--bytes', 'print exact numbers of bytes');
}

/** How the command shows its progress. */
export function progressOption(): Option {
  return new Option('--progress <how>', `show progress on stderr: ${PROGRESS_MODES.join(', ')}`)
    .env('LADING_PROGRESS')
    .default('auto')
    .argParser(progressMode);
}

/** An empty variable of the environment counts as none. */
function progressMode(value: string): ProgressMode {
  const mode = PROGRESS_MODES.find((one) => one === (value === '' ? 'auto' : value));
  if (mode === undefined) throw new InvalidArgumentError(`It is one of ${PROGRESS_MODES.join(', ')}.`);
  return mode;
}

/** The values of an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
