import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

/*
 * Writes etc/api/*.api.md, the public declarations of each entry, or with `--check` compares them with what is there.
 * Reads dist/types, so it needs `npm run build` first.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const REPORTS = path.join(ROOT, 'etc', 'api');
const ENTRIES = { lading: 'index', server: 'server/index', stages: 'stages/index', stores: 'stores/index' };

/** What the reports say beside the declarations has its own tests: doc comments, and types that nobody can name. */
const QUIET = { logLevel: 'none', addToApiReportFile: false };

mkdirSync(REPORTS, { recursive: true });
for (const [name, entry] of Object.entries(ENTRIES)) {
  const { succeeded, apiReportChanged } = Extractor.invoke(configOf(name, entry), {
    localBuild: !process.argv.includes('--check'),
    messageCallback: hideProgress,
  });
  if (succeeded) continue;
  const remedy = apiReportChanged ? 'the public API changed: run npm run api:report' : 'the API cannot be read';
  console.error(`etc/api/${name}.api.md: ${remedy}`);
  process.exitCode = 1;
}

function configOf(name, entry) {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath: path.join(ROOT, 'dist', 'types', `${entry}.d.ts`),
      newlineKind: 'lf',
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: REPORTS,
        reportTempFolder: path.join(ROOT, 'build', 'api'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      compiler: {
        overrideTsconfig: {
          compilerOptions: { module: 'nodenext', target: 'es2023', types: ['node'] },
          include: [path.join(ROOT, 'dist', 'types')],
        },
      },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: { default: QUIET },
        tsdocMessageReporting: { default: QUIET },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: path.join(ROOT, 'package.json'),
  });
}

/** Errors are printed; notes about the compiler's version are not. */
function hideProgress(message) {
  message.handled = message.logLevel !== 'error';
}
