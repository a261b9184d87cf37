import type { CommanderError } from 'commander';
import { quote } from '../model/errors.js';

/** What is wrong with a command line, in our words. The second argument is the command line itself. */
export function usageMessage({ code, message }: CommanderError, [name, ...words]: readonly string[]): string {
  if (code === 'commander.excessArguments' && name === 'load') {
    const file = words.find((word) => !word.startsWith('-')) ?? 'FILE';
    return `load takes no argument; use -i to name the archive: lading load -i ${quote(file)}`;
  }
  // The suggestion of commander stands on a line of its own.
  return message.replace(/^error: /, '').replaceAll('\n', ' ');
}
