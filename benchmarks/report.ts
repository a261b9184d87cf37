import type { Sample } from './measure.js';
import type { Outcome, Performance } from './run-case.js';
import { largest, spreadOf, type Spread } from './statistics.js';

/** What was measured, where, and how. */
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

const HEADINGS = [
  'case',
  'who',
  'wall s',
  'CPU s',
  'GB/s',
  'of yardstick',
  'RSS MiB',
  'written MB',
  'extra MB',
] as const;

/** The results as columns for a terminal. */
export function toText({ about, outcomes }: Results): string {
  const rows = [HEADINGS, ...outcomes.flatMap(rowsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [...linesOf(about), '', ...lines.map((line) => line.trimEnd()), '', ...outcomes.map(noteOf)].join('\n');
}

/** The results as a page. */
export function toMarkdown({ about, outcomes }: Results): string {
  const rows = [HEADINGS, HEADINGS.map(() => '---'), ...outcomes.flatMap(rowsOf)];
  return [
    '# Benchmark results',
    '',
    'Made by `npm run bench -- --write`. Medians, with the least and the largest in brackets.',
    '',
    ...linesOf(about).map((line) => `- ${line}`),
    '',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
    ...outcomes.map((outcome) => `- ${noteOf(outcome)}`),
    '',
  ].join('\n');
}

function linesOf(about: About): readonly string[] {
  return [
    `lading ${about.lading} on Node ${about.node}, ${about.machine}`,
    `archive of ${about.archiveBytes} bytes on ${about.archives}; stores and what is unpacked on ${about.stores}`,
    `${about.rounds} rounds; "of yardstick" is the wall time of the second line of a case over that of the line`,
    'RSS, bytes written (to files and pipes) and extra disk are the largest of all rounds',
    ...(about.archives === about.stores ? [] : [COLD_ARCHIVE]),
  ];
}

/** Page caches are left as they are: nothing here may be dropped for the sake of a figure. */
const COLD_ARCHIVE = 'the archive may not stay in memory, so that wall times depend on the disk: compare CPU seconds';

function noteOf({ name, title, figure, facts }: Outcome): string {
  return [`${name}: ${title}; to reach: ${figure}`, ...facts].join('; ');
}

function rowsOf({ name, bytes, performances }: Outcome): readonly (readonly string[])[] {
  return performances.map((performance) => [name, ...cellsOf(performance, bytes)]);
}

function cellsOf({ name, samples, ratios }: Performance, bytes: number | undefined): readonly string[] {
  const seconds = samples.map(({ wallMs }) => wallMs / 1000);
  const rates = bytes === undefined ? [] : seconds.map((wall) => bytes / 1e9 / wall);
  return [
    name,
    spreadCell(spreadOf(seconds), 3),
    spreadCell(spreadOf(samples.map(({ cpuMs }) => cpuMs / 1000)), 2),
    numberCell(spreadOf(rates)?.median, 1, 2),
    spreadCell(spreadOf(ratios), 2),
    numberCell(
      largestOf(samples, ({ probed }) => probed?.peakRssBytes),
      1024 * 1024,
      0,
    ),
    numberCell(
      largestOf(samples, ({ probed }) => probed?.writtenBytes),
      1e6,
      2,
    ),
    numberCell(
      largestOf(samples, ({ folder }) => folder && folder.peakBytes - folder.endBytes),
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
