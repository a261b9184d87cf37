import { check, fields, listOf, TEXT, wholeNumber } from '../model/rules.js';
import { formatBytes, shortId } from '../model/shown-text.js';
import { cut, html, type Markup } from './markup.js';
import { pageFrame } from './page-frame.js';

/** One image in the list of a store. */
export interface StoredImage {
  /** As people write them; none for an image without a name. */
  readonly names: readonly string[];
  readonly digest: string;
  /** Bytes of what is here. */
  readonly size: number;
  /** Each platform that the image lists, with a note if it is not complete. */
  readonly platforms: readonly string[];
}

const IMAGE = fields({
  names: listOf(TEXT),
  digest: TEXT,
  size: wholeNumber(Number.MAX_SAFE_INTEGER),
  platforms: listOf(TEXT),
});
const ARGUMENTS = { images: listOf(IMAGE) };

/** The most images that are shown. */
const MOST_IMAGES = 2000;

/** So many names and platforms of an image are shown. */
const MOST_TEXTS = 20;

/**
 * A page that lists the images of a store. Each one leads to `/ui/DIGEST`, which must answer with its own page; the page
 * asks for nothing else.
 */
export function storePage(images: readonly StoredImage[]): string {
  check(ARGUMENTS, { images });
  const more = images.length - MOST_IMAGES;
  const content = html`<h1>Images</h1>
    <p class="dim">${images.length} in this store · sizes in units of 1000</p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>image</th>
            <th>digest</th>
            <th class="n">size</th>
            <th>platforms</th>
          </tr>
        </thead>
        <tbody>
          ${images.slice(0, MOST_IMAGES).map(lineOf)}
        </tbody>
      </table>
    </div>
    ${more > 0 ? html`<p><b class="pill">${more} more images are not shown</b></p>` : undefined}`;
  return pageFrame('Images', content);
}

function lineOf({ names, digest, size, platforms }: StoredImage): Markup {
  const shown = names.length === 0 ? ['<none>'] : names;
  return html`<tr>
    <td><a href="/ui/${encodeURIComponent(digest)}">${listed(shown)}</a></td>
    <td><code title="${digest}">${shortId(digest)}</code></td>
    <td class="n">${formatBytes(size)}</td>
    <td>${listed(platforms)}</td>
  </tr>`;
}

function listed(texts: readonly string[]): string {
  const more = texts.length - MOST_TEXTS;
  const shown = texts.slice(0, MOST_TEXTS).map((text) => cut(text, 300));
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
