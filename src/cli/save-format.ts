import { MAX_LEVEL, type CompressOptions } from '../compression/compress.js';
import type { ExportPlan } from '../export/plan-export.js';
import { totalBytes } from '../model/content.js';
import { LadingError, quote } from '../model/errors.js';
import { layerCompressionOf } from '../model/media-types.js';
import type { Warning } from '../survey/reports.js';

/** `gzip[:1-9]` or `zstd[:1-19]` as options. Throws ERR_OPTION_INVALID. */
export function parseCompression(text: string): CompressOptions {
  const [, format, digits] = /^(gzip|zstd)(?::(\d{1,2}))?$/.exec(text) ?? [];
  if (format !== 'gzip' && format !== 'zstd') throw wrong(text);
  if (digits === undefined) return { format };
  const level = Number(digits);
  if (level < 1 || level > MAX_LEVEL[format]) throw wrong(text);
  return { format, level };
}

function wrong(text: string): LadingError {
  const message = `--compress takes gzip, gzip:1 to gzip:9, zstd, or zstd:1 to zstd:19, not ${quote(text)}`;
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: '--compress' } });
}

/** The endings of file names that promise a compression. */
const ENDINGS: readonly (readonly [format: string, ending: RegExp])[] = [
  ['gzip', /\.t?gz$/i],
  ['zstd', /\.t?zst$/i],
  ['another format', /\.(?:t?xz|t?bz2?|zip)$/i],
  ['tar', /\.tar$/i],
];

/** What to say about a file name that promises another format, and about layers that are packed already. */
export function formatWarnings(
  plan: ExportPlan,
  output: string | undefined,
  compression: CompressOptions | undefined,
): readonly Warning[] {
  const [promised] = ENDINGS.find(([, ending]) => output !== undefined && ending.test(output)) ?? [];
  if (compression === undefined) return promised === undefined || promised === 'tar' ? [] : [plainTar(output)];
  const { format } = compression;
  const isOther = promised !== undefined && promised !== format;
  return [...(isOther ? [otherEnding(output, format)] : []), ...(isPacked(plan) ? [alreadyCompressed(format)] : [])];
}

function plainTar(output = ''): Warning {
  const message = `${quote(output)} gets a plain tar, whatever its name says; to pack it, use --compress gzip`;
  return { code: 'WARN_PLAIN_TAR', message };
}

function otherEnding(output = '', format: string): Warning {
  return { code: 'WARN_FILE_ENDING', message: `${quote(output)} gets ${format}, whatever its name says` };
}

function alreadyCompressed(format: string): Warning {
  const message = `nearly all layers are compressed already, so ${format} saves next to nothing, and a backup that looks for equal parts finds fewer`;
  return { code: 'WARN_ALREADY_COMPRESSED', message };
}

/** The part of all layer bytes from which on packing is not worth its time. */
const PACKED_PART = 0.9;

function isPacked({ entries }: ExportPlan): boolean {
  const layers = entries.filter(({ need }) => need?.kind === 'layer');
  const packed = layers.filter(({ need }) => isCompressed(need?.mediaType));
  const bytes = totalBytes(layers.map(({ size }) => size));
  return bytes > 0 && totalBytes(packed.map(({ size }) => size)) >= PACKED_PART * bytes;
}

function isCompressed(mediaType = ''): boolean {
  return ['gzip', 'zstd'].includes(layerCompressionOf(mediaType) ?? 'none');
}
