import { printable } from '../model/shown-text.js';

/* Trees as lines. They are drawn in Unicode, and put into ASCII at the end where the terminal knows no more. */

/** A line of a tree with the lines below it. */
export interface Branch {
  readonly text: string;
  readonly below?: readonly Branch[];
}

/** The lines of branches that hang on the line before. */
export function drawBranches(branches: readonly Branch[], indent = ''): readonly string[] {
  return branches.flatMap(({ text, below = [] }, at) => {
    const [arm, space] = at === branches.length - 1 ? ['└─ ', '   '] : ['├─ ', '│  '];
    return [`${indent}${arm}${text}`, ...drawBranches(below, indent + space)];
  });
}

/** Cells of a column, filled up on the left for numbers and else on the right. */
export function column(cells: readonly string[], align: 'left' | 'right'): readonly string[] {
  const width = cells.reduce((most, { length }) => Math.max(most, length), 0);
  return cells.map((cell) => (align === 'left' ? cell.padEnd(width) : cell.padStart(width)));
}

/** How lines are shown: within a width, and in Unicode or in ASCII only. */
export interface LineStyle {
  readonly width?: number | undefined;
  readonly unicode: boolean;
}

/** Lines fit for a terminal: a longer one is cut at its end. */
export function fitLines(lines: readonly string[], { width, unicode }: LineStyle): readonly string[] {
  return lines.map((line) => {
    const safe = unicode ? printable(line) : toAscii(printable(line));
    if (width === undefined || safe.length <= width) return safe.trimEnd();
    const end = unicode ? '…' : '...';
    return safe.slice(0, Math.max(0, width - end.length)) + end;
  });
}

const ASCII: Readonly<Record<string, string>> = {
  '├─': '|-',
  '└─': '`-',
  '│': '|',
  '●': '*',
  '◐': '!',
  '○': 'o',
  '·': '-',
  '–': '-',
  '…': '...',
};

function toAscii(line: string): string {
  return line.replaceAll(/[├└]─|[│●◐○·–…]/g, (drawn) => ASCII[drawn] ?? '?').replaceAll(/[^ -~]/gu, '?');
}

/** Whether the user's environment names UTF-8 (POSIX, "Environment Variables": LC_ALL, LC_CTYPE, LANG in this order). */
export function isUnicode({ LC_ALL = '', LC_CTYPE = '', LANG = '' }: NodeJS.ProcessEnv = process.env): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG);
}
