import type { FilePart } from '../files/file-part.js';
import { readFileChunks } from '../files/read-file.js';

/** An entry of a source that can be read in any order: nothing of its body is read unless somebody asks for it. */
export interface FileEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly size: number;
  readonly linkname?: string;
  readonly body: AsyncIterable<Buffer>;
  /** Where the body is, for whoever copies it without reading it here. */
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
  // Nothing is open until the first chunk is asked for, so there is nothing to give up.
  return { name, type, size, ...(linkname && { linkname }), body, part, skip: () => {} };
}
