import type { FilePart } from '../files/file-part.js';
import { readFileChunks } from '../files/read-file.js';

/** An entry of a source that can be read in any order. Its body is read only on demand. */
export interface FileEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly size: number;
  readonly linkname?: string;
  readonly body: AsyncIterable<Buffer>;
  /** Where the body is, for a copy that does not read it in this process. */
  readonly part: FilePart;
  readonly skip: () => void;
}

/** An entry whose body is a part of a file. */
export function fileEntry({
  name,
  type,
  linkname,
  ...part
}: Pick<FileEntry, 'name' | 'type' | 'linkname'> & FilePart): FileEntry {
  const { file, start, size } = part;
  const body = readFileChunks(file, { start, end: start + size });
  // The file is opened for the first chunk, so a skipped entry has nothing to close.
  return { name, type, size, ...(linkname && { linkname }), body, part, skip: () => {} };
}
