import { columnsOf } from './columns.js';
import type { Sample } from './measure.js';
import type { Outcome, Performance } from './run-case.js';
import { largest, spreadOf, type Spread } from './statistics.js';

/** What was measured, and where and how. */
export interface Results {
  readonly about: About;
  readonly outcomes: readonly Outcome[];
}

/** The circumstances of a benchmark run. */
export interface About {
  readonly lading: string;
  readonly node: string;
  readonly machine: string;
  readonly rounds: number;
  readonly archiveBytes: number;
  /** File systems: where stores are written, and where the archive is read. */
  readonly stores: string;
  readonly archives: string;
}

const MIB = 1024 * 1024;

const HEADINGS = [
  'case',
  'who',
  'wall s',
  'CPU s',
  'GB/s',
  'lading against it',
  'goal',
  'RSS MiB',
  'written MB',
  'extra MB',
] as const;

/** The results as columns for a terminal. */
export function toText({ about, outcomes }: Results): string {
  const lines = columnsOf([HEADINGS, ...outcomes.flatMap(rowsOf)]);
  return [...linesOf(about), '', ...lines, '', ...outcomes.map(noteOf)].join('\n');
}

/** The results as a page. */
export function toMarkdown({ about, outcomes }: Results): string {
  const rows = [HEADINGS, HEADINGS.map(() => '---'), ...outcomes.flatMap(rowsOf)];
  return [
    '# Benchmark results',
    '',
    'Made by `npm run bench -- --write`. Medians, with the least and the largest in brackets.',
    '',
    '![Lading against a yardstick, case by case](chart.svg)',
    '',
    ...linesOf(about).map((line) => `- ${line}`),
    '',
    ...rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`),
    '',
    ...outcomes.map((outcome) => `- ${noteOf(outcome)}`),
    '',
  ].join('\n');
}

function linesOf(about: About): readonly string[] {
  return [
    `lading ${about.lading} on Node ${about.node}, ${about.machine}`,
    `archive of ${about.archiveBytes} bytes on ${about.archives}; stores and what is unpacked on ${about.stores}`,
    `${about.rounds} rounds; "lading against it" is the median wall time of the line over Lading's: above 1, Lading is faster`,
    'RSS of the largest process, bytes written (to files and pipes) and disk taken meanwhile and given back are the largest of all rounds',
    ...(about.archives === about.stores ? [] : [COLD_ARCHIVE]),
  ];
}

/** The benchmark never drops page caches for the sake of a figure. */
const COLD_ARCHIVE = 'the archive may not stay in memory, so that wall times depend on the disk: compare CPU seconds';

function noteOf({ name, title, facts }: Outcome): string {
  return [`${name}: ${title}`, ...facts].join('; ');
}

function rowsOf(outcome: Outcome): readonly (readonly string[])[] {
  const { name, performances } = outcome;
  return performances.map((performance, at) => [
    name,
    performance.name,
    ...timeCells(performance, outcome.bytes),
    ...(at === 0 ? ['', memoryGoal(outcome)] : [ratioCell(performance), speedGoal(performance)]),
    ...amountCells(performance),
  ]);
}

function timeCells({ samples }: Performance, bytes: number | undefined): readonly string[] {
  const seconds = samples.map(({ wallMs }) => wallMs / 1000);
  const rates = bytes === undefined ? [] : seconds.map((wall) => bytes / 1e9 / wall);
  return [
    spreadCell(spreadOf(seconds), 3),
    spreadCell(spreadOf(samples.map(({ cpuMs }) => cpuMs / 1000)), 2),
    numberCell(spreadOf(rates)?.median, 1, 2),
  ];
}

function ratioCell({ ratio, ratios }: Performance): string {
  const spread = spreadOf(ratios);
  return spreadCell(spread && { ...spread, median: ratio }, 2);
}

function speedGoal({ goal, ratio }: Performance): string {
  return goal === undefined ? '' : `≥ ${goal}: ${ratio >= goal ? 'reached' : 'not reached'}`;
}

function memoryGoal({ maxRssBytes, performances }: Outcome): string {
  if (maxRssBytes === undefined) return '';
  const peak = largestOf(performances[0]?.samples ?? [], ({ peakRssBytes }) => peakRssBytes) ?? Infinity;
  return `RSS ≤ ${maxRssBytes / MIB}: ${peak <= maxRssBytes ? 'reached' : 'not reached'}`;
}

function amountCells({ samples }: Performance): readonly string[] {
  const most = (valueOf: (sample: Sample) => number | undefined): number | undefined => largestOf(samples, valueOf);
  return [
    numberCell(
      most(({ peakRssBytes }) => peakRssBytes),
      MIB,
      0,
    ),
    numberCell(
      most(({ probed }) => probed?.writtenBytes),
      1e6,
      2,
    ),
    numberCell(
      most(({ folder }) => folder && folder.peakBytes - folder.endBytes),
      1e6,
      2,
    ),
  ];
}

function largestOf(samples: readonly Sample[], valueOf: (sample: Sample) => number | undefined): number | undefined {
  return largest(samples.map(valueOf).filter((value) => value !== undefined));
}

function spreadCell(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return '';
  const [median, min, max] = [spread.median, spread.min, spread.max].map((value) => value.toFixed(digits));
  return `${median} (${min}–${max})`;
}

function numberCell(value: number | undefined, unit: number, digits: number): string {
  return value === undefined ? '' : (value / unit).toFixed(digits);
}
