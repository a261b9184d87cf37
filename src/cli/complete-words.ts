import type { Argument, Command, Option } from 'commander';
import { PLACE_STARTS } from './transports.js';

/** One word that may stand there, and what it means. */
export interface Suggestion {
  readonly value: string;
  readonly text?: string;
}

/** What may stand in the place of the word that is being written. */
export type Completion = StoreWords | { readonly kind: 'files' } | { readonly kind: 'folders' };

/** Words that we know, or that the store knows: its images, or the platforms of those that are on the line. */
export type StoreWords =
  | { readonly kind: 'words'; readonly words: readonly Suggestion[] }
  | { readonly kind: 'images' }
  | { readonly kind: 'platforms'; readonly images: readonly string[] };

const NOTHING: Completion = { kind: 'words', words: [] };

/** What is on the command line before the word that is being written. */
interface Place {
  readonly command: Command;
  readonly operands: readonly string[];
  /** The option whose value comes next. */
  readonly open: Option | undefined;
  /** Whether `--` came: no word is an option from there on. */
  readonly isOver: boolean;
}

/** What may follow the words on a command line of `lading`. `current` is the start of the next word. */
export function completionOf(lading: Command, words: readonly string[], current: string): Completion {
  const { command, operands, open, isOver } = placeOf(lading, words);
  if (open !== undefined) return ofOption(open, operands);
  if (!isOver && current.startsWith('-')) return { kind: 'words', words: optionsOf(command) };
  const commands = command.commands.filter((one) => command.createHelp().visibleCommands(command).includes(one));
  if (commands.length > 0 && operands.length === 0)
    return { kind: 'words', words: commands.map((one) => ({ value: one.name(), text: one.description() })) };
  const { registeredArguments } = command;
  const argument = registeredArguments[operands.length] ?? registeredArguments.at(-1);
  const isPast = operands.length >= registeredArguments.length && argument?.variadic !== true;
  return argument === undefined || isPast ? NOTHING : ofArgument(argument);
}

/** The value of an option such as `--store` on the command line, if it is there. */
export function valueOf(words: readonly string[], flag: string): string | undefined {
  const at = words.indexOf(flag);
  return at < 0 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
}

function placeOf(lading: Command, words: readonly string[]): Place {
  let place: Place = { command: lading, operands: [], open: undefined, isOver: false };
  for (const word of words) place = after(place, word);
  return place;
}

function after(place: Place, word: string): Place {
  const { command, operands, open, isOver } = place;
  if (open !== undefined) return { ...place, open: undefined };
  if (!isOver && word === '--') return { ...place, isOver: true };
  if (!isOver && word.startsWith('-') && word !== '-') return { ...place, open: optionOf(command, word) };
  const chosen = operands.length === 0 ? command.commands.find((one) => one.name() === word) : undefined;
  if (chosen !== undefined) return { command: chosen, operands: [], open: undefined, isOver: false };
  return { ...place, operands: [...operands, word] };
}

/** The option of that flag if its value is the next word. */
function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find((one) => one.required && (one.long === flag || one.short === flag));
}

function optionsOf(command: Command): readonly Suggestion[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ value: long ?? short ?? '', text: description }));
}

/** By the word in the option's flags: `--output <file>`. */
function ofOption({ argChoices, flags, long }: Option, operands: readonly string[]): Completion {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices.map((value) => ({ value })) };
  if (long === '--platform') return { kind: 'platforms', images: operands };
  if (long === '--image') return NOTHING;
  return ofPlaceholder(/<([a-z-]+)/.exec(flags)?.[1]);
}

function ofArgument(argument: Argument): Completion {
  if (argument.argChoices !== undefined)
    return { kind: 'words', words: argument.argChoices.map((value) => ({ value })) };
  return ofPlaceholder(argument.name());
}

const FILES = ['file', 'list', 'input', 'output'];
const FOLDERS = ['dir', 'target'];
const IMAGES = ['image', 'source', 'name'];

function ofPlaceholder(word = ''): Completion {
  if (FILES.includes(word)) return { kind: 'files' };
  if (FOLDERS.includes(word)) return { kind: 'folders' };
  if (word === 'place') return { kind: 'words', words: PLACE_STARTS.map((value) => ({ value })) };
  return IMAGES.includes(word) ? { kind: 'images' } : NOTHING;
}
