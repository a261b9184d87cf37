import type { Warning, WarningCode } from './reports.js';

/** How many warnings of one code a report has. A hostile archive would cause a million. */
const MAX_OF_EACH = 100;

/** Collects warnings: the first hundred of each code, and how many more there were. */
export class WarningList {
  readonly #kept: Warning[] = [];
  readonly #counts = new Map<WarningCode, number>();

  add(code: WarningCode, make: () => Omit<Warning, 'code'>): void {
    const count = this.#counts.get(code) ?? 0;
    this.#counts.set(code, count + 1);
    if (count < MAX_OF_EACH) this.#kept.push({ code, ...make() });
  }

  get warnings(): readonly Warning[] {
    const full = [...this.#counts].filter(([, count]) => count > MAX_OF_EACH);
    const rest = full.map(([code, count]) => ({ code, message: `${code}: ${count - MAX_OF_EACH} more of this kind` }));
    return [...this.#kept, ...rest];
  }
}
