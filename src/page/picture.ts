import type { LayerReport } from '../inspect/platform-facts.js';
import type { Digest } from '../model/digest.js';
import { groupBy } from '../model/group-by.js';
import { formatBytes } from '../model/shown-text.js';
import { cut, html, type Markup } from './markup.js';
import { instructionOf, SIGNS, type PageModel, type PageRow } from './rows.js';
import { BLOCK_GAP, drawnLayers, LEAST_BLOCK, LEFT, scaleOf, type Scale } from './scale.js';

/** The most rows and blocks that are drawn; a larger picture would help nobody. */
const MOST_ROWS = 200;
const MOST_BLOCKS = 5000;

/** Heights, in units of the picture. */
const TOP = 22;
const BAR = 30;
const BETWEEN_ROWS = 46;
const HEADING = 36;

/** The widest name that fits beside a bar. */
const NAME_CHARACTERS = 26;

/** A block, and where it stands. */
interface Block {
  readonly layer: LayerReport;
  readonly number: number;
  readonly x: number;
  readonly width: number;
}

interface PlacedRow {
  readonly row: PageRow;
  readonly y: number;
  readonly blocks: readonly Block[];
}

interface Heading {
  readonly text: string;
  readonly y: number;
}

/** One bar for each platform, bottom layer first, all to one scale; or a note if there are too many. */
export function pictureOf(model: PageModel): Markup {
  const { rows } = model;
  const blocks = rows.reduce((sum, row) => sum + drawnLayers(row).length, 0);
  if (rows.length > MOST_ROWS || blocks > MOST_BLOCKS)
    return html`<p class="dim">
      ${rows.length} platforms with ${blocks} layers are too many for a picture; the tables below have them all.
    </p>`;
  const scale = scaleOf(rows);
  const { placed, headings, height } = place(model, scale);
  return html`<div class="legend">
      <span><i class="lg0"></i>lettered: used by several platforms</span><span><i class="lg1"></i>grey: only here</span
      ><span><i class="lg2"></i>hatched: missing</span
      ><span>bottom layer first; blocks under ${LEAST_BLOCK} px are drawn as ${LEAST_BLOCK} px</span>
    </div>
    <div class="pic">
      <svg
        viewBox="0 0 ${round(scale.width)} ${height}"
        role="group"
        aria-labelledby="pt pd"
        ${scale.width > 1000 ? html` class="wide"` : undefined}
      >
        <title id="pt">Layers of each platform, widths to scale</title>
        <desc id="pd">
          One bar for each platform, bottom layer first. Lettered layers are used by several platforms; hatched ones are
          missing. The tables below say the same.
        </desc>
        <defs>
          <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="7" height="7" class="hb" />
            <line x1="0" y1="0" x2="0" y2="7" class="hl" />
          </pattern>
        </defs>
        ${axisOf(scale, height)}${ribbonsOf(placed, model)}
        ${headings.map(({ text, y }) => html`<text class="im" x="0" y="${y}">${nameWithin(text)}</text>`)}
        ${placed.map((one) => rowOf(one, model))}
      </svg>
    </div>`;
}

/** Rows of one image stand in their order; of several images those of one platform stand together. */
function place(
  { rows, isOneImage }: PageModel,
  scale: Scale,
): { readonly placed: readonly PlacedRow[]; readonly headings: readonly Heading[]; readonly height: number } {
  const groups = isOneImage ? [['', rows] as const] : [...groupBy(rows, ({ platform }) => platform.platform)];
  const placed: PlacedRow[] = [];
  const headings: Heading[] = [];
  let y = TOP + 8;
  for (const [text, members] of groups) {
    if (text !== '' && text !== undefined) {
      headings.push({ text, y: y + 6 });
      y += HEADING - 14;
    }
    for (const row of members) {
      placed.push({ row, y, blocks: blocksOf(row, scale) });
      y += BETWEEN_ROWS;
    }
    if (!isOneImage) y += HEADING / 2;
  }
  return { placed, headings, height: y };
}

function blocksOf(row: PageRow, { perByte }: Scale): readonly Block[] {
  let x = LEFT;
  const numbers = new Map((row.platform.layers ?? []).map((layer, at) => [layer, at + 1]));
  return drawnLayers(row).map((layer) => {
    const block = { layer, number: numbers.get(layer) ?? 0, x, width: Math.max(LEAST_BLOCK, layer.size * perByte) };
    x += block.width + BLOCK_GAP;
    return block;
  });
}

function axisOf({ perByte, ticks }: Scale, height: number): readonly Markup[] {
  return ticks.map((bytes) => {
    const x = round(LEFT + bytes * perByte);
    return html`<line class="gr" x1="${x}" x2="${x}" y1="${TOP}" y2="${height - 6}" /><text class="ax" x="${x}" y="14"
        >${bytes === 0 ? '0' : formatBytes(bytes)}</text
      >`;
  });
}

