import type { LayerReport } from '../inspect/platform-facts.js';
import type { PlatformInspection } from '../inspect/inspect-images.js';
import { referrerLabels } from '../inspect/referrer-label.js';
import { formatBytes, oneLine, shortId } from '../model/shown-text.js';
import { cut, html, type Markup, type Part } from './markup.js';
import { instructionOf, layersOf, SIGNS, type PageModel, type PageRow } from './rows.js';
import { markOf } from './shared-layers.js';

/** One platform: what its config says, its layers, and what refers to it. */
export function platformDetails(row: PageRow, model: PageModel): Markup {
  const { platform, state } = row;
  const isOpen = state === 'incomplete' || model.rows.length === 1;
  const body = state === 'absent' ? absentBody(row) : html`${factsOf(row)}${layersTable(row, model)}`;
  return html`<details id="${row.id}" class="row" ${isOpen ? html` open` : undefined}>
    <summary>
      <span class="st-${state}" aria-hidden="true">${SIGNS[state]}</span> <b>${platform.platform}</b>
      <span class="dim">${cut(row.label)}</span><span class="sp"></span><span>${stateOf(row)}</span>
    </summary>
    ${body}
  </details> `;
}

function stateOf({ state, platform: { bytes, missingBlobs } }: PageRow): Markup {
  if (state === 'absent') return html`listed, not here`;
  const missing =
    missingBlobs === undefined ? undefined : html` · <b class="pill">${formatBytes(missingBlobs.bytes)} missing</b>`;
  return html`${state} · ${formatBytes(bytes ?? 0)}${missing}`;
}

function absentBody({ platform }: PageRow): Markup {
  const digest =
    platform.digest &&
    html`<dl>
      <dt>manifest</dt>
      <dd><code>${platform.digest}</code> <b class="pill">missing</b></dd>
    </dl>`;
  return html`<p>The index lists this; its manifest is not here. <code>lading load</code> an archive that has it.</p>
    ${digest}`;
}

/** A fact, if there is one. */
function fact(name: string, value: Part): readonly Markup[] {
  return value === undefined || value === ''
    ? []
    : [
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
      ];
}

function code(text: string | undefined): Markup | undefined {
  return text === undefined || text === '' ? undefined : html`<code>${cut(text)}</code>`;
}

function factsOf(row: PageRow): Markup {
  const { platform, image } = row;
  const { created, entrypoint, command, ports = [], volumes = [], config } = platform;
  const missing = config?.state === 'missing' ? html` <b class="pill">missing</b>` : undefined;
  const facts = [
    ...fact('image', code(image.digest)),
    ...fact('manifest', code(platform.digest)),
    ...fact('by way of', platform.indexes.length > 1 ? code(platform.indexes.join(' › ')) : undefined),
    ...fact('config', config && html`<code>${config.digest}</code>${missing}`),
    ...fact('created', created === undefined ? undefined : cut(created)),
    ...fact('entrypoint', entrypoint && code(JSON.stringify(entrypoint))),
    ...fact('command', command && code(JSON.stringify(command))),
    ...fact('user', code(platform.user)),
    ...fact('folder', code(platform.workingDir)),
    ...fact('ports', code(ports.join(', '))),
    ...fact('volumes', code(volumes.join(', '))),
    ...fact('environment', environmentOf(platform)),
    ...fact('labels', labelsOf(platform)),
    ...fact('attested by', attestationsOf(row)),
  ];
  return html`<dl>${facts}</dl>`;
}

function environmentOf({ environment = [], environmentValues }: PlatformInspection): Markup | undefined {
  if (environment.length === 0) return undefined;
  if (environmentValues === undefined)
    return html`${cut(environment.join(', '))} <span class="dim">(values are left out)</span>`;
  return pairsOf(Object.entries(environmentValues));
}

/** More labels than this are folded away. */
const OPEN_LABELS = 3;
const MOST_LABELS = 500;

function labelsOf({ labels = {} }: PlatformInspection): Markup | undefined {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return undefined;
  if (pairs.length <= OPEN_LABELS) return pairsOf(pairs);
  return html`<details class="labels">
    <summary>${pairs.length} labels</summary>
    ${pairsOf(pairs)}
  </details>`;
}

function pairsOf(pairs: readonly (readonly [name: string, value: string])[]): Markup {
  const more = pairs.length - MOST_LABELS;
  const shown = pairs.slice(0, MOST_LABELS).map(
    ([name, value]) =>
      html`<dt>${cut(name, 200)}</dt>
        <dd>${code(value)}</dd>`,
  );
  return html`<dl>${shown}</dl>
    ${more > 0 ? html`<p class="dim">and ${more} more</p>` : undefined}`;
}

/** What refers to the platform, or to the image as a whole. Nothing of it was checked. */
function attestationsOf({ image, platform }: PageRow): string {
  const referrers = image.referrers.filter(({ subject }) => subject === platform.digest || subject === image.digest);
  return cut([...new Set(referrers.flatMap(referrerLabels).map(oneLine))].join(', '));
}

function layersTable(row: PageRow, model: PageModel): Markup {
  const layers = layersOf(row);
  if (layers.length === 0) return html`<p class="dim">It has no layers.</p>`;
  const lines = layers.map((layer, at) => layerLine(layer, at + 1, { row, model }));
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>#</th>
          <th>digest</th>
          <th class="n">size</th>
          <th>made by</th>
          <th class="also">also in</th>
        </tr>
      </thead>
      <tbody>
        ${lines}
      </tbody>
    </table>
  </div>`;
}

const STATES = {
  present: undefined,
  missing: html` <b class="pill">missing</b>`,
  foreign: html` <span class="dim">not distributed</span>`,
  base: html` <span class="dim">in base</span>`,
} as const;

function layerLine(
  { digest, size, state, createdBy }: LayerReport,
  number: number,
  { row, model }: { readonly row: PageRow; readonly model: PageModel },
): Markup {
  return html`<tr${state === 'missing' ? html` class="bad"` : undefined} data-d="${digest}"><td>${number}</td><td>${markOf(model.marks.get(digest))} <code title="${digest}">${shortId(digest)}</code>${STATES[state]}</td><td class="n">${formatBytes(size)}</td><td><code>${cut(instructionOf(createdBy))}</code></td><td class="also">${alsoIn(digest, row, model)}</td></tr>
`;
}

/** So many others are named. */
const OTHERS = 5;

function alsoIn(digest: LayerReport['digest'], row: PageRow, { users }: PageModel): Markup {
  const others = (users.get(digest) ?? []).filter((other) => other !== row);
  if (others.length === 0) return html`<span class="dim">only here</span>`;
  const names = others.slice(0, OTHERS).map((other) => {
    const name = other.platform.platform;
    return cut(other.image === row.image ? name : `${other.label} ${name}`, 100);
  });
  const more = others.length - names.length;
  return html`${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
