import { fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { plainEntryName } from '../model/archive-layout.js';
import { isMetadataEntry } from '../model/entry-ledger.js';
import type { Limits } from '../model/limits.js';
import { TarJudge, type JudgedEntry } from '../model/tar-judge.js';
import { SharedFile } from './file-part.js';
import { fileEntry, type FileEntry } from './file-entry.js';

/** Bytes that are read for one header: most headers and the body of a small document behind them. */
const WINDOW_BYTES = 8 * 1024;

/** Headers that are read before other work gets its turn. */
const HEADERS_PER_TURN = 256;

/**
 * The entries of a tar file by position: its headers are judged one after another, bodies are passed over and read only if
 * somebody asks for them. The layout's own documents come first, then small entries before large ones: documents are
 * capped at a few MiB, so that whatever is larger comes when everything is known. Holds a record for each entry.
 * Errors: those of TarJudge, and of the file system.
 */
export async function* tarFileEntries(path: string, limits: Limits): AsyncGenerator<FileEntry> {
  const file = new SharedFile(() => openSync(path, 'r'));
  const fd = file.acquire();
  try {
    for (const entry of await indexOf(fd, limits)) yield fileEntry({ ...entry, file });
  } finally {
    file.release();
  }
}

async function indexOf(fd: number, limits: Limits): Promise<readonly JudgedEntry[]> {
  const entries: JudgedEntry[] = [];
  const judge = new TarJudge(limits, (entry) => {
    if (entry.type !== 'directory') entries.push(entry);
  });
  const { size } = fstatSync(fd);
  for (let headers = 0; judge.position < size; headers += 1) {
    if (judge.skippable > 0) judge.skip(Math.min(judge.skippable, size - judge.position));
    else if (!judgeWindow(judge, fd)) break;
    if (headers % HEADERS_PER_TURN === 0) await setImmediate();
  }
  judge.end();
  const [metadata, others] = [true, false].map((isMetadata) =>
    entries.filter(({ name }) => isMetadataEntry(plainEntryName(name)) === isMetadata),
  );
  return [...(metadata ?? []), ...(others ?? []).sort((a, b) => a.size - b.size)];
}

/** Judges what comes next; false where nothing does, since the file was made shorter meanwhile. */
function judgeWindow(judge: TarJudge, fd: number): boolean {
  // A new one each time: the judge keeps a header that does not end in it.
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  const bytes = readSync(fd, window, 0, window.length, judge.position);
  judge.judge(window.subarray(0, bytes));
  return bytes > 0;
}
