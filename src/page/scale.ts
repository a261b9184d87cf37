import { totalBytes } from '../model/content.js';
import { layersOf, type PageRow } from './rows.js';

/** The least width of a block, so that it can be seen and hit, and the gap behind each; in units of the picture. */
export const LEAST_BLOCK = 3;
export const BLOCK_GAP = 1.5;

/** Where a row's blocks begin, and the room for its bytes behind them. */
export const LEFT = 208;
const RIGHT = 108;
const PLOT = 1000 - LEFT - RIGHT;

/** How bytes become widths, the same for all rows. */
export interface Scale {
  /** Units for one byte. */
  readonly perByte: number;
  /** The width of the whole picture. */
  readonly width: number;
  /** The bytes that the axis names. */
  readonly ticks: readonly number[];
}

/** The largest scale at which the longest row fits, with room for the least width of each block. */
export function scaleOf(rows: readonly PageRow[]): Scale {
  const most = rows.reduce((count, row) => Math.max(count, drawnLayers(row).length), 0);
  const plot = Math.max(PLOT, most * (LEAST_BLOCK + BLOCK_GAP) * 2);
  const scales = rows.map((row) => {
    const layers = drawnLayers(row);
    const bytes = totalBytes(layers.map(({ size }) => size));
    return bytes === 0 ? Number.POSITIVE_INFINITY : (plot - layers.length * (LEAST_BLOCK + BLOCK_GAP)) / bytes;
  });
  const perByte = Math.min(...scales);
  const isEmpty = perByte === Number.POSITIVE_INFINITY;
  return { perByte: isEmpty ? 0 : perByte, width: LEFT + plot + RIGHT, ticks: isEmpty ? [] : ticksOf(plot / perByte) };
}

/** A layer that is not here and need not be is only in the tables: the row could not hold its bytes. */
export function drawnLayers(row: PageRow): ReturnType<typeof layersOf> {
  return layersOf(row).filter(({ state }) => state !== 'foreign');
}

const MOST_TICKS = 6;
const STEPS = [1, 2, 2.5, 5, 10] as const;

/** At most six round numbers from 0. */
function ticksOf(bytes: number): readonly number[] {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, bytes / MOST_TICKS)));
  const step = power * (STEPS.find((one) => bytes / (one * power) < MOST_TICKS) ?? 10);
  return Array.from({ length: Math.floor(bytes / step) + 1 }, (_, at) => at * step);
}
