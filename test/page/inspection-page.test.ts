import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { browser, type BrowserPage } from '../fixtures/chromium.js';
import { jsonOf, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { requireTool } from '../fixtures/command.js';
import { example, FAMILIAR, NAME, type Example } from '../fixtures/example.js';
import { fill } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';

/** Where CI finds what the pages looked like. */
const PICTURES = path.join(projectRoot(), 'build', 'page');

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'\`&amp; \u202Egnp.exe \u001b[31m {{x}}`;

/** What every page must hold, whatever it shows. */
const CHECKS = `(() => {
  const all = [...document.querySelectorAll('*')];
  const cells = [...document.querySelectorAll('tr')].map((row) => row.textContent.replaceAll(/\\s+/g, ' '));
  const lines = [...document.querySelectorAll('tr[data-d]')];
  return {
    styled: all.filter((one) => one.hasAttribute('style')).length,
    handlers: all.flatMap((one) => [...one.attributes]).filter(({ name }) => name.startsWith('on')).length,
    links: all.flatMap((one) => ['href', 'src', 'action', 'xlink:href'].flatMap((name) => one.getAttribute(name) ?? [])).filter((to) => !/^#r\\d+$/.test(to)),
    tags: [...new Set(all.map((one) => one.localName))].filter((name) => ['img', 'iframe', 'object', 'form', 'link'].includes(name)),
    scripts: document.scripts.length,
    blocks: document.querySelectorAll('.b').length,
    untitled: [...document.querySelectorAll('.b')].filter((one) => !one.querySelector('title')?.textContent).length,
    untold: [...document.querySelectorAll('.b')].filter((block) => {
      const row = document.querySelector(block.getAttribute('href'));
      const line = [...row.querySelectorAll('tr')].find((one) => one.dataset.d === block.dataset.d);
      const text = line?.textContent.replaceAll(/\\s+/g, ' ') ?? '';
      return [...block.querySelectorAll('text')].some((one) => !one.textContent.split(' ').every((word) => text.includes(word)));
    }).length,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    text: document.body.innerText,
    data: JSON.parse(document.getElementById('lading-data')?.textContent ?? 'null'),
  };
})()`;

interface Checked {
  readonly blocks: number;
  readonly text: string;
  readonly data: unknown;
}

/** Checks a page in both schemes and two widths, and keeps its pictures. Returns what it shows. */
async function check(t: TestContext, file: string, name: string): Promise<Checked & { readonly page: BrowserPage }> {
  const open = await browser(t);
  await mkdir(PICTURES, { recursive: true });
  const url = pathToFileURL(file).href;
  for (const view of [{ scheme: 'dark' }, { width: 500 }, { script: false }] as const) {
    const page = await open(url, view);
    assert.deepEqual(page.log, { requests: [], messages: [] }, JSON.stringify(view));
    const what = 'scheme' in view ? 'dark' : 'narrow';
    if (!('script' in view)) {
      assert.equal(((await page.evaluate(CHECKS)) as { wide: boolean }).wide, false, what);
      await writeFile(path.join(PICTURES, `${name}-${what}.png`), await page.screenshot());
    }
  }
  const page = await open(url);
  await writeFile(path.join(PICTURES, `${name}-light.png`), await page.screenshot());
  const { blocks, text, data, ...rest } = (await page.evaluate(CHECKS)) as Checked & { readonly links: string[] };
  const none = { styled: 0, handlers: 0, links: [], tags: [], scripts: 2, untitled: 0, untold: 0, wide: false };
  assert.deepEqual(rest, none);
  assert.deepEqual(page.log, { requests: [], messages: [] });
  return { blocks, text, data, page };
}

/** Writes the page of a workspace's images. */
async function pageOf({ run, at }: Workspace, ...args: readonly string[]): Promise<string> {
  const file = at('page.html');
  const { status, stdout, stderr } = await run(['inspect', '--html', file, ...args]);
  assert.deepEqual([status, stdout], [0, ''], stderr);
  return file;
}

/** An example whose arm64 lacks layers, and whose arm/v7 is only listed. */
async function partlyThere(t: TestContext): Promise<Workspace & { readonly built: Example }> {
  const built = example({ sharedLayer: true, attestations: true, layerBytes: 100_000 });
  const space = await workspace(t, { built });
  const [, ...own] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  for (const { digest } of [...own, built.of('linux/arm/v7')]) built.blobs.delete(digest);
  await fill(await OciLayoutStore.open(space.store), [{ name: NAME, descriptor: built.root }], built.blobs);
  return space;
}

test('a page shows what is there, what is missing and what is only listed', async (t) => {
  if (!requireTool(t, 'chromium')) return;
  const space = await partlyThere(t);
  const file = await pageOf(space, FAMILIAR);
  const { blocks, text, data, page } = await check(t, file, 'missing');
  assert.equal(blocks, 6);
  for (const words of ['1 of 3', '204 kB', 'missing, in 2 blobs', 'listed, not here', 'provenance (SLSA)'])
    assert.ok(text.includes(words), words);
  assert.deepEqual(data, jsonOf((await space.run(['inspect', '--json', FAMILIAR])).stdout));
  const shown = `[...document.querySelectorAll('details.row')].filter((row) => !row.hidden).length`;
  const search = (words: string): string =>
    `(() => { const q = document.getElementById('q'); q.value = ${JSON.stringify(words)}; q.dispatchEvent(new Event('input')); return ${shown}; })()`;
  const [layer] = space.built.blobs.links(space.built.of('linux/amd64').digest).layers?.slice(1) ?? [];
  assert.deepEqual(
    [
      await page.evaluate(search('ARM')),
      await page.evaluate(search(layer?.digest ?? '')),
      await page.evaluate(search('example.platform linux/arm64')),
      await page.evaluate(search('nothing')),
      await page.evaluate(search('')),
    ],
    [2, 1, 1, 0, 3],
  );
});

test('a page shows one platform, and says the same without its script', async (t) => {
  if (!requireTool(t, 'chromium')) return;
  const space = await workspace(t, { built: example({ platforms: ['linux/amd64'] }), loaded: true });
  const file = await pageOf(space, FAMILIAR);
  const { blocks, text } = await check(t, file, 'one');
  assert.equal(blocks, 2);
  assert.ok(text.includes('1 of 1') && text.includes('No layer is used by several platforms'));
  assert.match(await readFile(file, 'utf8'), /<div class="bar" hidden>/);
});

test('a page of two images puts the rows of one platform together, with what they share', async (t) => {
  if (!requireTool(t, 'chromium')) return;
  const space = await workspace(t, { built: example({ layers: ['base', 'own'], layerBytes: 50_000 }), loaded: true });
  const other = example({ seed: 'other', layers: ['base', 'new'], layerBytes: 50_000 });
  const root = { root: other.root, name: 'docker.io/example/app:2' };
  await writeFile(space.at('other.tar'), await layoutArchive([root], other.blobs));
  const file = await pageOf(space, '--archive', space.archive, space.at('other.tar'));
  const { blocks, page } = await check(t, file, 'two');
  assert.equal(blocks, 12);
  assert.deepEqual(await page.evaluate(`[...document.querySelectorAll('.im')].map((one) => one.textContent)`), [
    'linux/amd64',
    'linux/arm64',
    'linux/arm/v7',
  ]);
  assert.deepEqual(await page.evaluate(`document.querySelector('.lt').textContent`), 'A');
  assert.ok(Number(await page.evaluate(`document.querySelectorAll('path.lk').length`)) >= 5);
});

test('a page of thirty platforms is small', async (t) => {
  if (!requireTool(t, 'chromium')) return;
  const platforms = Array.from({ length: 30 }, (_, at) => `linux/arm/v${at + 1}`);
  const built = example({ platforms, sharedLayer: true, layers: 8, attestations: true });
  const file = await pageOf(await workspace(t, { built, loaded: true }), FAMILIAR);
  const { blocks, page } = await check(t, file, 'thirty');
  // Not compared: a machine that does other things is slow.
  const ms = Number(await page.evaluate(`performance.getEntriesByType('navigation')[0].duration`));
  t.diagnostic(`${(await stat(file)).size} bytes, opened in ${Math.round(ms)} ms`);
  assert.equal(blocks, 270);
  assert.ok((await stat(file)).size <= 1_000_000, `${(await stat(file)).size} bytes`);
});

test('nothing that an image says of itself is markup, a link or a command of the page', async (t) => {
  if (!requireTool(t, 'chromium')) return;
  const huge = 'x'.repeat(1024 * 1024);
  const configExtra = {
    created: HOSTILE,
    history: [{ created_by: HOSTILE }, { created_by: `RUN ${HOSTILE}\n&& ${huge}` }],
    config: {
      Labels: { [HOSTILE]: HOSTILE, huge, link: 'javascript:alert(3)', url: 'https://evil.example/' },
      User: HOSTILE,
      Cmd: [HOSTILE],
      Env: [`${HOSTILE}=secret-value`, 'TOKEN=secret-value'],
      ExposedPorts: { [HOSTILE]: {} },
    },
  };
  const built = example({ platforms: ['linux/amd64'], layers: 2, configExtra });
  const space = await workspace(t, { built, loaded: true });
  const file = await pageOf(space, FAMILIAR);
  const { text, data } = await check(t, file, 'hostile');
  assert.ok(text.includes('</script><script>alert(1)</script>') && text.includes('more characters'));
  assert.ok(!/[\p{Cc}\p{Cf}]/u.test(text.replaceAll(/[\n\t]/g, '')));
  const source = await readFile(file, 'utf8');
  assert.ok(!/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(source.replaceAll('\n', '')));
  assert.ok(!source.includes('secret-value'));
  assert.deepEqual(data, jsonOf((await space.run(['inspect', '--json', FAMILIAR])).stdout));
  const withValues = await pageOf(space, FAMILIAR, '--html-env');
  assert.ok((await readFile(withValues, 'utf8')).includes('secret-value'));
});

test('the bytes of a page depend on the images only, unless the time is asked for', async (t) => {
  const { run, at } = await workspace(t, { loaded: true });
  const [first, second] = [
    await run(['inspect', '--html', '-', FAMILIAR]),
    await run(['inspect', '--html', '-', FAMILIAR]),
  ];
  assert.deepEqual([first.status, second.stdout], [0, first.stdout]);
  assert.doesNotMatch(first.stdout, /seen \d/);
  const timed = await run(['inspect', '--html', '-', '--html-time', FAMILIAR]);
  assert.match(timed.stdout, /seen \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  const both = await run(['inspect', '--html', at('page.html'), '--json', FAMILIAR]);
  assert.deepEqual([both.status, await readFile(at('page.html'), 'utf8')], [0, first.stdout]);
  assert.equal(jsonOf<{ schema: string }>(both.stdout).schema, 'dev.lading.inspection.v1');
  for (const wrong of [['--html-env'], ['--html-time'], ['--html', '-', '--json']])
    assert.equal((await run(['inspect', ...wrong, FAMILIAR])).status, 2, wrong.join(' '));
  assert.equal((await run(['inspect', '--html', at('no/such/folder.html'), FAMILIAR])).status, 8);
  assert.equal((await run(['inspect', '--html', at('none.html'), 'nothing'])).status, 4);
});
