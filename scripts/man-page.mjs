import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { program } from '../dist/cli/program.js';

/*
 * Writes the manual page `dist/man/lading.1` from the commands themselves. Its examples and exit statuses are those of
 * docs/command.md.
 */

const command = await readFile('docs/command.md', 'utf8');
const changelog = await readFile('CHANGELOG.md', 'utf8');
const { version } = JSON.parse(await readFile('package.json', 'utf8'));
const lading = program();
// The day of the newest version in the changelog, so that the same source gives the same page.
const [, day = ''] = /^## \[\d[^\]]*\] - (\d{4}-\d\d-\d\d)/m.exec(changelog) ?? [];

const page = [
  `.TH LADING 1 "${day}" "lading ${version}"`,
  '.SH NAME',
  'lading \\- move multi\\-platform container images as streams',
  '.SH SYNOPSIS',
  '.B lading',
  text('[options] command [arguments]'),
  '.SH DESCRIPTION',
  text(lading.description()),
  text('Data goes to stdout, everything else to stderr. Every error has a code.'),
  '.SH OPTIONS',
  ...optionsOf(lading),
  '.SH COMMANDS',
  ...commandsOf(lading, []),
  '.SH EXAMPLES',
  '.nf',
  ...firstExamples().map(unfilled),
  '.fi',
  '.SH ENVIRONMENT',
  ...item('LADING_STORE', 'The folder of the store, where \\-\\-store is not given.'),
  ...item('LADING_NATIVE', 'With "off", no native calls are made; the result is the same.'),
  ...item('XDG_DATA_HOME', 'The folder in which the store "lading" is, where neither is given.'),
  '.SH EXIT STATUS',
  ...statuses().flatMap(([status, meaning]) => item(text(status), text(meaning))),
  '.SH SEE ALSO',
  '.BR docker (1),',
  '.BR skopeo (1)',
];

await mkdir('dist/man', { recursive: true });
await writeFile('dist/man/lading.1', `${page.join('\n')}\n`);

/** Each command with its arguments, description and options, also those below it. */
function commandsOf(parent, above) {
  return parent
    .createHelp()
    .visibleCommands(parent)
    .filter((one) => one.name() !== 'help')
    .flatMap((one) => {
      const names = [...above, one.name()];
      return [
        `.SS ${text(['lading', ...names, one.usage()].join(' '))}`,
        text(`${one.description()}.`),
        ...one.registeredArguments.flatMap((argument) => item(text(argument.name()), text(argument.description ?? ''))),
        ...optionsOf(one),
        ...commandsOf(one, names),
      ];
    });
}

/** The options that every command has stand at the top only. */
function optionsOf(one) {
  const help = one.createHelp();
  const common = one === lading ? [] : lading.options.map(({ long }) => long);
  return help
    .visibleOptions(one)
    .filter(({ long }) => long !== '--help' && !common.includes(long))
    .flatMap((option) => item(`\\fB${text(help.optionTerm(option))}\\fR`, text(help.optionDescription(option))));
}

function item(term, meaning) {
  return ['.TP', term, meaning];
}

/** The first block of commands in docs/command.md. */
function firstExamples() {
  const [, block = ''] = /```sh\n([^]*?)```/.exec(command) ?? [];
  return block.trimEnd().split('\n');
}

/** The rows of the table of exit statuses in docs/command.md. */
function statuses() {
  const [, table = ''] = /\| status +\| meaning +\|\n\|[- |]+\n([^]*?)\n(?:\n|$)/.exec(`${command}\n`) ?? [];
  return table.split('\n').map((row) =>
    row
      .split('|')
      .slice(1, 3)
      .map((cell) =>
        cell
          .trim()
          .replaceAll('`', '')
          .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, 'docs/$1'),
      ),
  );
}

/** Text that roff prints as it is: a hyphen stays one, and no line begins with a request. Roff fills the lines anew. */
function text(plain) {
  const escaped = plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/[^ -~]/gu, unicode);
  return wrapped(escaped)
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

/** The name of a character that is not ASCII. */
function unicode(character) {
  return `\\[u${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
}

/** A line that stays one. */
function unfilled(plain) {
  return text(plain).replaceAll('\n', ' ');
}

/** Lines of at most 80 characters, broken at spaces. */
function wrapped(long) {
  return long.match(/\S(?:.{0,78}\S)?(?=\s|$)|\S+/g) ?? [''];
}
