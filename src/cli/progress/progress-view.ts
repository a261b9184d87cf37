import { formatBytes, printable } from '../../model/shown-text.js';
import type { Shown } from './progress-state.js';

/** The terminal: its width, and whether it shows more than ASCII. */
export interface Screen {
  readonly columns: number;
  readonly isUnicode: boolean;
}

/** Lines below the first one. */
const MAX_BLOB_LINES = 6;

const BAR_CELLS = 30;

/* From these widths on a line has its bar, its bytes, and its rate and time left. */
const BAR_COLUMNS = 100;
const BYTES_COLUMNS = 60;
const RATE_COLUMNS = 34;

/** The lines that show how an operation goes. None is as wide as the screen, so that no terminal wraps one. */
export function viewLines(shown: Shown, screen: Screen): readonly string[] {
  const { active } = shown;
  const isAll = active.length <= MAX_BLOB_LINES;
  const lines = active.slice(0, isAll ? active.length : MAX_BLOB_LINES - 1).map((blob) => blobLine(blob, screen));
  const more = isAll ? [] : [`  and ${active.length - lines.length} more`];
  return [headLine(shown, screen), ...lines, ...more].map((line) => line.slice(0, screen.columns - 1).trimEnd());
}

function headLine(shown: Shown, screen: Screen): string {
  const right = factsOf(shown, screen).join('  ');
  const bar = screen.columns >= BAR_COLUMNS && shown.percent !== undefined ? `${barOf(shown, screen)} ` : '';
  const room = screen.columns - 1 - right.length - bar.length - 1;
  const label = labelFor(shown, room, screen);
  return label === '' ? right.trimStart() : `${bar === '' ? label : label.padEnd(room)} ${bar}${right}`;
}

/** The percentage, the bytes, the rate and the time left, as far as there is room; the first one always. */
function factsOf({ percent, current, total, rate, etaMs }: Shown, { columns }: Screen): readonly string[] {
  const speed = columns >= RATE_COLUMNS ? [`${formatBytes(rate)}/s`] : [];
  if (percent === undefined || total === undefined) return [` ${formatBytes(current)}`, ...speed];
  const bytes = columns >= BYTES_COLUMNS ? [`${formatBytes(current)} / ${formatBytes(total)}`] : [];
  const left = columns >= RATE_COLUMNS ? [`ETA ${etaMs === undefined ? '--' : formatTime(etaMs)}`] : [];
  return [`${percent}%`.padStart(4), ...bytes, ...speed, ...left];
}

/** The image and the platform; where there is little room, the end of the name goes first, then the platform. */
function labelFor({ op, image, platform }: Shown, room: number, { isUnicode }: Screen): string {
  const name = printable(image ?? op);
  const where = platform === undefined ? '' : ` ${printable(platform)}`;
  if (name.length + where.length <= room) return `${name}${where}`;
  const mark = isUnicode ? '…' : '~';
  const forName = room - where.length - mark.length;
  if (forName >= MIN_NAME) return `${name.slice(0, forName)}${mark}${where}`;
  if (name.length <= room) return name;
  return room > MIN_NAME ? `${name.slice(0, room - mark.length)}${mark}` : '';
}

/** A shorter piece of a name says nothing. */
const MIN_NAME = 4;

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function barOf({ current, total = 0 }: Shown, { isUnicode }: Screen): string {
  const filled = total === 0 ? BAR_CELLS : Math.min(BAR_CELLS, (current / total) * BAR_CELLS);
  const whole = Math.floor(filled);
  if (!isUnicode) return `[${'#'.repeat(whole).padEnd(BAR_CELLS, '-')}]`;
  const part = EIGHTHS[Math.floor((filled - whole) * EIGHTHS.length)] ?? '';
  return `▕${`${'█'.repeat(whole)}${part}`.padEnd(BAR_CELLS)}▏`;
}

function blobLine({ id, kind, current, total }: Shown['active'][number], { columns }: Screen): string {
  const left = `  ${kind === 'other' ? 'blob' : kind} ${printable(id).replace(/^(\w+:[0-9a-f]{12})[0-9a-f]+$/, '$1')}`;
  const right = `${formatBytes(current)} / ${formatBytes(total)}`;
  const gap = columns - 1 - left.length - right.length;
  return gap < 2 ? left : `${left}${' '.repeat(gap)}${right}`;
}

/** A time as people read it: `3s`, `2m 05s`, `1h 02m`. */
export function formatTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
