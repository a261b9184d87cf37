import { runCommand, type CommandOptions, type CommandResult } from '../fixtures/command.js';

/** Variables of every process under test: no store of the machine's own, and one thread for its file system calls. */
const ENVIRONMENT = { LADING_STORE: undefined, XDG_DATA_HOME: '/nonexistent', UV_THREADPOOL_SIZE: '1' };

/** Runs a `main.js`, the built one or a mutant, to its end. */
export async function runProgram(
  main: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return await runCommand(process.execPath, [main, ...args], { ...options, env: ENVIRONMENT });
}

/** Runs a `main.js` under strace. */
export async function straceProgram(
  main: string,
  args: readonly string[],
  straceArgs: readonly string[],
): Promise<CommandResult> {
  const program = [process.execPath, main, ...args];
  return await runCommand('strace', ['-f', '-qq', '-y', ...straceArgs, '--', ...program], { env: ENVIRONMENT });
}
