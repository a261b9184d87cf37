import { parseArgs } from 'node:util';

/** What a benchmark run was asked to do. */
export interface BenchOptions {
  /** Content of the layers. */
  readonly bytes: number;
  readonly rounds: number;
  /** Names of cases; none: all. */
  readonly cases: readonly string[];
  readonly directory?: string;
  /** Another build of the command to measure. */
  readonly main?: string;
  readonly json?: string;
  readonly write: boolean;
  readonly help: boolean;
}

/** How the command line is used. */
export const USAGE = `npm run bench -- [options]

  --size small|medium|large   64 MiB (default), 1 GiB or 8 GiB of layers
  --bytes N                   any other size
  --runs N                    rounds of each case (default 5)
  --case NAME                 only this case; repeatable
  --dir DIR                   where stores are written (default: memory, if there is room)
  --main FILE                 the command to measure (default: dist/cli/main.js)
  --quick                     small, 2 rounds
  --json FILE                 also write every sample
  --write                     also write benchmarks/results.md
`;

const MIB = 1024 * 1024;
const SIZES: Readonly<Record<string, number>> = { small: 64 * MIB, medium: 1024 * MIB, large: 8192 * MIB };

/** Reads the command line. Throws for one that cannot be understood. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { quick, dir, main, json } = values;
  return {
    bytes: values.bytes === undefined ? sizeOf(quick ? 'small' : values.size) : wholeNumber('--bytes', values.bytes),
    rounds: quick ? 2 : wholeNumber('--runs', values.runs),
    cases: values.case,
    ...(dir !== undefined && { directory: dir }),
    ...(main !== undefined && { main }),
    ...(json !== undefined && { json }),
    write: values.write,
    help: values.help,
  };
}

const OPTIONS = {
  size: { type: 'string', default: 'small' },
  bytes: { type: 'string' },
  runs: { type: 'string', default: '5' },
  case: { type: 'string', multiple: true, default: [] as string[] },
  dir: { type: 'string' },
  main: { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'string' },
  write: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

function sizeOf(name: string): number {
  const bytes = SIZES[name];
  if (bytes === undefined) throw new Error(`--size is one of ${Object.keys(SIZES).join(', ')}, not ${name}`);
  return bytes;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option} takes a whole number above 0, not ${text}`);
  return value;
}
