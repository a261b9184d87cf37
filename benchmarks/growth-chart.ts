import { CHART_STYLE, escaped } from './chart.js';
import { MAX_RSS_BYTES } from './contestants.js';
import { CLIENTS } from './growth-clients.js';
import type { GrowthRow, Result, Work } from './growth-rows.js';

const PANEL_WIDTH = 280;
const PANEL_HEIGHT = 170;
const LEFT = 52;
const TOP = 70;
const GAP_X = 60;
const GAP_Y = 76;

const COLOURS: Readonly<Record<Work, string>> = { load: '#0969da', save: '#1a7f37', plan: '#bc4c00' };

/** A value of a row to draw. `isLog`: ten times as much is one step up. */
interface Axis {
  readonly title: string;
  readonly of: (result: Result) => number;
  readonly isLog: boolean;
  readonly goal?: number;
}

const AXES: readonly Axis[] = [
  { title: 'seconds', of: ({ seconds }) => seconds, isLog: true },
  {
    title: 'peak RSS, MiB',
    of: ({ rssMib }) => rssMib,
    isLog: false,
    goal: MAX_RSS_BYTES / 1024 / 1024,
  },
];

/** Curves of time and memory as SVG, a column for each series, the same for the same rows. */
export function toGrowthChart(rows: readonly GrowthRow[]): string {
  const series = [...new Set(rows.map((row) => row.series))];
  const width = LEFT + series.length * (PANEL_WIDTH + GAP_X);
  const height = TOP + AXES.length * (PANEL_HEIGHT + GAP_Y);
  const panels = series.flatMap((name, column) =>
    AXES.flatMap((axis, line) => {
      const [x, y] = [LEFT + column * (PANEL_WIDTH + GAP_X), TOP + line * (PANEL_HEIGHT + GAP_Y)];
      const own = rows.filter((row) => row.series === name);
      return [`<g transform="translate(${x} ${y})">`, ...drawPanel(name, goalFor(name, axis), own), '</g>'];
    }),
  );
  const legend = Object.entries(COLOURS).map(
    ([work, colour], at) => `<text x="${LEFT + at * 60}" y="44" style="fill: ${colour}">${work}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    '<title>Time and memory of Lading for images that grow, and of its server for more clients</title>',
    CHART_STYLE,
    `<text x="8" y="20">Time and memory for images that grow in one respect, and for more clients at once; red: the most memory that a command may take</text>`,
    ...legend,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

/** The goal for memory is that of one command. */
function goalFor(series: string, { goal, ...axis }: Axis): Axis {
  return series === CLIENTS || goal === undefined ? axis : { ...axis, goal };
}

function drawPanel(series: string, axis: Axis, rows: readonly GrowthRow[]): readonly string[] {
  const works = Object.keys(COLOURS) as Work[];
  const valueOf = (row: GrowthRow, work: Work): number => {
    const result = row.results[work];
    return result === undefined ? Number.NaN : axis.of(result);
  };
  const values = rows.flatMap((row) => works.map((work) => valueOf(row, work))).filter(Number.isFinite);
  const [low, high] = axis.isLog
    ? [Math.min(...values) / 1.2, Math.max(...values) * 1.2]
    : [0, Math.max(...values, axis.goal ?? 0) * 1.1];
  const scale = (value: number): number => (axis.isLog ? Math.log(value) : value);
  const y = (value: number): number =>
    PANEL_HEIGHT * (1 - (scale(value) - scale(low)) / (scale(high) - scale(low) || 1));
  const x = (at: number): number => (rows.length === 1 ? PANEL_WIDTH / 2 : (at / (rows.length - 1)) * PANEL_WIDTH);
  return [
    `<rect width="${PANEL_WIDTH}" height="${PANEL_HEIGHT}" fill="none" stroke="#afb8c1"/>`,
    `<text x="0" y="-8">${escaped(`${series}: ${axis.title}`)}</text>`,
    ...(axis.goal === undefined
      ? []
      : [
          `<line class="goal" x1="0" x2="${PANEL_WIDTH}" y1="${y(axis.goal).toFixed(1)}" y2="${y(axis.goal).toFixed(1)}"/>`,
        ]),
    ...works.map((work) => {
      const points = rows.flatMap((row, at) =>
        row.results[work] ? [`${x(at).toFixed(1)},${y(valueOf(row, work)).toFixed(1)}`] : [],
      );
      return `<polyline fill="none" stroke="${COLOURS[work]}" stroke-width="2" points="${points.join(' ')}"/>`;
    }),
    ...ticks(low, high, axis.isLog).map(
      (value) =>
        `<text class="small" text-anchor="end" x="-6" y="${(y(value) + 4).toFixed(1)}">${rounded(value)}</text>`,
    ),
    ...rows.map(
      ({ what }, at) =>
        `<text class="small" text-anchor="middle" x="${x(at).toFixed(1)}" y="${PANEL_HEIGHT + 16}">${escaped(what)}</text>`,
    ),
  ];
}

/** Three values to write beside an axis. */
function ticks(low: number, high: number, isLog: boolean): readonly number[] {
  return isLog ? [low * 1.2, Math.sqrt(low * high), high / 1.2] : [low, high / 2.2, high / 1.1];
}

function rounded(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(2);
}
