import { copyImages } from '../../copy/copy-images.js';
import { copyToRegistry } from '../../copy/copy-to-registry.js';
import { LadingError } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import { deleteManifest } from '../../registry/deletions.js';
import { nameOfRepository, parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import { unknownRepository } from '../../registry/registry-errors.js';
import { tagChooser, type TagRule } from '../../registry/tag-rules.js';
import { listTags } from '../../registry/tags.js';
import { openStore, type CommandContext } from '../command-context.js';
import { printLines, printReport, warn, type OutputOptions } from '../console.js';
import { INCOMPLETE } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { ownImages } from '../own-images.js';
import { withRegistries } from '../registry-access.js';
import type { RegistryOptions } from '../registry-options.js';
import { readTrust, type TrustFiles } from '../trust-files.js';
import { choicesOf, type CopyCommandOptions } from './copy-choices.js';

/** `lading pull`: registry images into the store, under their names. All names become visible together. */
export async function pull(
  names: readonly string[],
  options: CopyCommandOptions & TrustFiles,
  context: CommandContext,
): Promise<number> {
  const references = names.map(parseRegistryReference);
  const policy = await readTrust(options);
  if (options.allTags === true && references.some(({ tag, digest }) => (tag ?? digest) !== undefined))
    throw new LadingError('ERR_OPTION_INVALID', '--all-tags takes names without a tag');
  const texts = references.map((one) => (options.allTags === true ? one : one.withDefaultTag()).toString());
  return await withRegistries(options, context, onlyHost(names), async (registries) => {
    const store = await openStore(options, 'write');
    const choices = choicesOf({ ...options, trust: policy }, context, await context.progress.listener());
    const report = await copyImages(registries.source(), store, texts, choices).catch((error: unknown) => {
      throw hintAllowMissing(error, options.allowMissing);
    });
    warn(report.warnings, options);
    context.progress.report('pull', report);
    context.progress.clear();
    if (options.json === true) await printReport('pull', report);
    else await printLines(ownImages(report.images).map(({ name, digest }) => `${nameWithoutDigest(name)}@${digest}`));
    return report.incomplete ? INCOMPLETE : 0;
  });
}

function nameWithoutDigest(name = ''): string {
  return name.replace(/@.*$/, '');
}

/** The one registry that all the names are in; undefined if there are several. */
function onlyHost(names: readonly string[]): string | undefined {
  const [host, ...others] = new Set(names.map((name) => repositoryOf(parseRegistryReference(name)).host));
  return others.length === 0 ? host : undefined;
}

/** `lading push`: an image of the store to its own name, or to another one. */
export async function push(
  name: string,
  to: string | undefined,
  options: CopyCommandOptions & TrustFiles,
  context: CommandContext,
): Promise<number> {
  const trust = await readTrust(options);
  const target = to ?? name;
  const reference = parseRegistryReference(target);
  return await withRegistries(options, context, repositoryOf(reference).host, async (registries) => {
    const store = await openStore(options, 'read', { claimReads: true });
    const own = options.allTags === true ? name : withDefaultTag(name);
    const destination = registries.destination(repositoryOf(reference), {
      tag: to === undefined || options.allTags === true ? undefined : (reference.tag ?? tagOf(own)),
      digest: reference.digest,
      blobJobs: 4,
    });
    const choices = choicesOf({ ...options, trust }, context, await context.progress.listener());
    const report = await copyToRegistry(store, destination, [own], choices).catch((error: unknown) => {
      throw hintAllowMissing(error, options.allowMissing);
    });
    warn(report.warnings, options);
    context.progress.report('push', report);
    context.progress.clear();
    if (options.json === true) await printReport('push', report);
    else
      await printLines(
        ownImages(report.images).map(
          ({ digest }) => `${report.upToDate ? 'Up to date' : 'Pushed'}: ${shown(reference)}@${digest}`,
        ),
      );
    return report.incomplete ? INCOMPLETE : 0;
  });
}

function shown(reference: ReturnType<typeof parseRegistryReference>): string {
  return nameWithoutDigest(reference.toString());
}

/** An id stays as it is. */
function withDefaultTag(name: string): string {
  return isId(name) ? name : parseReference(name).withDefaultTag().toString();
}

function tagOf(name: string): string | undefined {
  return isId(name) ? 'latest' : parseReference(name).tag;
}

function isId(name: string): boolean {
  return /^(?:sha\d+:)?[0-9a-f]{12,128}$/.test(name);
}

/** `lading tags`: the tags of a repository, sorted. */
export async function tags(repository: string, options: TagsOptions, context: CommandContext): Promise<number> {
  const reference = parseRegistryReference(repository);
  if ((reference.tag ?? reference.digest) !== undefined)
    throw new LadingError('ERR_OPTION_INVALID', 'tags takes a repository, without a tag');
  const name = repositoryOf(reference);
  const { latest, ...rule } = options;
  const choose = tagChooser(
    { ...rule, ...(latest !== undefined && { latest: Number(latest) }) },
    (member) => `--${member}`,
  );
  return await withRegistries(options, context, name.host, async (registries) => {
    const found = await listTags(registries.repository(name, 'pull'));
    if (found === undefined) throw unknownRepository(name);
    const chosen = choose(found);
    const report = { repository: nameOfRepository(name), tags: chosen, listed: found.length };
    if (options.json === true) await printReport('tags', report);
    else await printLines(chosen);
    return 0;
  });
}

export interface TagsOptions extends OutputOptions, RegistryOptions, Omit<TagRule, 'latest'> {
  readonly latest?: string;
}

/** `lading registry rm`: removes a tag, or a manifest by its digest. */
export async function removeRemote(
  name: string,
  options: OutputOptions & RegistryOptions,
  context: CommandContext,
): Promise<number> {
  const reference = parseRegistryReference(name);
  const target = reference.digest ?? reference.tag;
  if (target === undefined)
    throw new LadingError('ERR_OPTION_INVALID', 'registry rm takes a name with a tag or a digest');
  const repository = repositoryOf(reference);
  return await withRegistries(options, context, repository.host, async (registries) => {
    await deleteManifest(registries.repository(repository, 'delete,pull'), target);
    if (options.json === true) await printReport('registry-rm', { removed: reference.toString() });
    else await printLines([`Removed: ${reference.toString()}`]);
    return 0;
  });
}
