/** What is known of a regular file before its body is read. */
export interface FileRow {
  /** The number of its entry among those of all layers. */
  readonly ordinal: number;
  /** Bytes. */
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  /** Whether it has a set-user-id or set-group-id bit. */
  readonly setId: boolean;
  /** Whether it has file capabilities, which count among the other attributes too. */
  readonly capability: boolean;
  /** Extended attributes of users, and others. */
  readonly userXattrs: number;
  readonly otherXattrs: number;
}

/** Rows of one block. */
const BLOCK_ROWS = 16_384;
/** Ordinal, uid, gid, marks and user attributes, other attributes. */
const COLUMNS = 5;
const SET_ID = 1;
const CAPABILITY = 2;
const MARKS = 4;

/** Some rows, in columns. */
class Block {
  readonly sizes = new Float64Array(BLOCK_ROWS);
  readonly numbers = new Uint32Array(BLOCK_ROWS * COLUMNS);
}

/**
 * The regular files of all layers, by number. In columns, since an image may have half a million: holds 28 bytes for
 * each.
 */
export class FileTable {
  readonly #blocks: Block[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a file, and returns its number. */
  add(row: FileRow): number {
    const index = this.#length;
    const at = index % BLOCK_ROWS;
    if (at === 0) this.#blocks.push(new Block());
    const { sizes, numbers } = this.#blockOf(index);
    sizes[at] = row.size;
    const first = at * COLUMNS;
    numbers[first] = row.ordinal;
    numbers[first + 1] = row.uid;
    numbers[first + 2] = row.gid;
    numbers[first + 3] = row.userXattrs * MARKS + (row.setId ? SET_ID : 0) + (row.capability ? CAPABILITY : 0);
    numbers[first + 4] = row.otherXattrs;
    this.#length += 1;
    return index;
  }

  ordinalOf(index: number): number {
    return this.#blockOf(index).numbers[(index % BLOCK_ROWS) * COLUMNS] ?? 0;
  }

  sizeOf(index: number): number {
    return this.#blockOf(index).sizes[index % BLOCK_ROWS] ?? 0;
  }

  row(index: number): FileRow {
    const at = (index % BLOCK_ROWS) * COLUMNS;
    const numbers = this.#blockOf(index).numbers.subarray(at, at + COLUMNS);
    const [ordinal = 0, uid = 0, gid = 0, marks = 0, otherXattrs = 0] = numbers;
    const userXattrs = Math.floor(marks / MARKS);
    const [setId, capability] = [(marks & SET_ID) !== 0, (marks & CAPABILITY) !== 0];
    return { ordinal, size: this.sizeOf(index), uid, gid, setId, capability, userXattrs, otherXattrs };
  }

  #blockOf(index: number): Block {
    // A number of this table is in one of its blocks.
    return this.#blocks[Math.floor(index / BLOCK_ROWS)] as Block;
  }
}
