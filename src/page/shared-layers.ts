import { formatBytes, shortId } from '../model/shown-text.js';
import { cut, html, type Markup } from './markup.js';
import { instructionOf, type Mark, type PageModel } from './rows.js';

/** The layers that several platforms use, as a table. */
export function sharedLayersTable({ report, marks }: PageModel): Markup {
  if (report.sharedLayers.length === 0) return html`<p class="dim">No layer is used by several platforms.</p>`;
  const rows = report.sharedLayers.map(
    ({ digest, size, platforms, savedBytes, createdBy }) =>
      html`<tr>
        <td>${markOf(marks.get(digest))}</td>
        <td><code title="${digest}">${shortId(digest)}</code></td>
        <td class="n">${formatBytes(size)}</td>
        <td class="n">${platforms}</td>
        <td class="n">${formatBytes(savedBytes)}</td>
        <td><code>${cut(instructionOf(createdBy))}</code></td>
      </tr> `,
  );
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th><span class="dim">layer</span></th>
          <th>digest</th>
          <th class="n">size</th>
          <th class="n">platforms</th>
          <th class="n">saves</th>
          <th>made by</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** The letter of a layer on its hue. */
export function markOf(mark: Mark | undefined): Markup | undefined {
  return mark && html`<b class="k ${mark.hue}">${mark.letter}</b>`;
}
