import type { About, Results } from './report.js';
import type { Outcome } from './run-case.js';

const WIDTH = 860;
const LABEL_WIDTH = 300;
const BAR_WIDTH = 400;
const BAR_HEIGHT = 13;
const ROW_HEIGHT = 46;
const TOP = 64;

/**
 * A bar chart of the results as SVG, the same for the same results. Shows for each case how fast Lading was, its
 * yardstick and the goal. The longest of the three fills the width, so bars of different cases cannot be compared.
 */
export function toChart({ about, outcomes }: Results): string {
  const rows = outcomes.flatMap(rowOf);
  const height = TOP + rows.length * ROW_HEIGHT + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    '<title>Speed of Lading beside its yardsticks</title>',
    CHART_STYLE,
    ...legend(about),
    ...rows.flatMap(drawRow),
    '</svg>',
    '',
  ].join('\n');
}

/** Colours for light pages, and for dark ones if the reader's system asks for them. */
export const CHART_STYLE = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.ours { fill: #0969da }
.theirs { fill: #afb8c1 }
.goal { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .small { fill: #9198a1 }
  .ours { fill: #4493f8 }
  .theirs { fill: #656c76 }
  .goal { stroke: #f85149 }
}
</style>`;

/** One case: how fast Lading is, and its goal, where the yardstick is 1. */
interface Row {
  readonly title: string;
  readonly yardstick: string;
  readonly ratio: number;
  readonly goal: number;
}

function rowOf({ title, performances }: Outcome): readonly Row[] {
  // The second contestant is the yardstick. A case without a goal for it has no bars.
  const { name, ratio, goal } = performances[1] ?? {};
  return name === undefined || ratio === undefined || goal === undefined
    ? []
    : [{ title, yardstick: name, ratio, goal }];
}

function legend({ archiveBytes, stores, machine, rounds }: About): readonly string[] {
  const size = (archiveBytes / 1e9).toFixed(2);
  return [
    `<text x="8" y="20">Speed, longer is faster: Lading (blue) beside its yardstick (grey); red: the goal</text>`,
    `<text x="8" y="40" class="small">${escaped(`${size} GB in 8 platforms on ${stores}, medians of ${rounds} rounds, ${machine}`)}</text>`,
  ];
}

function drawRow({ title, yardstick, ratio, goal }: Row, at: number): readonly string[] {
  const [left, top] = [LABEL_WIDTH, TOP + at * ROW_HEIGHT];
  const unit = BAR_WIDTH / Math.max(1, ratio, goal);
  const bar = (kind: string, value: number, y: number): string =>
    `<rect class="${kind}" x="${left}" y="${y}" width="${(value * unit).toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`;
  const end = left + BAR_WIDTH + 10;
  return [
    `<text x="8" y="${top + 18}">${escaped(title)}</text>`,
    bar('ours', ratio, top),
    bar('theirs', 1, top + BAR_HEIGHT + 2),
    goalMark(left + goal * unit, top),
    `<text x="${end}" y="${top + 11}">${ratio.toFixed(2)} (goal ${goal})</text>`,
    `<text x="${end}" y="${top + 26}" class="small">${escaped(yardstick)}</text>`,
  ];
}

function goalMark(x: number, top: number): string {
  const place = x.toFixed(1);
  return `<line class="goal" x1="${place}" x2="${place}" y1="${top - 3}" y2="${top + BAR_HEIGHT + 3}"/>`;
}

/** Text that an SVG may contain. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
