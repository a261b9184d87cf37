import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { CommandContext, CommonOptions } from '../command-context.js';
import { storeFolder } from '../command-context.js';
import { describe, printLines, printReport } from '../console.js';
import { checkProgram, checkVariables } from '../doctor-machine.js';
import { checkStore } from '../doctor-store.js';
import { failed, ok, type Finding } from '../finding.js';
import { withRegistries } from '../registry-access.js';
import type { RegistryOptions } from '../registry-options.js';

export interface DoctorOptions extends CommonOptions, RegistryOptions {
  readonly registry?: readonly string[];
  readonly ssh?: readonly string[];
  readonly writeTest?: boolean;
  readonly strict?: boolean;
}

/** `lading doctor`: checks what Lading needs, one line each with what to do. Exits with 1 if something does not work. */
export async function doctor(options: DoctorOptions, context: CommandContext): Promise<number> {
  const findings = [
    ...checkProgram(process.version, process.env),
    ...checkVariables(process.env),
    ...(await checkStore(storeFolder(options.store), Date.now(), options.writeTest === true)),
  ];
  for (const host of options.registry ?? []) findings.push(await checkRegistry(host, options, context));
  for (const host of options.ssh ?? []) findings.push(await checkSsh(host));
  if (options.json === true) await printReport('doctor', { findings });
  else await printLines(linesOf(findings));
  return findings.some(({ state }) => state === 'failed' || (state === 'warning' && options.strict === true)) ? 1 : 0;
}

async function checkRegistry(host: string, options: DoctorOptions, context: CommandContext): Promise<Finding> {
  const name = `registry ${host}`;
  try {
    await withRegistries(options, context, host, async (registries) => await registries.checkLogin(host));
    return ok(name, 'answers, and takes the credentials that are kept for it, if any');
  } catch (error) {
    const { code, message } = describe(error);
    return failed(name, message, `see docs/errors.md#${code}`);
  }
}

/** How long another machine may take to answer, in milliseconds. */
const SSH_MS = 30_000;

/** Whether the machine has `lading`. Its host is one word of the command line, never an option. */
async function checkSsh(host: string): Promise<Finding> {
  const name = `ssh ${host}`;
  try {
    const args = ['-o', 'BatchMode=yes', '--', host, 'lading', '--version'];
    const { stdout } = await promisify(execFile)('ssh', args, { timeout: SSH_MS });
    return ok(name, `lading ${stdout.trim().slice(0, 40)}`);
  } catch (error) {
    const { stderr = '', message } = error as { readonly stderr?: string; readonly message: string };
    const said = stderr.trim().split('\n').at(-1) ?? '';
    return failed(name, said === '' ? message : said, 'check the connection, and that lading is in the PATH there');
  }
}

const MARKS: Readonly<Record<Finding['state'], string>> = { ok: 'ok', warning: '!', failed: 'FAILED' };

function linesOf(findings: readonly Finding[]): readonly string[] {
  const [mark, check] = [widest(findings.map(({ state }) => MARKS[state])), widest(findings.map((one) => one.check))];
  return findings.map(({ state, check: name, detail, remedy }) => {
    return `${MARKS[state].padEnd(mark)}  ${name.padEnd(check)}  ${detail}${remedy === undefined ? '' : `; ${remedy}`}`;
  });
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}
