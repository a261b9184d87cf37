import pLimit from 'p-limit';
import { choosingOf } from '../../copy/closing.js';
import { copyImages, type CopyOptions } from '../../copy/copy-images.js';
import type { Homes, PlannedCopy } from '../../copy/copy-plan.js';
import { copyToRegistry, findUpToDate } from '../../copy/copy-to-registry.js';
import { judgePlan } from '../../copy/judge-plan.js';
import { pinnedSource } from '../../copy/pinned-source.js';
import { sendHomes } from '../../copy/send-homes.js';
import { SharedWork } from '../../copy/shared-work.js';
import { planExport } from '../../export/plan-export.js';
import { digestOfEntry } from '../../model/archive-layout.js';
import type { ImageRecord } from '../../model/image-list.js';
import type { Digest } from '../../model/digest.js';
import { LadingError } from '../../model/errors.js';
import type { OnProgress } from '../../model/progress-event.js';
import { parseReference } from '../../model/reference.js';
import type { RateLimit } from '../../registry/origin-memory.js';
import type { Registries } from '../../registry/registries.js';
import type { RegistryDestination } from '../../registry/registry-destination.js';
import type { RegistrySource } from '../../registry/registry-source.js';
import { nameOfRepository, parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import type { OciLayoutStore } from '../../stores/layout/oci-layout-store.js';
import type { ImageSource } from '../../stores/store.js';
import { openStore, type CommandContext } from '../command-context.js';
import type { CopyJob } from '../copy-lines.js';
import { renamedTo } from '../renamed-images.js';
import { isArchive, splitFolder, type Place } from '../transports.js';
import { copyArchive, type ArchiveTarget } from './copy-archive.js';
import { blobJobsOf, choicesOf, withChoices, type CopyCommandOptions } from './copy-choices.js';
import type { CopiedBefore, CopyOutcome, OneCopyOptions } from './copy-outcome.js';
import { copyToArchive } from './copy-to-archive.js';

/** Copies the images of one place to another. Copies that run at the same time share their blobs. */
export class OneCopy {
  readonly #registries: Registries;
  readonly #options: CopyCommandOptions;
  readonly #context: CommandContext;
  readonly #work: SharedWork;
  readonly #sources = new Map<string, RegistrySource>();
  readonly #destinations = new Map<CopyJob, RegistryDestination>();
  readonly #planned: Map<CopyJob, PlannedCopy>;

  /** `planned`: what the jobs copy, if that was planned before. */
  constructor(
    registries: Registries,
    options: CopyCommandOptions,
    context: CommandContext,
    planned: ReadonlyMap<CopyJob, PlannedCopy> = new Map(),
  ) {
    this.#planned = new Map(planned);
    this.#registries = registries;
    this.#options = options;
    this.#context = context;
    this.#work = new SharedWork(blobJobsOf(options));
  }

  async run(job: CopyJob, { copiedBefore, onProgress }: OneCopyOptions): Promise<CopyOutcome> {
    const [{ source: from, target: to }] = job;
    if (isArchive(from) || from.transport === 'oci') return await this.#copyArchive(from, to, onProgress);
    const { places, names, source } = await this.#prepare(job);
    if (this.#options.dryRun === true) return await this.#plan(job, source, names);
    if (isArchive(to)) {
      const context = { ...this.#context, progress: { listener: async () => onProgress } };
      return await copyToArchive(source, places, this.#options, context);
    }
    if (to.transport === 'docker') {
      const destination = this.#destinationFor(job, names);
      return await copyToRegistry(source, destination, names, {
        ...this.#copying(job, hostOf(to), onProgress),
        copiedBefore,
        seeksReferrers: from.transport !== 'docker',
      });
    }
    const { store, name } = await this.#storeOf(to);
    const renamed = renamedTo(source, [{ to, names, name }], this.#options);
    const copying = {
      ...this.#copying(job, to.transport === 'store' ? to.transport : `oci:${splitFolder(to.rest).path}`, onProgress),
      sourceName: renamed.sourceName,
    };
    return { ...(await copyImages(renamed.source, store, renamed.names, copying)), upToDate: false };
  }

  /** What the registry of a place said last of how many requests it still allows. */
  rateOf({ transport, rest }: Place): RateLimit | undefined {
    return transport === 'docker' ? this.#registries.rateOf(hostOf({ rest })) : undefined;
  }

  /** What the jobs copy, as far as that is planned. */
  get planned(): ReadonlyMap<CopyJob, PlannedCopy> {
    return this.#planned;
  }

  /**
   * Brings the blobs whose home is the repository of one of the jobs to it, unless that job has nothing to do. A failure
   * is none of this work: the copy that needs the blob meets it again, and tells it.
   */
  async sendHomes(jobs: readonly CopyJob[], homes: Homes, copiedBefore: (job: CopyJob) => CopiedBefore): Promise<void> {
    // Nothing goes ahead of the judgement of its image.
    if (this.#options.trust !== undefined) return;
    for (const [host, blobs] of Object.entries(homes))
      for (const [digest, path] of Object.entries(blobs)) this.#registries.setHome(host, digest as Digest, path);
    const limit = pLimit(LOOKUPS);
    await Promise.allSettled(jobs.map((job) => limit(async () => await this.#sendHome(job, homes, copiedBefore(job)))));
  }

  async #sendHome(job: CopyJob, homes: Homes, copiedBefore: CopiedBefore): Promise<void> {
    const [{ source: from, target: to }] = job;
    const plan = this.#planned.get(job);
    if (plan === undefined || to.transport !== 'docker') return;
    const { host, path } = repositoryOf(parseRegistryReference(to.rest));
    const blobs = plan.blobs.filter(({ digest }) => homes[host]?.[digest] === path);
    if (blobs.length === 0) return;
    const { names, source } = await this.#prepare(job);
    const destination = this.#destinationFor(job, names);
    const { signal, ...copying } = this.#copying(job, host);
    if ((await findUpToDate(destination, plan.records, { ...copying, copiedBefore })) !== undefined) return;
    await sendHomes(
      { source: from.transport === 'docker' ? this.#sourceOfBlobs(plan, blobs) : source, destination, blobs },
      { ...copying.shared, signal },
    );
  }

  /** A source that knows of the blobs without having read a document. */
  #sourceOfBlobs({ records: [record] }: PlannedCopy, blobs: PlannedCopy['blobs']): RegistrySource {
    const source = this.#registries.source();
    if (record !== undefined) source.pin(record, blobs);
    return source;
  }

  async #prepare(job: CopyJob) {
    const plan = this.#planned.get(job);
    const places = job.map(({ source, target }) => ({ to: target, names: this.#namesOf(source) }));
    const source = await this.#sourceOf(job[0].source, plan?.records ?? []);
    const names = places.flatMap((one) => one.names);
    if (plan === undefined || job[0].target.transport !== 'docker') return { places, names, source };
    return { places, source, names: plan.records.map(({ name, descriptor }) => name ?? descriptor.digest) };
  }

  async #plan(job: CopyJob, source: ImageSource, names: readonly string[]): Promise<CopyOutcome> {
    const options = this.#choicesOf(job);
    const plan = await planExport(source, names, choosingOf(options));
    await judgePlan(source, plan, options);
    const { images, blobs, warnings, incomplete, entries } = plan;
    const content = entries.flatMap(({ name, size, content: one }) => {
      const digest = digestOfEntry(name);
      return digest !== undefined && 'kind' in one && one.kind === 'blob' ? [{ digest, size }] : [];
    });
    this.#planned.set(job, { records: await source.resolve(names), blobs: content });
    return {
      images,
      blobs: { planned: blobs.count, bytesPlanned: blobs.bytes },
      warnings,
      incomplete,
      upToDate: false,
    };
  }

  async #copyArchive(from: Place, to: Place, onProgress: OnProgress | undefined): Promise<CopyOutcome> {
    if (this.#options.allTags === true) throw wrong('--all-tags is for a repository of a registry or of the store');
    if (this.#options.dryRun === true)
      throw wrong(
        '--dry-run needs a registry or the store as its source; lading inspect --archive looks into an archive',
      );
    if (isArchive(to))
      throw wrong('an archive is not copied to another one; load it into a store and save it from there');
    return await copyArchive(from, await this.#archiveTarget(to), choicesOf(this.#options, this.#context, onProgress));
  }

  async #archiveTarget(to: Place): Promise<ArchiveTarget> {
    if (to.transport === 'docker') return { destination: this.#destinationOf(to, undefined, []), isRegistry: true };
    const { store, name } = await this.#storeOf(to);
    return { destination: store, isRegistry: false, ...(name !== undefined && { name }) };
  }

  /** The full names at the source. A name without a tag means `latest`, or every tag with `--all-tags`. */
  #namesOf({ transport, rest }: Place): readonly string[] {
    const { allTags = false } = this.#options;
    if (transport === 'store' && /^(?:sha\d+:)?[0-9a-f]{12,}$/.test(rest)) return [rest];
    const reference = transport === 'docker' ? parseRegistryReference(rest) : parseReference(rest);
    if (!allTags) return [reference.withDefaultTag().toString()];
    if (reference.tag !== undefined || reference.digest !== undefined)
      throw wrong('--all-tags takes a name without a tag');
    return [reference.toString()];
  }

  /** One source for each repository of a registry, so that its tags are listed once. */
  async #sourceOf({ transport, rest }: Place, pinned: readonly ImageRecord[] = []): Promise<ImageSource> {
    if (transport !== 'docker')
      return pinnedSource(await openStore(this.#options, 'read', { claimReads: true }), pinned);
    const repository = nameOfRepository(repositoryOf(parseRegistryReference(rest)));
    const source = this.#sources.get(repository) ?? this.#registries.source();
    this.#sources.set(repository, source);
    for (const record of pinned) source.pin(record);
    return source;
  }

  /** One for each job, so that what it has learned of the tags is not asked again. */
  #destinationFor(job: CopyJob, names: readonly string[]): RegistryDestination {
    const [{ source, target }] = job;
    const destination = this.#destinations.get(job) ?? this.#destinationOf(target, source, names);
    this.#destinations.set(job, destination);
    return destination;
  }

  #destinationOf({ rest }: Place, from: Place | undefined, names: readonly string[]): RegistryDestination {
    const reference = parseRegistryReference(rest);
    const { tag, digest } = reference;
    if (this.#options.allTags === true && (tag ?? digest) !== undefined)
      throw wrong('--all-tags takes a destination without a tag');
    const name = repositoryOf(reference);
    const own = from?.transport === 'docker' ? names.map((one) => repositoryOf(parseRegistryReference(one))) : [];
    // What the registry has in the repository that it comes from need not travel.
    const sources = own.filter(({ host, path }) => host === name.host && path !== name.path).map(({ path }) => path);
    return this.#registries.destination(name, { tag, digest, blobJobs: blobJobsOf(this.#options) }, sources);
  }

  async #storeOf({ transport, rest }: Place): Promise<{ readonly store: OciLayoutStore; readonly name?: string }> {
    if (transport === 'store') return { store: await openStore(this.#options, 'write'), name: rest };
    const { path, name } = splitFolder(rest);
    const store = await openStore({ ...this.#options, store: path }, 'write');
    return { store, ...(name !== undefined && { name }) };
  }

  #choicesOf([{ choices }]: CopyJob, onProgress?: OnProgress) {
    return choicesOf(withChoices(this.#options, choices), this.#context, onProgress);
  }

  #copying(job: CopyJob, place: string, onProgress?: OnProgress) {
    return {
      ...this.#choicesOf(job, onProgress),
      shared: { work: this.#work, place },
    } satisfies CopyOptions;
  }
}

/** Jobs that are looked at at once. */
const LOOKUPS = 8;

function hostOf({ rest }: Pick<Place, 'rest'>): string {
  return repositoryOf(parseRegistryReference(rest)).host;
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
