import { printable } from '../model/shown-text.js';

/** HTML that is safe to put into a page. Only `html` and `raw` make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: texts are escaped, markup stays. */
export type Part = string | number | Markup | undefined | readonly Markup[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text as content or as a quoted attribute. What a browser would obey, such as a change of direction, is replaced. */
export function escapeHtml(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '');
}

/** A template: html`<td>${text}</td>`. Its own line breaks count as a space; those of the texts stay. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((text, at) => text.replaceAll(/\s*\n\s*/g, ' ') + textOf(parts[at])).join(''));
}

/** Text of the page's own, such as its style. */
export function raw(text: string): Markup {
  return new Markup(text);
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  return typeof part === 'object' ? part.map(({ text }) => text).join('') : escapeHtml(String(part));
}

/** The most characters of one text of a stranger in a table; the data of the page has all of it. */
const MOST = 2000;

/** A text for a table, cut with a note if it is very long. */
export function cut(text: string, most = MOST): string {
  return text.length <= most ? text : `${text.slice(0, most)} … (${text.length - most} more characters)`;
}

/**
 * A value as JSON in a `<script>` of data. Nothing in it can end the script, and characters that would change how an
 * editor shows it are written as escapes.
 */
export function jsonData(value: unknown): Markup {
  const unsafe = /[<\u007f-\u009f\u2028\u2029\p{Cf}]/gu;
  return raw(JSON.stringify(value).replaceAll(unsafe, (mark) => mark.split('').map(escapeUnit).join('')));
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
