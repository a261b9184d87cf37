/** What one check of `lading doctor` found, and what to do about it. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly remedy?: string;
}

/** Nothing has to be done. */
export function ok(check: string, detail: string): Finding {
  return { check, state: 'ok', detail };
}

/** It works, and is worth a look. */
export function warning(check: string, detail: string, remedy?: string): Finding {
  return { check, state: 'warning', detail, ...(remedy !== undefined && { remedy }) };
}

/** Something does not work. */
export function failed(check: string, detail: string, remedy?: string): Finding {
  return { check, state: 'failed', detail, ...(remedy !== undefined && { remedy }) };
}
