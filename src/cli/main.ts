import { CommanderError } from 'commander';
import { LadingError } from '../model/errors.js';
import { printError } from './console.js';
import { program } from './program.js';
import { usageMessage } from './usage-message.js';

/** The exit status for a command line that cannot be parsed. */
const USAGE = 2;

/** What the scripts of `lading completion` call. Its words are those of another command line, so they are not parsed. */
const COMPLETE = '__complete';

async function main(): Promise<void> {
  const [name, ...words] = process.argv.slice(2);
  if (name === COMPLETE) return await (await import('./commands/complete.js')).complete(words);
  const lading = program();
  for (const one of [lading, ...lading.commands]) one.exitOverride().configureOutput({ outputError: () => {} });
  try {
    await lading.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
    // For a command line without a command the help was printed.
    if (error.exitCode === 0 || error.code === 'commander.help') return;
    const message = usageMessage(error, lading.args);
    printError(new LadingError('ERR_OPTION_INVALID', message), { json: process.argv.includes('--json') });
  }
}

void main();