/** A shared layer has a pale ribbon to the next row if that has it too. Only neighbours: longer ribbons would cross. */
function ribbonsOf(placed: readonly PlacedRow[], { marks }: PageModel): readonly Markup[] {
  return placed.slice(1).flatMap((lower, at) => {
    const upper = placed[at];
    if (upper === undefined) return [];
    const below = firstBlocks(lower.blocks);
    return [...firstBlocks(upper.blocks).values()].flatMap((from) => {
      const to = below.get(from.layer.digest);
      if (to === undefined || from.layer.state !== 'present' || to.layer.state !== 'present') return [];
      const hue = marks.get(from.layer.digest)?.hue ?? 'own';
      const [top, bottom] = [upper.y + BAR, lower.y];
      return [
        html`<path
          class="lk ${hue}"
          d="M${round(from.x)} ${top}L${round(from.x + from.width)} ${top}L${round(to.x + to.width)} ${bottom}L${round(to.x)} ${bottom}Z"
        />`,
      ];
    });
  });
}

/** A layer may stand in an image twice. */
function firstBlocks(blocks: readonly Block[]): ReadonlyMap<Digest, Block> {
  return new Map(blocks.toReversed().map((block) => [block.layer.digest, block]));
}

function rowOf({ row, y, blocks }: PlacedRow, model: PageModel): Markup {
  const { isOneImage } = model;
  const sign = html`<tspan class="st-${row.state}" aria-hidden="true">${SIGNS[row.state]} </tspan>`;
  const name = isOneImage ? row.platform.platform : row.label;
  const label = html`<text class="pl" x="${isOneImage ? 0 : 12}" y="${y + 20}">${sign}${nameWithin(name)}</text>`;
  if (row.state === 'absent')
    return html`${label}<rect class="absent" x="${LEFT}" y="${y}" width="160" height="${BAR}" rx="3" /><text
        class="note"
        x="${LEFT + 10}"
        y="${y + 20}"
        >listed, not here</text
      >`;
  const last = blocks.at(-1);
  const end = last === undefined ? LEFT : last.x + last.width;
  return html`${label}${blocks.map((block) => blockOf(block, { row, y, model }))}<text
      class="tot"
      x="${round(end + 10)}"
      y="${y + 20}"
      >${formatBytes(row.platform.bytes ?? 0)}</text
    >`;
}

function blockOf(
  { layer, number, x, width }: Block,
  { row, y, model }: { readonly row: PageRow; readonly y: number; readonly model: PageModel },
): Markup {
  const mark = model.marks.get(layer.digest);
  const isMissing = layer.state === 'missing';
  const kind = isMissing ? 'miss' : (mark?.hue ?? 'own');
  const letter = !isMissing && mark !== undefined && width >= 10 + mark.letter.length * 9 ? mark.letter : undefined;
  const texts = [
    letter === undefined ? undefined : html`<text class="lt" x="${round(x + 8)}" y="${y + 20}">${letter}</text>`,
    sizeText(layer, width, { x: x + width - 8, y: y + 19 }),
  ].filter((text) => text !== undefined);
  return html`<a href="#${row.id}" class="b ${kind}" data-d="${layer.digest}"
    ><title>${titleOf(layer, number, model)}</title
    ><rect x="${round(x)}" y="${y}" width="${round(width)}" height="${BAR}" rx="2" />${texts}</a
  >`;
}

/** What fits of state and size. */
function sizeText(
  { state, size }: LayerReport,
  width: number,
  { x, y }: { readonly x: number; readonly y: number },
): Markup | undefined {
  const bytes = formatBytes(size);
  const wanted = state === 'missing' ? [`missing ${bytes}`, 'missing'] : [bytes];
  const text = wanted.find((one) => width >= one.length * 7.2 + 34);
  return text === undefined ? undefined : html`<text class="sz" x="${round(x)}" y="${y}">${text}</text>`;
}

/** The most of an instruction that a block tells; the tables have more. */
const TITLE_CHARACTERS = 300;

function titleOf(layer: LayerReport, number: number, { marks, users }: PageModel): string {
  const letter = marks.get(layer.digest)?.letter;
  const count = users.get(layer.digest)?.length ?? 1;
  return [
    `${letter === undefined ? '' : `${letter} · `}layer ${number}`,
    formatBytes(layer.size),
    ...(layer.createdBy === undefined ? [] : [cut(instructionOf(layer.createdBy), TITLE_CHARACTERS)]),
    ...(count > 1 ? [`used by ${count} platforms`] : []),
    ...(layer.state === 'missing' ? ['missing'] : []),
    ...(layer.state === 'base' ? ['in base'] : []),
  ].join(', ');
}

/** A name that fits, cut in its middle; the whole one comes with the pointer. */
function nameWithin(name: string): Markup {
  if (name.length <= NAME_CHARACTERS) return html`${name}`;
  const start = Math.floor(NAME_CHARACTERS / 3);
  return html`<title>${cut(name)}</title>${`${name.slice(0, start)}…${name.slice(start + 1 - NAME_CHARACTERS)}`}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
