import { INSPECTED, type InspectionReport } from '../inspect/inspection-report.js';
import { check, fields, listOf, optionsOf, TEXT, wholeNumber } from '../model/rules.js';
import { formatBytes } from '../model/shown-text.js';
import { cut, html, jsonData, type Markup } from './markup.js';
import { pageFrame } from './page-frame.js';
import { pictureOf } from './picture.js';
import { platformDetails } from './platform-details.js';
import { nameOf, pageModelOf, type PageModel } from './rows.js';
import { sharedLayersTable } from './shared-layers.js';

/** What the page says of itself. */
export interface InspectionPageOptions {
  /** Where the images were, such as `Store /var/lib/images`. */
  readonly source?: string;
  /** When that was. Without it the page depends on the images only. */
  readonly seen?: string;
}

const COUNT = wholeNumber(Number.MAX_SAFE_INTEGER);
const SHARED = fields({ letter: TEXT, digest: TEXT, size: COUNT, platforms: COUNT, savedBytes: COUNT });
const SUMMARY = fields({
  platforms: fields({ listed: COUNT, complete: COUNT }),
  bytes: COUNT,
  savedBytes: COUNT,
  missing: fields({ count: COUNT, bytes: COUNT }),
});
const REPORT = fields({ schema: TEXT, summary: SUMMARY, sharedLayers: listOf(SHARED), images: INSPECTED });
const ARGUMENTS = { report: REPORT, options: optionsOf<InspectionPageOptions>({ source: TEXT, seen: TEXT }) };

/** The most bytes of a page: 10 MB, of which its data may take half. */
const MOST_BYTES = 10_000_000;
const MOST_DATA = 5_000_000;

/** Names that the heading has. */
const NAMES = 3;

/**
 * A page about images that were inspected together: one HTML file of at most 10 MB that asks for nothing and works
 * without its script. What does not fit is left out, and the page says so. Takes a report of `inspectionReportOf`.
 */
export function inspectionPage(report: InspectionReport, options: InspectionPageOptions = {}): string {
  check(ARGUMENTS, { report, options });
  const model = pageModelOf(report);
  const json = jsonData(report);
  const isDataIn = Buffer.byteLength(json.text) <= MOST_DATA;
  const title = titleOf(report);
  const head = html`<h1>${title}</h1>
    <p class="dim">${aboutOf(options)}</p>
    ${tilesOf(report)}
    <h2>Layers, to scale</h2>
    ${pictureOf(model)}
    <h2>Shared layers</h2>
    ${sharedLayersTable(model)}
    <h2>Platforms</h2>
    <div class="bar" hidden>
      <label for="q">Search</label
      ><input id="q" type="search" placeholder="platform, name, digest, instruction, label" autocomplete="off" /><span
        class="dim"
        role="status"
      ></span>
    </div> `;
  const room = MOST_BYTES - Buffer.byteLength(head.text) - (isDataIn ? Buffer.byteLength(json.text) : 0) - FRAME_BYTES;
  const content = html`${head}${detailsWithin(model, room)}
    <footer>${footerOf(isDataIn)}</footer>`;
  return pageFrame(`${title} – what is in it`, content, isDataIn ? json : undefined);
}

/** Room for style, script and the other parts of the frame. */
const FRAME_BYTES = 40_000;

/** The details of as many platforms as fit. */
function detailsWithin(model: PageModel, room: number): readonly Markup[] {
  const parts: Markup[] = [];
  let bytes = 0;
  for (const row of model.rows) {
    const part = platformDetails(row, model);
    bytes += Buffer.byteLength(part.text);
    if (bytes > room) break;
    parts.push(part);
  }
  const more = model.rows.length - parts.length;
  if (more === 0) return parts;
  return [
    ...parts,
    html`<p>
      <b class="pill">${more} more platforms are not shown</b>, since the page would be too large.
      <code>lading inspect --json</code> has them.
    </p>`,
  ];
}

function titleOf({ images }: InspectionReport): string {
  const names = images.slice(0, NAMES).map((image) => cut(nameOf(image), 300));
  const more = images.length - names.length;
  if (names.length === 0) return 'No image';
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function aboutOf({ source, seen }: InspectionPageOptions): Markup {
  const [, kind = '', place = ''] = /^(\S+) (.*)$/s.exec(source ?? '') ?? [];
  return html`${source === undefined ? undefined : html`${kind} <code>${cut(place)}</code> · `}${seen === undefined ? undefined : `seen ${seen} · `}sizes
  in units of 1000`;
}

function tilesOf({ summary: { platforms, bytes, savedBytes, missing } }: InspectionReport): Markup {
  const blobs = `${missing.count} blob${missing.count === 1 ? '' : 's'}`;
  const last =
    missing.count === 0
      ? html`<div class="tile"><b>0 B</b>missing</div>`
      : html`<div class="tile bad"><b>${formatBytes(missing.bytes)}</b>missing, in ${blobs}</div>`;
  return html`<div class="tiles">
    <div class="tile"><b>${platforms.complete} of ${platforms.listed}</b>platforms complete</div>
    <div class="tile"><b>${formatBytes(bytes)}</b>in distinct blobs</div>
    <div class="tile"><b>${formatBytes(savedBytes)}</b>saved by sharing</div>
    ${last}
  </div>`;
}

function footerOf(isDataIn: boolean): Markup {
  const data = isDataIn
    ? html`the same facts as JSON are in it, in <code>#lading-data</code>.`
    : html`the JSON of these facts is too large for it; <code>lading inspect --json</code> gives it.`;
  return html`Made by <code>lading</code>. This page asks for nothing outside itself; ${data}`;
}
