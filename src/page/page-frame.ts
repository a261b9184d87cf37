import { createHash } from 'node:crypto';
import { html, raw, type Markup } from './markup.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/** What a browser may do with a page: use its one style and its one script, and ask for nothing. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hashOf(STYLE)}'`,
  `script-src 'sha256-${hashOf(SCRIPT)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

/** A whole page around its content. `data` is the JSON of the page, if it has any. */
export function pageFrame(title: string, content: Markup, data?: Markup): string {
  const head = html`
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width,initial-scale=1" />
    <meta http-equiv="Content-Security-Policy" content="${raw(PAGE_POLICY)}" />
    <meta name="referrer" content="no-referrer" />
    <meta name="generator" content="lading" />
    <title>${title}</title>
  `;
  // Put together as text: what stands in these elements must stay as it is, to the byte.
  return [
    `<!doctype html>\n<html lang="en"><head>${head.text}<style>${STYLE}</style></head>`,
    `<body><main>${content.text}</main>`,
    ...(data === undefined ? [] : [`<script type="application/json" id="lading-data">${data.text}</script>`]),
    `<script>${SCRIPT}</script></body></html>\n`,
  ].join('\n');
}
