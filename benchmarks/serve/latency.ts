import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * A process of its own that sends a small request every few milliseconds until its stdin ends. Then it prints how long
 * the answers took: `latency.js SOCKET URL…`.
 */

const EVERY_MS = 5;
const [socketPath = '', ...urls] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const times = new Map<string, number[]>(urls.map((url) => [url, []]));
const over = new AbortController();
process.stdin.once('end', () => over.abort());
process.stdin.resume();

async function ask(path: string): Promise<number> {
  const started = performance.now();
  await new Promise<void>((resolve, reject) => {
    const request = http.get({ socketPath, path, agent }, (answer) => {
      answer.resume();
      answer.once('end', resolve);
    });
    request.once('error', reject);
  });
  return performance.now() - started;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function main(): Promise<void> {
  while (!over.signal.aborted) {
    for (const url of urls) times.get(url)?.push(await ask(url));
    await delay(EVERY_MS);
  }
  agent.destroy();
  const report = [...times].map(([url, taken]) => {
    const sorted = taken.toSorted((a, b) => a - b);
    return {
      url,
      count: sorted.length,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      max: sorted.at(-1),
    };
  });
  process.stdout.write(JSON.stringify(report));
}

void main();
