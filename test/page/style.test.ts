import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STYLE } from '../../src/page/style.js';

/** The colours of the light and the dark scheme, by name. */
function schemes(): readonly Readonly<Record<string, string>>[] {
  return [...STYLE.matchAll(/:root\{([^}]*)\}/g)].map(([, text = '']) =>
    Object.fromEntries(
      [...text.matchAll(/--(\w+):#([0-9a-f]{3,6})/gi)].map(([, name = '', hex = '']) => [
        name,
        hex.length === 3 ? hex.replaceAll(/./g, '$&$&') : hex,
      ]),
    ),
  );
}

/** The relative luminance of a colour (WCAG 2.2, "relative luminance"). */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** Which text stands on which ground. */
const PAIRS: readonly (readonly [text: string, ground: string])[] = [
  ...['fg', 'dim', 'bad', 'ok'].flatMap((text) => ['bg', 'card'].map((ground) => [text, ground] as const)),
  ...['fg', 'bad'].map((text) => [text, 'badbg'] as const),
  ['ownt', 'own'],
  ...Array.from({ length: 8 }, (_, hue) => ['ht', `h${hue}`] as const),
];

test('every text has a contrast of at least 4.5 to its ground, in both schemes', () => {
  const both = schemes();
  assert.equal(both.length, 2);
  for (const [at, colours] of both.entries()) {
    for (const [text, ground] of PAIRS) {
      const found = contrast(colours[text] ?? assert.fail(text), colours[ground] ?? assert.fail(ground));
      assert.ok(found >= 4.5, `${at === 0 ? 'light' : 'dark'}: ${text} on ${ground} has ${found.toFixed(2)}`);
    }
  }
});
