import { parseArgs } from 'node:util';

/** What a benchmark run has to do. */
export interface BenchOptions {
  /** Bytes of content in the layers. */
  readonly bytes: number;
  readonly rounds: number;
  /** How many blobs the cases of small blobs move. */
  readonly smallBlobs: number;
  /** Names of cases; none: all. */
  readonly cases: readonly string[];
  readonly directory?: string;
  /** Another build of the command to measure. */
  readonly main?: string;
  readonly json?: string;
  readonly write: boolean;
  /** Sizes, numbers of blobs and numbers of platforms one after another, instead of the cases. */
  readonly growth: boolean;
  readonly help: boolean;
}

/** How the command line is used. */
export const USAGE = `npm run bench -- [options]

  --size small|medium|large|huge   64 MiB (default), 1, 4 or 16 GiB of layers
  --bytes N                        any other size
  --runs N                         rounds of each case (default 5; for --growth 3)
  --case NAME                      only this case; repeatable
  --growth                         instead of the cases: 64 MiB to 1 GiB (4 with --size large, 16 with huge), 1 to 10 000 blobs,
                                   1 to 1 000 platforms; 1 to 64 clients of a server, each with 4 MiB
  --dir DIR                        where stores are written (default: memory, if there is room)
  --main FILE                      the command to measure (default: dist/bin/main.js)
  --quick                          small, 1 000 small blobs, 2 rounds
  --json FILE                      also write every sample
  --write                          also write benchmarks/results.md, results.json and chart.svg; growth.svg for --growth
`;

const MIB = 1024 * 1024;
const SIZES: Readonly<Record<string, number>> = {
  small: 64 * MIB,
  medium: 1024 * MIB,
  large: 4096 * MIB,
  huge: 16_384 * MIB,
};

/** Reads the command line. Throws an error if it is not valid. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { quick, dir, main, json, write, growth, help } = values;
  return {
    bytes: values.bytes === undefined ? sizeOf(quick ? 'small' : values.size) : wholeNumber('--bytes', values.bytes),
    rounds: wholeNumber('--runs', values.runs ?? (quick ? '2' : growth ? '3' : '5')),
    smallBlobs: quick ? 1000 : 10_000,
    cases: values.case,
    ...(dir !== undefined && { directory: dir }),
    ...(main !== undefined && { main }),
    ...(json !== undefined && { json }),
    write,
    growth,
    help,
  };
}

const OPTIONS = {
  size: { type: 'string', default: 'small' },
  bytes: { type: 'string' },
  runs: { type: 'string' },
  case: { type: 'string', multiple: true, default: [] as string[] },
  growth: { type: 'boolean', default: false },
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
