import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isNotFound } from '../files/storage-error.js';

const { O_APPEND, O_WRONLY } = constants;

/** Only its user may read it. */
const MODE = 0o600;

/** Where the audit goes. */
export interface AuditLog {
  readonly add: (line: string) => void;
  /** Waits until every line is written. */
  readonly flushed: () => Promise<void>;
}

/** Writes lines to stderr, or to the end of a file. An error goes to `printNotice` and stops nothing. */
export function openAuditLog(file: string | undefined, printNotice: (text: string) => void): AuditLog {
  if (file === undefined || file === '-') {
    return { add: (line) => void process.stderr.write(`${line}\n`), flushed: async () => {} };
  }
  const log = new AuditFile(file, printNotice);
  // Reports a file that cannot be opened at the start, not at the first record.
  log.append('');
  return { add: (line) => log.append(`${line}\n`), flushed: async () => await log.flushed() };
}

/** Opens the file for each text, so that it may be moved away meanwhile. Holds what is not written yet. */
class AuditFile {
  readonly #file: string;
  readonly #printNotice: (text: string) => void;
  #written: Promise<void> = Promise.resolve();
  #isFailing = false;
  #isTorn = false;

  constructor(file: string, printNotice: (text: string) => void) {
    this.#file = file;
    this.#printNotice = printNotice;
  }

  append(text: string): void {
    this.#written = this.#written.then(async () => await this.#write(text));
  }

  async flushed(): Promise<void> {
    await this.#written;
  }

  async #write(text: string): Promise<void> {
    try {
      await this.#writeNow(text);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#printNotice(`cannot write the audit log: ${(error as Error).message}`);
      this.#isFailing = true;
    }
  }

  async #writeNow(text: string): Promise<void> {
    const file = await openLog(this.#file);
    try {
      const whole = this.#isTorn ? `\n${text}` : text;
      // A write that fails may leave half a line.
      this.#isTorn = true;
      await file.appendFile(whole);
      this.#isTorn = false;
    } finally {
      await file.close();
    }
  }
}

/** Opens the log to append. A new one gets its mode whatever the umask: else its user might not open it again. */
async function openLog(file: string): Promise<FileHandle> {
  try {
    return await open(file, O_WRONLY | O_APPEND);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const made = await open(file, 'a', MODE);
  await made.chmod(MODE);
  return made;
}
