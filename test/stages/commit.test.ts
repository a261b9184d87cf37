import assert from 'node:assert/strict';
import { pipeline } from 'node:stream/promises';
import { before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { entryNameOf } from '../../src/model/archive-layout.js';
import { decorated } from '../../src/model/decorated.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import type { ImageIndex } from '../../src/model/image-index.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { Commit, type CommitOptions } from '../../src/stages/commit.js';
import type { ArchiveContents, CommitEvent, SelectedEntry, VerifiedEntry } from '../../src/stages/records.js';
import { VerifyDigests } from '../../src/stages/verify-digests.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { DestinationSession, Ingest } from '../../src/stores/store.js';
import { seededBytes } from '../fixtures/seeded.js';
import { atRest, runStage, sinkOf, stageSuite } from '../suites/stage-suite.js';
import { bytesOf, digestsIn, inSession } from '../suites/stored.js';
import { Bodies, first } from './bodies.js';

type Use = SelectedEntry['use'];

const OPTIONS: CommitOptions = { probing: 'none', limits: DEFAULT_LIMITS };

const piped = new Bodies();

function select(bodies: Bodies, name: string, bytes: Uint8Array, use: Use): SelectedEntry {
  return { ...bodies.entry(name, bytes), kind: 'blob', use };
}

function blob(bodies: Bodies, content: string, use: Use = 'needed', bytes = content): SelectedEntry {
  return select(bodies, entryNameOf(digestOf(content)), Buffer.from(bytes), use);
}

/** The last event of a blob of one byte. */
function lastEvent(digest: Digest, outcome: CommitEvent['outcome']): CommitEvent {
  return { name: entryNameOf(digest), digest, size: 1, outcome };
}

interface Committed {
  readonly events: readonly CommitEvent[];
  readonly contents: ArchiveContents;
}

async function commit(session: DestinationSession, entries: Iterable<SelectedEntry>): Promise<Committed> {
  const stage = new Commit(session, OPTIONS);
  const events = await runStage<CommitEvent>(entries, new VerifyDigests<SelectedEntry>(), stage);
  return { events, contents: stage.contents };
}

/** Counts the open writers of a session: those neither committed nor aborted. */
class CountingSession {
  open = 0;
  readonly session: DestinationSession;

  constructor(session: DestinationSession, refuse?: { readonly after: number; readonly error: Error }) {
    let writes = 0;
    const over = (): void => void (this.open -= 1);
    const count = (ingest: Ingest): Ingest => {
      let isOpen = true;
      const end = (): void => {
        if (isOpen) over();
        isOpen = false;
      };
      return {
        write: async (chunk) => {
          writes += 1;
          if (refuse !== undefined && writes > refuse.after) throw refuse.error;
          await ingest.write(chunk);
        },
        commit: async (expected) => await ingest.commit(expected).finally(end),
        abort: async () => await ingest.abort().finally(end),
      };
    };
    const begin: DestinationSession['begin'] = async (expected, digester) => {
      this.open += 1;
      return count(await session.begin(expected, digester));
    };
    this.session = decorated(session, { begin });
  }
}

async function countingSession(refuse?: { after: number; error: Error }): Promise<CountingSession> {
  return new CountingSession(await new MemoryStore().session(), refuse);
}

let suiteSession: CountingSession;
before(async () => {
  suiteSession = await countingSession();
});

function* verified(count: number): Generator<VerifiedEntry<SelectedEntry>> {
  for (const entry of first(count, piped.blobs())) {
    const use: Use = 'needed';
    yield* verifiedOf({ ...entry, kind: 'blob', use });
  }
}

/** Runs VerifyDigests on one entry, without a stream around it. */
class Verifier extends VerifyDigests<SelectedEntry> {
  one(entry: SelectedEntry): Generator<VerifiedEntry<SelectedEntry>> {
    return this.each(entry);
  }
}

function verifiedOf(entry: SelectedEntry): Generator<VerifiedEntry<SelectedEntry>> {
  return new Verifier().one(entry);
}

stageSuite<VerifiedEntry<SelectedEntry>, CommitEvent>('Commit', {
  make: () => new Commit(suiteSession.session, OPTIONS),
  inputs: () => verified(100),
  maxAhead: 24,
  openBodies: () => piped.open + suiteSession.open,
});

describe('Commit', () => {
  it('stores bodies, reports each, and lists the stored ones in its contents', async () => {
    const store = new MemoryStore();
    await inSession(store, async (session) => {
      const bodies = new Bodies();
      const { events, contents } = await commit(
        session,
        ['a', 'b', 'a'].map((content) => blob(bodies, content)),
      );
      const [a, b] = [digestOf('a'), digestOf('b')];
      assert.deepEqual(events, [lastEvent(a, 'stored'), lastEvent(b, 'stored'), lastEvent(a, 'present')]);
      assert.deepEqual(
        contents.stored,
        new Map([
          [a, 1],
          [b, 1],
        ]),
      );
      assert.deepEqual(await digestsIn(store), [a, b].sort());
      assert.ok((await bytesOf(store.open(a))).equals(Buffer.from('a')));
    });
  });

  it('has empty contents for an empty archive', async () => {
    await inSession(new MemoryStore(), async (session) => {
      const { contents } = await commit(session, []);
      const empty = { files: new Map(), layers: new Map(), links: new Map(), stored: new Map(), damaged: new Map() };
      assert.deepEqual(contents, {
        ...empty,
        repeated: new Set(),
        storedByOthers: new Set(),
        skipped: { count: 0, bytes: 0 },
      });
    });
  });

  it('keeps the layout’s own documents and links in memory, and stores none of them', async () => {
    const store = new MemoryStore();
    await inSession(store, async (session) => {
      const bodies = new Bodies();
      const metadata = ['oci-layout', 'index.json', 'manifest.json'].map((name) =>
        select(bodies, name, Buffer.from(name), 'metadata'),
      );
      const link: SelectedEntry = {
        name: 'l',
        type: 'symlink',
        size: 0,
        linkname: 'target',
        body: bodies.of(),
        kind: 'blob',
        use: 'link',
      };
      const parsed: ImageIndex = { schemaVersion: 2, manifests: [] };
      const entries = metadata.map((entry) => (entry.name === 'index.json' ? { ...entry, index: parsed } : entry));
      const { contents, events } = await commit(session, [...entries, link]);
      const { layout, index, manifestJson, links } = contents;
      assert.deepEqual([layout, manifestJson].map(String), ['oci-layout', 'manifest.json']);
      assert.equal(index, parsed);
      assert.deepEqual(links, new Map([['l', 'target']]));
      assert.deepEqual([events, await digestsIn(store)], [[], []]);
    });
  });

  it('stores other files under their sha256, keeps small ones in memory, and lists them by name', async () => {
    const store = new MemoryStore();
    const large = Buffer.alloc(64 * 1024 + 1, 'x');
    await inSession(store, async (session) => {
      const { contents } = await commit(session, [
        select(new Bodies(), 'id/layer.tar', large, 'candidate'),
        select(new Bodies(), 'id/json', Buffer.from('{}'), 'candidate'),
      ]);
      // A small file is unpacked only if an image needs it.
      assert.deepEqual(contents.layers, new Map([[digestOf(large), { compression: 'none' }]]));
      assert.deepEqual(
        contents.files,
        new Map([
          ['id/layer.tar', { digest: digestOf(large), size: large.length }],
          ['id/json', { digest: digestOf('{}'), size: 2, bytes: Buffer.from('{}') }],
        ]),
      );
      assert.deepEqual(await digestsIn(store), [digestOf(large)]);
    });
  });

  it('keeps no more than 8 MiB of small files in memory', async () => {
    const store = new MemoryStore();
    await inSession(store, async (session) => {
      const files = Array.from({ length: 130 }, (_, at) => seededBytes(at, 64 * 1024));
      const entries = files.map((bytes, at) => select(new Bodies(), `file-${at}`, bytes, 'candidate'));
      await commit(session, entries);
      assert.deepEqual(
        await digestsIn(store),
        files
          .slice(128)
          .map((bytes) => digestOf(bytes))
          .toSorted(),
      );
    });
  });

  it('lists names that stand twice, with other bytes or targets', async () => {
    await inSession(new MemoryStore(), async (session) => {
      const bodies = new Bodies();
      const link = (name: string, linkname = 'target'): SelectedEntry => {
        return { name, type: 'symlink', size: 0, linkname, body: bodies.of(), kind: 'blob', use: 'link' };
      };
      const file = (name: string): SelectedEntry => select(bodies, name, Buffer.from(name), 'candidate');
      const { contents } = await commit(session, [
        file('a'),
        file('b'),
        link('a'),
        link('c'),
        link('c', 'elsewhere'),
        { ...select(bodies, 'b', Buffer.from('x'), 'candidate') },
        file('same'),
        file('same'),
        link('d'),
        link('d'),
      ]);
      assert.deepEqual(contents.repeated, new Set(['a', 'c', 'b']));
      assert.deepEqual(contents.skipped, { count: 2, bytes: 5 });
    });
  });

  for (const [probing, expected] of [
    ['none', undefined],
    ['heads', { compression: 'gzip' }],
    ['all', { compression: 'gzip', diffId: digestOf('tar') }],
  ] as const) {
    it(`finds out about layers what it was asked for: ${probing}`, async () => {
      await inSession(new MemoryStore(), async (session) => {
        const bytes = gzipSync('tar');
        const stage = new Commit(session, { ...OPTIONS, probing });
        const entry = select(new Bodies(), entryNameOf(digestOf(bytes)), bytes, 'needed');
        await runStage([entry], new VerifyDigests<SelectedEntry>(), stage);
        assert.deepEqual(stage.contents.layers.get(digestOf(bytes)), expected);
      });
    });
  }

  it('fails for a damaged blob that is needed, and lists the blobs that it stored before', async () => {
    const store = new MemoryStore();
    await inSession(store, async (session) => {
      const stage = new Commit(session, OPTIONS);
      const entries = [blob(new Bodies(), 'a'), blob(new Bodies(), 'b', 'needed', 'B')];
      await assert.rejects(runStage(entries, new VerifyDigests<SelectedEntry>(), stage), {
        code: 'ERR_DIGEST_MISMATCH',
      });
      assert.deepEqual([...stage.contents.stored.keys()], [digestOf('a')]);
      assert.equal(await store.stat(digestOf('b')), undefined);
    });
  });

  it('remembers the damage of a candidate and goes on', async () => {
    const store = new MemoryStore();
    await inSession(store, async (session) => {
      const entries = [blob(new Bodies(), 'a', 'candidate', 'A'), blob(new Bodies(), 'b')];
      const { contents } = await commit(session, entries);
      const damaged = [...contents.damaged].map(([digest, { size, damage }]): [Digest, number, string] => [
        digest,
        size,
        damage.code,
      ]);
      assert.deepEqual(damaged, [[digestOf('a'), 1, 'ERR_DIGEST_MISMATCH']]);
      assert.deepEqual(await digestsIn(store), [digestOf('b')]);
    });
  });

  it('closes its writer and the body when the store fails', async () => {
    const failure = new Error('disk full');
    const counting = await countingSession({ after: 2, error: failure });
    const bodies = new Bodies();
    const bytes = seededBytes('large', 1024 * 1024);
    const entry = select(bodies, entryNameOf(digestOf(bytes)), bytes, 'candidate');
    await assert.rejects(commit(counting.session, [entry]), failure);
    assert.deepEqual([counting.open, bodies.open], [0, 0]);
  });

  it('closes its writer and the body when it is destroyed in the middle of a blob', async () => {
    const counting = await countingSession();
    const bodies = new Bodies();
    const bytes = seededBytes('large', 64 * 1024 * 100);
    const stage = new Commit(counting.session, OPTIONS);
    const entry = select(bodies, entryNameOf(digestOf(bytes)), bytes, 'needed');
    const running = pipeline(
      verifiedOf(entry),
      stage,
      sinkOf(async () => {}),
    ).catch(() => {});
    await atRest(() => Math.min(bodies.chunks, 1));
    stage.destroy();
    await running;
    await stage.settled();
    assert.deepEqual([counting.open, bodies.open], [0, 0]);
  });

  it('shows how many bytes of a blob were written, while it is written', async () => {
    const bytes = seededBytes('large', 3 * 1024 * 1024);
    const digest = digestOf(bytes);
    await inSession(new MemoryStore(), async (session) => {
      const told: CommitEvent[] = [];
      const stage = new Commit(session, { ...OPTIONS, onStored: (event) => told.push(event) });
      const seen: unknown[] = [];
      const body = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += 1024 * 1024) {
          yield bytes.subarray(at, at + 1024 * 1024);
          seen.push(...[...stage.active].map(({ digest: id, size, meter }) => [id, meter.bytes / 1024 ** 2, size]));
        }
      };
      const entry = { ...select(new Bodies(), entryNameOf(digest), bytes, 'needed'), body: body() };
      const events = await runStage<CommitEvent>([entry], new VerifyDigests<SelectedEntry>(), stage);
      assert.deepEqual(
        seen,
        [1, 2, 3].map((mebibytes) => [digest, mebibytes, bytes.length]),
      );
      assert.deepEqual([...stage.active], []);
      assert.deepEqual(told, events);
      assert.deepEqual(events, [{ name: entryNameOf(digest), digest, size: bytes.length, outcome: 'stored' }]);
    });
  });
});
