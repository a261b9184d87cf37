import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../fixtures/tables.js';

/** A fenced block of a page. */
export interface DocBlock {
  /** The page and the line of the fence, as in `README.md:21`. */
  readonly place: string;
  readonly language: string;
  readonly text: string;
  /** The reason of `<!-- doc: skip: REASON -->` above it. */
  readonly skip?: string;
}

const BLOCK = /(?:<!-- doc: skip: ([^>]*) -->\n+)?^```(\w+)\n([^]*?)^```$/gm;

/** The blocks with a language in README.md and docs/, in their order. */
export function docBlocks(): readonly DocBlock[] {
  const below = readdirSync(path.join(projectRoot(), 'docs'), { recursive: true, encoding: 'utf8' });
  const pages = ['README.md', ...below.filter((file) => file.endsWith('.md')).map((file) => path.join('docs', file))];
  return pages.toSorted().flatMap((page) => {
    const text = readFileSync(path.join(projectRoot(), page), 'utf8');
    return [...text.matchAll(BLOCK)].map((match) => {
      const [all, skip, language = '', block = ''] = match;
      const line = text.slice(0, match.index + all.indexOf('```')).split('\n').length;
      return { place: `${page}:${line}`, language, text: block, ...(skip !== undefined && { skip }) };
    });
  });
}
